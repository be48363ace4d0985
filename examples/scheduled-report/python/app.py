"""Writes a report every day for as long as it is told to: each day it starts an export, polls it, and sleeps."""

from aws_durable_execution_sdk_python import DurableContext, StepContext, durable_execution, durable_step
from aws_durable_execution_sdk_python.config import Duration
from aws_durable_execution_sdk_python.types import WaitForConditionCheckContext
from aws_durable_execution_sdk_python.waits import WaitForConditionConfig, WaitStrategyConfig, create_wait_strategy

POLLS_OF_AN_EXPORT = 3

UNTIL_READY = create_wait_strategy(
    WaitStrategyConfig(lambda export: not export["ready"], initial_delay=Duration.from_minutes(1))
)


@durable_execution
def handler(event: dict, context: DurableContext) -> list[str]:
    """Write a report on each of so many `days`."""
    reports = []
    for day in range(event["days"]):
        reports.append(context.run_in_child_context(lambda child, day=day: report(child, day), name=f"day-{day}"))
        context.wait(Duration.from_days(1), name=f"night-{day}")
    return reports


def report(context: DurableContext, day: int) -> str:
    """Write the report of a day."""
    export = context.step(start_export(day))
    polling = WaitForConditionConfig(wait_strategy=UNTIL_READY, initial_state=export)
    export = context.wait_for_condition(look_at_export, polling, name="export")
    return context.step(lambda _: f"day {day}: ready after {export['polls']} polls", name="write")


@durable_step
def start_export(_: StepContext, day: int) -> dict:
    """Start the export of a day. A real one would call a warehouse."""
    return {"day": day, "polls": 0, "ready": False}


def look_at_export(export: dict, _: WaitForConditionCheckContext) -> dict:
    """Look how far the export is."""
    polls = export["polls"] + 1
    return export | {"polls": polls, "ready": polls >= POLLS_OF_AN_EXPORT}
