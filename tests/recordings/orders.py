"""An order workflow: two branches at once, one of which fails at first, then a wait, then a last step."""

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration, StepConfig
from aws_durable_execution_sdk_python.retries import RetryDecision


def patient(error: Exception, attempt: int) -> RetryDecision:
    return RetryDecision.retry(Duration.from_seconds(1)) if attempt < 3 else RetryDecision.no_retry()


def charge(step) -> str:
    if step.attempt < 3:
        raise ConnectionError("the bank does not answer")
    return "charged"


def payment(context: DurableContext) -> str:
    return context.step(charge, name="charge", config=StepConfig(retry_strategy=patient))


def shipping(context: DurableContext) -> str:
    context.step(lambda _: "two cups", name="reserve")
    context.wait(Duration.from_seconds(1), name="truck")
    return context.step(lambda _: "loaded", name="load")


@durable_execution
def handler(order: dict, context: DurableContext) -> str:
    print(f"order {order['id']}")
    context.step(lambda _: True, name="validate")
    context.parallel([payment, shipping], name="fulfil")
    context.wait(Duration.from_seconds(order["cooling_off_seconds"]), name="cooling-off")
    return context.step(lambda _: f"order {order['id']} is done", name="close")
