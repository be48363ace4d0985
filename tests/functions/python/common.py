"""What the handlers share: retry strategies and facts that outlive a process."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
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
    return put(event["board"], what, b"")


def note(event: Event, file: str, line: str) -> None:
    """Append one line to a file of the test, in one write."""
    _request("POST", f"{event['board']}/{file}", (line + "\n").encode())


def block_until(event: Event, file: str) -> None:
    """Wait until the test has made a file."""
    while get(event["board"], file) is None:
        time.sleep(0.02)


def put(board: str, file: str, body: bytes) -> bool:
    """Make a file of the test; return whether it was not there before."""
    return _request("PUT", f"{board}/{file}", body)[0] == 201


def get(board: str, file: str) -> bytes | None:
    """Return a file of the test, or None if there is none."""
    status, body = _request("GET", f"{board}/{file}")
    return body if status == 200 else None


def _request(method: str, url: str, body: bytes | None = None) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, method=method)) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, b""
