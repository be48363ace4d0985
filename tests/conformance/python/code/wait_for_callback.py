"""Suite `wait_for_callback`: one function for each requirement 7-x. The input is the operation's name."""

from __future__ import annotations

import json
from typing import Any

from aws_durable_execution_sdk_python import CallbackError, DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import WaitForCallbackConfig

from common import TextSerDes, always, attempts, fail, seconds

JSON = TextSerDes(write=json.dumps, read=json.loads)


def ask(_callback_id: str, _context: Any) -> None:
    """Ask nobody: the requirement itself answers."""


def answer(context: DurableContext, name: str | None = None, **options: Any) -> Any:
    """Ask, and wait for the answer."""
    return context.wait_for_callback(ask, name=name, config=WaitForCallbackConfig(**options))


@durable_execution
def basic(event: str, context: DurableContext) -> Any:
    return answer(context, event)


@durable_execution
def named(_event: Any, context: DurableContext) -> Any:
    return answer(context, "approval")


@durable_execution
def unnamed(_event: Any, context: DurableContext) -> Any:
    return context.wait_for_callback(lambda _callback_id, _context: None)


@durable_execution
def failure(event: str, context: DurableContext) -> Any:
    return answer(context, event)


@durable_execution
def timeout(event: str, context: DurableContext) -> Any:
    return answer(context, event, timeout=seconds(3))


@durable_execution
def failure_caught(event: str, context: DurableContext) -> Any:
    try:
        return answer(context, event)
    except CallbackError:
        return "recovered"


@durable_execution
def submitter_fails(event: str, context: DurableContext) -> Any:
    return context.wait_for_callback(fail, name=event, config=WaitForCallbackConfig(retry_strategy=attempts(2)))


@durable_execution
def in_child(event: str, context: DurableContext) -> Any:
    return context.run_in_child_context(lambda child: answer(child, event), name="wrapper")


@durable_execution
def sequential(_event: Any, context: DurableContext) -> Any:
    answer(context, "first")
    return answer(context, "second")


@durable_execution
def after_wait_and_step(event: str, context: DurableContext) -> Any:
    context.wait(seconds(1))
    context.step(always("prepared"))
    return answer(context, event)


@durable_execution
def json_payload(event: str, context: DurableContext) -> str:
    return answer(context, event, serdes=JSON)["status"]


@durable_execution
def heartbeat_timeout(event: str, context: DurableContext) -> Any:
    return answer(context, event, heartbeat_timeout=seconds(5))


@durable_execution
def heartbeat(event: str, context: DurableContext) -> Any:
    return answer(context, event, heartbeat_timeout=seconds(10))


@durable_execution
def timeout_caught(event: str, context: DurableContext) -> Any:
    try:
        return answer(context, event, timeout=seconds(3))
    except CallbackError:
        return "timed-out-handled"


@durable_execution
def no_payload(event: str, context: DurableContext) -> Any:
    return answer(context, event)
