"""The demo's workflow: an order that is reserved, summarised, approved by a person, and persisted.

Written with AWS's own durable execution SDK for Python; nothing in it knows of Everstep. Each step prints its start
and its end, so that the demo can prove from the log how often it ran.
"""

import os
import time

from aws_durable_execution_sdk_python import DurableContext, durable_execution, durable_step
from aws_durable_execution_sdk_python.config import Duration, StepConfig, WaitForCallbackConfig
from aws_durable_execution_sdk_python.retries import RetryStrategyConfig, create_retry_strategy

RETRY = create_retry_strategy(RetryStrategyConfig(max_attempts=3, initial_delay=Duration.from_seconds(1)))


def note(line: str) -> None:
    print(f"journal: {line}", flush=True)


@durable_step
def reserve(_context, order: dict) -> dict:
    note("start reserve")
    reservation = {"order": order["id"], "items": len(order["items"])}
    note("end reserve")
    return reservation


@durable_step
def summarise(_context, order: dict) -> str:
    """Takes its time, as a call of a language model would."""
    note("start summarise")
    time.sleep(2)
    summary = f"{order['customer']} orders {', '.join(order['items'])} for {order['total']} EUR"
    note("end summarise")
    return summary


@durable_step
def persist(_context, record: dict) -> dict:
    note("start persist")
    stored = {"stored": True, **record}
    note("end persist")
    return stored


def ask(callback_id: str, _context) -> None:
    note("asked for approval")


@durable_execution
def handler(order: dict, context: DurableContext) -> dict:
    reservation = context.step(reserve(order))
    summary = context.step(summarise(order), config=StepConfig(retry_strategy=RETRY))
    context.wait(Duration.from_seconds(int(os.environ["DEMO_WAIT_SECONDS"])), name="cooling-off")
    approval = context.wait_for_callback(ask, name="approval", config=WaitForCallbackConfig(timeout=Duration.from_minutes(5)))
    return context.step(persist({"reservation": reservation, "summary": summary, "approval": approval}))
