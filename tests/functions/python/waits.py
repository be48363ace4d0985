"""Waits: timers that end later, while nothing runs."""

from __future__ import annotations

from aws_durable_execution_sdk_python import DurableContext

from common import Event, case, seconds


@case
def wait(event: Event, context: DurableContext) -> str:
    context.wait(seconds(event["seconds"]), name="pause")
    return "rested"


@case
def step_wait_step(event: Event, context: DurableContext) -> list[str]:
    before = context.step(lambda _: "before", name="before")
    context.wait(seconds(event["seconds"]), name="pause")
    after = context.step(lambda _: "after", name="after")
    return [before, after]


@case
def two_waits(event: Event, context: DurableContext) -> str:
    def branch(length: int):
        return lambda child: child.wait(seconds(length), name=f"pause-{length}")

    context.parallel([branch(length) for length in event["seconds"]], name="both")
    return "rested twice"
