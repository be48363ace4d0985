"""What the handlers share: durations, retries, serializers, and errors to fail with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from aws_durable_execution_sdk_python import DurableContext
from aws_durable_execution_sdk_python.concurrency.models import BatchResult
from aws_durable_execution_sdk_python.config import Duration, JitterStrategy, StepConfig
from aws_durable_execution_sdk_python.retries import RetryDecision, RetryStrategyConfig, create_retry_strategy
from aws_durable_execution_sdk_python.serdes import SerDes, SerDesContext

RetryStrategy = Callable[[Exception, int], RetryDecision]


def seconds(value: int) -> Duration:
    """Return a duration of whole seconds."""
    return Duration.from_seconds(value)


def attempts(count: int, delay_seconds: int = 1, backoff_rate: float = 1, **filters: Any) -> RetryStrategy:
    """Return a strategy that tries so many times, without jitter."""
    return create_retry_strategy(
        RetryStrategyConfig(
            max_attempts=count,
            initial_delay=seconds(delay_seconds),
            backoff_rate=backoff_rate,
            jitter_strategy=JitterStrategy.NONE,
            **filters,
        )
    )


NO_RETRY = StepConfig(retry_strategy=attempts(1))


def fail(*_: Any) -> NoReturn:
    """Fail, as a step, a branch, an item, a submitter or a check."""
    raise ValueError("this always fails")


def always(value: Any) -> Callable[..., Any]:
    """Return what gives one value as a step, a branch or an item."""
    return lambda *_: value


def step_of(value: Any) -> Callable[[DurableContext], Any]:
    """Return what gives one value by a step, as the body of a child context or a branch."""
    return lambda context: context.step(always(value))


@dataclass(frozen=True)
class TextSerDes(SerDes[Any]):
    """Writes and reads values with two functions."""

    write: Callable[[Any], str]
    read: Callable[[str], Any]

    def serialize(self, value: Any, _: SerDesContext) -> str:
        """Return the text of a value."""
        return self.write(value)

    def deserialize(self, data: str, _: SerDesContext) -> Any:
        """Return the value of a text."""
        return self.read(data)


_FACTS: dict[str, Callable[[BatchResult[Any]], Any]] = {
    "completionReason": lambda result: result.completion_reason.value,
    "status": lambda result: result.status.value,
    "successCount": lambda result: result.success_count,
    "failureCount": lambda result: result.failure_count,
    "totalCount": lambda result: result.total_count,
}

COUNTS = ("completionReason", "successCount", "failureCount", "totalCount")
OUTCOME = tuple(_FACTS)


def facts(result: BatchResult[Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return what a map or parallel operation says about itself."""
    return {name: _FACTS[name](result) for name in names}
