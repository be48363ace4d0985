"""Steps: success, retry, semantics, crashes."""

from __future__ import annotations

import os
from typing import Any

from aws_durable_execution_sdk_python import DurableContext
from aws_durable_execution_sdk_python.config import StepConfig, StepSemantics

from common import Event, attempts, block_until, case, first_time, note


@case
def step(event: Event, context: DurableContext) -> str:
    return context.step(lambda _: f"Hello, {event['name']}!", name="greet")


@case
def step_echo(event: Event, context: DurableContext) -> Any:
    return context.step(lambda _: event["value"], name="echo")


@case
def step_retry(event: Event, context: DurableContext) -> str:
    def body(_: Any) -> str:
        if first_time(event, "tried"):
            raise ValueError("not yet")
        return "second"

    return context.step(body, name="flaky", config=StepConfig(retry_strategy=attempts(2)))


def _never(_: Any) -> str:
    raise ValueError("never")


@case
def step_retry_exhausted(_event: Event, context: DurableContext) -> str:
    return context.step(_never, name="hopeless", config=StepConfig(retry_strategy=attempts(2)))


@case
def step_fails(_event: Event, context: DurableContext) -> str:
    return context.step(_never, name="hopeless", config=StepConfig(retry_strategy=attempts(1)))


@case
def step_failure_caught(_event: Event, context: DurableContext) -> str:
    try:
        context.step(_never, name="hopeless", config=StepConfig(retry_strategy=attempts(1)))
    except Exception as error:
        return f"caught {error}"
    return "not caught"


@case
def step_at_most_once(_event: Event, context: DurableContext) -> str:
    return context.step(
        lambda _: "once",
        name="careful",
        config=StepConfig(step_semantics=StepSemantics.AT_MOST_ONCE_PER_RETRY),
    )


def _crashing(event: Event, context: DurableContext, tries: int) -> str:
    def body(_: Any) -> str:
        if first_time(event, "crashed"):
            os._exit(1)
        return "succeeded on second attempt"

    return context.step(
        body,
        name="crashing",
        config=StepConfig(retry_strategy=attempts(tries), step_semantics=StepSemantics.AT_MOST_ONCE_PER_RETRY),
    )


@case
def step_crash_retried(event: Event, context: DurableContext) -> str:
    return _crashing(event, context, 2)


@case
def step_crash_not_retried(event: Event, context: DurableContext) -> str:
    return _crashing(event, context, 1)


@case
def crash_between_steps(event: Event, context: DurableContext) -> list[str]:
    first = context.step(lambda _: note(event, "runs", "first") or "first", name="first")
    if first_time(event, "crashed"):
        os._exit(1)
    second = context.step(lambda _: note(event, "runs", "second") or "second", name="second")
    return [first, second]


@case
def blocked_step(event: Event, context: DurableContext) -> list[str]:
    """Stay in the second step until the test says otherwise."""

    def body(_: Any) -> str:
        note(event, "runs", "second")
        block_until(event, "proceed")
        return "second"

    first = context.step(lambda _: note(event, "runs", "first") or "first", name="first")
    return [first, context.step(body, name="second")]


@case
def many_steps(event: Event, context: DurableContext) -> int:
    return sum(context.step(lambda _, n=n: n, name=f"step-{n}") for n in range(event["count"]))


@case
def ten_steps(_event: Event, context: DurableContext) -> Any:
    """Take steps that do nothing, so that what remains is the SDK and the server."""
    return sum(context.step(lambda _, number=number: number, name=f"step-{number}") for number in range(1, 11))
