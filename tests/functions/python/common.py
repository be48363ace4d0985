"""What the handlers share: retry strategies and facts that outlive a process."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from aws_durable_execution_sdk_python import DurableContext
from aws_durable_execution_sdk_python.config import Duration
from aws_durable_execution_sdk_python.retries import RetryDecision

Event = dict[str, Any]
Case = Callable[[Event, DurableContext], Any]

CASES: dict[str, Case] = {}


def case(function: Case) -> Case:
    """Register a function as the case of its name."""
    CASES[function.__name__] = function
    return function


def seconds(value: int) -> Duration:
    """Return a duration of whole seconds."""
    return Duration.from_seconds(value)


def attempts(count: int) -> Callable[[Exception, int], RetryDecision]:
    """Return a strategy that tries so many times, one second apart."""

    def strategy(_error: Exception, attempt: int) -> RetryDecision:
        return RetryDecision.retry(seconds(1)) if attempt < count else RetryDecision.no_retry()

    return strategy


def first_time(event: Event, what: str) -> bool:
    """Say whether this is the first call for `what`, across processes and invocations."""
    try:
        os.close(os.open(os.path.join(event["directory"], what), os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return False
    return True


def note(event: Event, file: str, line: str) -> None:
    """Append one line to a file of the test, in one write."""
    descriptor = os.open(os.path.join(event["directory"], file), os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    os.write(descriptor, (line + "\n").encode())
    os.close(descriptor)


def block_until(event: Event, file: str) -> None:
    """Wait until the test has made a file."""
    while not os.path.exists(os.path.join(event["directory"], file)):
        time.sleep(0.02)
