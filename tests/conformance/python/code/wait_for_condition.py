"""Suite `wait_for_condition`: one function for each requirement 6-x."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, WaitForConditionError, durable_execution
from aws_durable_execution_sdk_python.config import JitterStrategy
from aws_durable_execution_sdk_python.waits import WaitForConditionConfig, WaitStrategyConfig, create_wait_strategy

from common import TextSerDes, fail, seconds

TAGGED = TextSerDes(write="state:{}".format, read=lambda text: text.removeprefix("state:"))


def polling(initial: Any, until: Callable[[Any], bool], delay_seconds: int = 1, **options: Any) -> Any:
    """Return the configuration that polls from a state until another is reached."""
    strategy = WaitStrategyConfig(
        should_continue_polling=lambda state: not until(state),
        initial_delay=seconds(delay_seconds),
        backoff_rate=1,
        jitter_strategy=JitterStrategy.NONE,
        max_attempts=options.pop("max_attempts", 60),
    )
    return WaitForConditionConfig(wait_strategy=create_wait_strategy(strategy), initial_state=initial, **options)


def count(context: DurableContext, initial: int, threshold: int, name: str | None = None, **options: Any) -> int:
    """Count one up with each poll, until the threshold is reached."""
    config = polling(initial, lambda state: state >= threshold, **options)
    return context.wait_for_condition(lambda state, _: state + 1, config, name=name)


@durable_execution
def basic(event: int, context: DurableContext) -> int:
    return count(context, 0, event)


@durable_execution
def immediate(event: int, context: DurableContext) -> int:
    return context.wait_for_condition(lambda state, _: state, polling(event, lambda state: state >= event))


@durable_execution
def named(event: int, context: DurableContext) -> int:
    return count(context, 0, event, name="poll-status")


@durable_execution
def initial_state(event: int, context: DurableContext) -> int:
    return count(context, 5, event)


@durable_execution
def fixed_delay(event: int, context: DurableContext) -> int:
    return count(context, 0, event, delay_seconds=2)


@durable_execution
def attempts_exhausted(_event: Any, context: DurableContext) -> int:
    return count(context, 0, 1000, max_attempts=3)


@durable_execution
def check_fails(_event: Any, context: DurableContext) -> Any:
    return context.wait_for_condition(fail, polling(0, bool))


@durable_execution
def failure_caught(_event: Any, context: DurableContext) -> Any:
    try:
        return context.wait_for_condition(fail, polling(0, bool))
    except WaitForConditionError:
        return "recovered"


@durable_execution
def complex_object(_event: Any, context: DurableContext) -> dict[str, Any]:
    def check(state: dict[str, Any], _: Any) -> dict[str, Any]:
        polls = state["attempts"] + 1
        return {"status": "DONE" if polls == 2 else "PENDING", "attempts": polls}

    config = polling({"status": "PENDING", "attempts": 0}, lambda state: state["status"] == "DONE")
    return context.wait_for_condition(check, config)


@durable_execution
def null_state(_event: Any, context: DurableContext) -> None:
    return context.wait_for_condition(lambda *_: None, polling(None, lambda _: True))


@durable_execution
def custom_serdes(_event: Any, context: DurableContext) -> str:
    config = polling("", lambda state: len(state) == 2, serdes=TAGGED)
    return context.wait_for_condition(lambda state, _: state + "x", config)


@durable_execution
def then_step(event: int, context: DurableContext) -> int:
    state = count(context, 0, event)
    return context.step(lambda _: state * 10)


@durable_execution
def sequential(_event: Any, context: DurableContext) -> int:
    return count(context, count(context, 0, 2), 4)
