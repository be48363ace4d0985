"""Suite `child`: one function for each requirement 3-x."""

from __future__ import annotations

import os
import time
from typing import Any

import boto3
from aws_durable_execution_sdk_python import ChildContextError, DurableContext, StepContext, durable_execution
from aws_durable_execution_sdk_python.config import ChildConfig, StepConfig

from common import NO_RETRY, TextSerDes, always, attempts, fail, seconds, step_of

UPPER_CASE = TextSerDes(write=str.upper, read=str)
MORE_THAN_A_CHECKPOINT_HOLDS = 300 * 1024


def log(context: DurableContext, message: str) -> None:
    """Log even while the context replays."""
    arn = context.execution_context.durable_execution_arn
    context.logger.get_logger().info(message, extra={"executionArn": arn})


def executions_of(context: DurableContext) -> int:
    """Count in DynamoDB, which outlives the process, how often this is called in one execution."""
    answer = boto3.client("dynamodb").update_item(
        TableName=os.environ["TABLE_NAME"],
        Key={"executionId": {"S": context.execution_context.durable_execution_arn}},
        UpdateExpression="SET attemptCount = if_not_exists(attemptCount, :zero) + :one",
        ExpressionAttributeValues={":zero": {"N": "0"}, ":one": {"N": "1"}},
        ReturnValues="UPDATED_NEW",
    )
    return int(answer["Attributes"]["attemptCount"]["N"])


@durable_execution
def basic(event: str, context: DurableContext) -> str:
    return context.run_in_child_context(step_of(event))


@durable_execution
def named(event: dict[str, str], context: DurableContext) -> str:
    return context.run_in_child_context(step_of(event["value"]), name=event["name"])


@durable_execution
def sequential(event: str, context: DurableContext) -> str:
    def body(child: DurableContext) -> str:
        first = child.step(always(event))
        return child.step(always(first))

    return context.run_in_child_context(body, name="sequential")


@durable_execution
def failure(_event: Any, context: DurableContext) -> None:
    context.run_in_child_context(lambda child: child.step(fail, config=NO_RETRY), name="failing")


@durable_execution
def failure_caught(event: str, context: DurableContext) -> str:
    try:
        return context.run_in_child_context(lambda child: child.step(fail, config=NO_RETRY), name="failing")
    except ChildContextError:
        return context.step(always(event), name="recovery")


@durable_execution
def nested(event: str, context: DurableContext) -> str:
    def outer(child: DurableContext) -> str:
        value = child.step(always(event))
        return child.run_in_child_context(step_of(value), name="inner")

    return context.run_in_child_context(outer, name="outer")


@durable_execution
def step_retried(event: str, context: DurableContext) -> str:
    def flaky(step: StepContext) -> str:
        if step.attempt == 1:
            raise ValueError("not yet")
        return event

    def body(child: DurableContext) -> str:
        return child.step(flaky, config=StepConfig(retry_strategy=attempts(2)))

    return context.run_in_child_context(body, name="retrying")


@durable_execution
def retries_exhausted(_event: Any, context: DurableContext) -> None:
    def body(child: DurableContext) -> None:
        child.step(fail, config=StepConfig(retry_strategy=attempts(2)))

    context.run_in_child_context(body, name="retrying")


@durable_execution
def replayed(event: str, context: DurableContext) -> str:
    value = context.run_in_child_context(step_of(event))
    context.wait(seconds(1))
    return value


@durable_execution
def step_and_wait(event: str, context: DurableContext) -> str:
    def body(child: DurableContext) -> str:
        value = child.step(always(event))
        child.wait(seconds(1))
        return value

    return context.run_in_child_context(body, name="mixed")


@durable_execution
def large_result(event: str, context: DurableContext) -> int:
    def body(child: DurableContext) -> str:
        log(child, f"the child runs with {event}")
        letter = child.step(always("x"))
        return letter * MORE_THAN_A_CHECKPOINT_HOLDS

    value = context.run_in_child_context(body, name="large")
    context.wait(seconds(1))
    return len(value)


@durable_execution
def interrupted(event: str, context: DurableContext) -> str:
    def crashes_once(_: StepContext) -> str:
        if executions_of(context) == 1:
            time.sleep(1)  # so that the checkpoint of the start is out
            os._exit(1)
        return event

    return context.run_in_child_context(lambda child: child.step(crashes_once), name="interrupted")


@durable_execution
def wait_inside(event: str, context: DurableContext) -> str:
    def body(child: DurableContext) -> str:
        child.wait(seconds(1))
        return event

    value = context.run_in_child_context(body, name="waiting")
    return context.step(always(value))


@durable_execution
def custom_serdes(event: str, context: DurableContext) -> str:
    return context.run_in_child_context(step_of(event), name="upper-case", config=ChildConfig(serdes=UPPER_CASE))


@durable_execution
def failure_without_step(_event: Any, context: DurableContext) -> None:
    context.run_in_child_context(fail, name="failing")


@durable_execution
def null_result(_event: Any, context: DurableContext) -> None:
    return context.run_in_child_context(always(None), name="nothing")


@durable_execution
def logging_only(event: str, context: DurableContext) -> str:
    def body(child: DurableContext) -> str:
        log(child, f"the child runs with {event}")
        return event

    value = context.run_in_child_context(body, name="logging")
    context.wait(seconds(1))
    return value


@durable_execution
def step_and_wait_twice(event: str, context: DurableContext) -> str:
    def body(child: DurableContext) -> str:
        value = child.step(always(event))
        child.wait(seconds(1))
        return value

    value = context.step(always(context.run_in_child_context(body, name="mixed")))
    context.wait(seconds(1))
    return value
