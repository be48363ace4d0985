"""The workflows that the chaos program runs while it kills the server.

Each step writes `start STEP NANOSECONDS PROCESS` when its body begins; after `context.step` has returned, which is
after the checkpoint was acknowledged, the handler writes `acknowledged STEP NANOSECONDS PROCESS`.
"""

from __future__ import annotations

import os
import time
from typing import Any

from aws_durable_execution_sdk_python import DurableContext
from aws_durable_execution_sdk_python.config import ParallelConfig

from common import Event, case, note, seconds


def _record(event: Event, what: str, name: str) -> None:
    note(event, event["name"], f"{what} {name} {time.time_ns()} {os.getpid()}")


def _step(event: Event, context: DurableContext, name: str) -> str:
    def body(_: Any) -> str:
        _record(event, "start", name)
        time.sleep(event["work"])
        return f"{event['name']}/{name}"

    result = context.step(body, name=name)
    _record(event, "acknowledged", name)
    return result


@case
def chaos_steps(event: Event, context: DurableContext) -> list[Any]:
    return [_step(event, context, f"step-{n}") for n in range(event["count"])]


@case
def chaos_waits(event: Event, context: DurableContext) -> list[Any]:
    results = []
    for n in range(event["count"]):
        results.append(_step(event, context, f"step-{n}"))
        context.wait(seconds(1), name=f"wait-{n}")
    return results


@case
def chaos_callback(event: Event, context: DurableContext) -> list[Any]:
    before = _step(event, context, "before")
    answer = context.wait_for_callback(lambda id_, _: note(event, "callbacks", f"{event['name']} {id_}"), name="answer")
    return [before, answer, _step(event, context, "after")]


@case
def chaos_invoke(event: Event, context: DurableContext) -> list[Any]:
    before = _step(event, context, "before")
    called = context.invoke(event["target"], event["payload"], name="call")
    return [before, called, _step(event, context, "after")]


@case
def chaos_target(event: Event, context: DurableContext) -> Any:
    context.wait(seconds(1), name="pause")
    return context.step(lambda _: event["value"], name="value")


@case
def chaos_parallel(event: Event, context: DurableContext) -> list[Any]:
    def branch(n: int):
        def body(child: DurableContext) -> str:
            result = _step(event, child, f"branch-{n}")
            child.wait(seconds(1 + n), name=f"wait-{n}")
            return result

        return body

    config = ParallelConfig(max_concurrency=2)
    return context.parallel([branch(n) for n in range(3)], name="all", config=config).get_results()
