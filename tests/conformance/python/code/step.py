"""Suite `step`: one function for each requirement 1-x."""

from __future__ import annotations

import json
import os
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, StepContext, StepError, durable_execution
from aws_durable_execution_sdk_python.config import StepConfig, StepSemantics

from common import NO_RETRY, RetryStrategy, TextSerDes, always, attempts, fail, seconds

UPPER_CASE = TextSerDes(write=lambda value: json.dumps(value.upper()), read=json.loads)


class TransientError(Exception):
    """The error that a retry strategy may know."""


def fails_until(attempt: int, error: Exception, value: Any = None) -> Any:
    """Return a step that succeeds at this attempt and fails before it."""

    def body(step: StepContext) -> Any:
        if step.attempt < attempt:
            raise error
        return value

    return body


def crashes_until(attempt: int, event: str) -> Any:
    """Return a step that logs its input, and ends its process before this attempt."""

    def body(step: StepContext) -> str:
        step.logger.info("input: %s", event)
        if step.attempt < attempt:
            os._exit(1)
        return "succeeded on second attempt"

    return body


def at_most_once(strategy: RetryStrategy) -> StepConfig:
    """Return the configuration of a step that is not run again after a crash."""
    return StepConfig(retry_strategy=strategy, step_semantics=StepSemantics.AT_MOST_ONCE_PER_RETRY)


@durable_execution
def greeting(event: str, context: DurableContext) -> str:
    return context.step(always(f"Hello, {event}!"))


@durable_execution
def named(event: str, context: DurableContext) -> str:
    return context.step(always(f"Hello, {event}!"), name="custom_step_name")


@durable_execution
def sequential(_event: Any, context: DurableContext) -> str:
    first = context.step(always("first"))
    return context.step(always(f"{first}_second"))


@durable_execution
def complex_object(event: dict[str, Any], context: DurableContext) -> dict[str, Any]:
    return context.step(always({"user": event, "count": len(event["tags"])}))


@durable_execution
def null_result(_event: Any, context: DurableContext) -> None:
    return context.step(always(None))


@durable_execution
def custom_serdes(event: str, context: DurableContext) -> str:
    return context.step(always(event), config=StepConfig(serdes=UPPER_CASE))


@durable_execution
def logging(event: str, context: DurableContext) -> str:
    def body(step: StepContext) -> str:
        step.logger.info("Greeting step started for: %s", event)
        step.logger.info("Greeting step completed with: Hello, %s!", event)
        return f"Hello, {event}!"

    return context.step(body)


@durable_execution
def then_wait(_event: Any, context: DurableContext) -> str:
    value = context.step(always("computed"))
    context.wait(seconds(2))
    return value


@durable_execution
def replayed_success(_event: Any, context: DurableContext) -> str:
    def body(step: StepContext) -> str:
        step.logger.info("step executed")
        return "cached_value"

    value = context.step(body)
    context.wait(seconds(1))
    return value


@durable_execution
def replayed_failure(_event: Any, context: DurableContext) -> str:
    try:
        context.step(fail, config=NO_RETRY)
    except StepError as error:
        context.wait(seconds(1))
        return str(error)
    return "no error"


@durable_execution
def retried(_event: Any, context: DurableContext) -> str:
    body = fails_until(2, ValueError("not yet"), "Operation succeeded")
    return context.step(body, config=StepConfig(retry_strategy=attempts(2)))


@durable_execution
def retries_exhausted(_event: Any, context: DurableContext) -> None:
    context.step(fail, config=StepConfig(retry_strategy=attempts(4)))


@durable_execution
def default_retries(_event: Any, context: DurableContext) -> str:
    return context.step(fails_until(3, ValueError("not yet"), "third time lucky"))


@durable_execution
def backoff(_event: Any, context: DurableContext) -> str:
    strategy = attempts(5, delay_seconds=2, backoff_rate=3)
    return context.step(
        fails_until(3, ValueError("not yet"), "third time lucky"), config=StepConfig(retry_strategy=strategy)
    )


@durable_execution
def retryable_error(_event: Any, context: DurableContext) -> str:
    strategy = attempts(3, retryable_error_types=[TransientError])
    return context.step(fails_until(2, TransientError("busy"), "done"), config=StepConfig(retry_strategy=strategy))


@durable_execution
def error_not_retryable(_event: Any, context: DurableContext) -> str:
    strategy = attempts(3, retryable_error_types=[KeyError])
    return context.step(fails_until(2, TransientError("busy"), "done"), config=StepConfig(retry_strategy=strategy))


@durable_execution
def crash_not_retried(event: str, context: DurableContext) -> str:
    return context.step(crashes_until(2, event), name="at_most_once_flaky_step", config=at_most_once(attempts(1)))


@durable_execution
def crash_retried(event: str, context: DurableContext) -> str:
    return context.step(crashes_until(2, event), config=at_most_once(attempts(2)))


@durable_execution
def failure(_event: Any, context: DurableContext) -> None:
    context.step(fail, config=NO_RETRY)


@durable_execution
def failure_caught(_event: Any, context: DurableContext) -> str:
    try:
        return context.step(fail, config=NO_RETRY)
    except StepError:
        return context.step(always("fallback_result"))
