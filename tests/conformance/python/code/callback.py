"""Suite `callback`: one function for each requirement 4-x. The input is the callback's name, or their names."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from aws_durable_execution_sdk_python import CallbackError, DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import CallbackConfig

from common import TextSerDes, always, seconds


def with_timestamp(text: str) -> dict[str, Any]:
    """Read a message whose moment is to be in seconds."""
    message = json.loads(text)
    return message | {"timestamp": int(datetime.fromisoformat(message["timestamp"]).timestamp())}


MESSAGE = TextSerDes(write=json.dumps, read=with_timestamp)
NUMBER = TextSerDes(write=str, read=int)


def expiring(timeout_seconds: int) -> CallbackConfig:
    """Return the configuration of a callback that has so much time."""
    return CallbackConfig(timeout=seconds(timeout_seconds))


def beating(heartbeat_timeout_seconds: int) -> CallbackConfig:
    """Return the configuration of a callback that must give signs of life so often."""
    return CallbackConfig(heartbeat_timeout=seconds(heartbeat_timeout_seconds))


def result_or_error(context: DurableContext, name: str, config: CallbackConfig | None = None) -> Any:
    """Return the result of a callback, or the message of its error."""
    try:
        return context.create_callback(name=name, config=config).result()
    except CallbackError as error:
        return str(error)


@durable_execution
def basic(event: str, context: DurableContext) -> Any:
    return context.create_callback(name=event).result()


@durable_execution
def named(_event: Any, context: DurableContext) -> Any:
    return context.create_callback(name="approval").result()


@durable_execution
def timeout(event: str, context: DurableContext) -> Any:
    return context.create_callback(name=event, config=expiring(5)).result()


@durable_execution
def heartbeat_timeout(event: str, context: DurableContext) -> Any:
    return context.create_callback(name=event, config=beating(5)).result()


@durable_execution
def heartbeat(event: str, context: DurableContext) -> Any:
    return context.create_callback(name=event, config=beating(10)).result()


@durable_execution
def failure(event: str, context: DurableContext) -> Any:
    return context.create_callback(name=event).result()


@durable_execution
def step_then_failure(event: str, context: DurableContext) -> Any:
    callback = context.create_callback(name=event)
    context.step(always("asked"))
    return callback.result()


@durable_execution
def step_then_timeout(event: str, context: DurableContext) -> Any:
    callback = context.create_callback(name=event, config=expiring(5))
    context.step(always("asked"))
    return callback.result()


@durable_execution
def success_during_wait(event: str, context: DurableContext) -> Any:
    callback = context.create_callback(name=event)
    context.wait(seconds(5))
    return callback.result()


@durable_execution
def failure_during_wait(event: str, context: DurableContext) -> Any:
    callback = context.create_callback(name=event)
    context.wait(seconds(5))
    return callback.result()


@durable_execution
def timeout_during_wait(event: str, context: DurableContext) -> Any:
    callback = context.create_callback(name=event, config=expiring(3))
    context.wait(seconds(6))
    return callback.result()


@durable_execution
def success_then_wait(event: str, context: DurableContext) -> Any:
    result = context.create_callback(name=event).result()
    context.wait(seconds(2))
    return result


@durable_execution
def failure_then_wait(event: str, context: DurableContext) -> Any:
    result = result_or_error(context, event)
    context.wait(seconds(2))
    return result


@durable_execution
def timeout_then_wait(event: str, context: DurableContext) -> Any:
    result = result_or_error(context, event, expiring(3))
    context.wait(seconds(2))
    return result


@durable_execution
def message_serdes(event: str, context: DurableContext) -> dict[str, Any]:
    return {"received": context.create_callback(name=event, config=CallbackConfig(serdes=MESSAGE)).result()}


@durable_execution
def number_serdes(event: str, context: DurableContext) -> dict[str, int]:
    count = context.create_callback(name=event, config=CallbackConfig(serdes=NUMBER)).result()
    return {"count": count, "doubled": count * 2}


@durable_execution
def two_in_turn(event: list[str], context: DurableContext) -> list[Any]:
    return [context.create_callback(name=name).result() for name in event]


@durable_execution
def two_at_once(event: list[str], context: DurableContext) -> list[Any]:
    first, second = [context.create_callback(name=name) for name in event]
    return [first.result(), second.result()]


@durable_execution
def two_at_once_reversed(event: list[str], context: DurableContext) -> list[Any]:
    first, second = [context.create_callback(name=name) for name in event]
    return [second.result(), first.result()]
