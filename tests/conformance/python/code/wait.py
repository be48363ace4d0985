"""Suite `wait`: one function for each requirement 2-x."""

from __future__ import annotations

from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

from common import seconds


@durable_execution
def basic(_event: Any, context: DurableContext) -> None:
    context.wait(seconds(2))


@durable_execution
def named(_event: Any, context: DurableContext) -> None:
    context.wait(seconds(2), name="custom_wait_name")


@durable_execution
def sequential(_event: Any, context: DurableContext) -> dict[str, int]:
    names = ("wait-1", "wait-2")
    for name in names:
        context.wait(seconds(2), name=name)
    return {"completedWaits": len(names)}


@durable_execution
def minutes(_event: Any, context: DurableContext) -> None:
    context.wait(Duration.from_minutes(1))


@durable_execution
def hours(_event: Any, context: DurableContext) -> None:
    context.wait(Duration.from_hours(1))
