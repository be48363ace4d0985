"""Chained invokes: functions that call functions."""

from __future__ import annotations

from typing import Any

from aws_durable_execution_sdk_python import DurableContext

from common import Event, case, seconds


@case
def invoke(event: Event, context: DurableContext) -> Any:
    return context.invoke(event["target"], event["payload"], name="call")


@case
def invoke_caught(event: Event, context: DurableContext) -> str:
    try:
        context.invoke(event["target"], event["payload"], name="call")
    except Exception as error:
        return f"caught {error}"
    return "not caught"


@case
def target(event: Event, context: DurableContext) -> Any:
    """Be the target: sleep first, so that the caller is suspended when the result comes."""
    context.wait(seconds(2), name="pause")
    if "error" in event:
        raise ValueError(event["error"])
    return event["value"]


@case
def endless_target(_event: Event, context: DurableContext) -> None:
    context.wait(seconds(3600), name="pause")
