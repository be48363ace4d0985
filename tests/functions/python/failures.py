"""Handlers that do nothing, fail, crash, hang or change their mind."""

from __future__ import annotations

import os
import time
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, InvocationError

from common import Event, case, first_time, note, seconds


@case
def nothing(_event: Event, _context: DurableContext) -> str:
    return "done"


@case
def handler_fails(_event: Event, _context: DurableContext) -> Any:
    raise ValueError("handler broke")


@case
def nondeterministic(event: Event, context: DurableContext) -> str:
    if first_time(event, "ran"):
        context.wait(seconds(event["seconds"]), name="pause")
    return context.step(lambda _: "other", name="other")


@case
def invocation_error_once(event: Event, _context: DurableContext) -> str:
    if first_time(event, "ran"):
        raise InvocationError("try again")
    return "recovered"


@case
def hang_once(event: Event, _context: DurableContext) -> str:
    if first_time(event, "ran"):
        time.sleep(60)
    return "woke"


@case
def crash_always(event: Event, _context: DurableContext) -> Any:
    note(event, "runs", "crash")
    os._exit(1)
