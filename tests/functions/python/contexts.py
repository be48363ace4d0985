"""Child contexts, map and parallel."""

from __future__ import annotations

from typing import Any

from aws_durable_execution_sdk_python import DurableContext
from aws_durable_execution_sdk_python.config import (
    ChildConfig,
    CompletionConfig,
    MapConfig,
    ParallelConfig,
)

from common import Event, case, seconds


def _letter(letter: str):
    return lambda context: context.step(lambda _: letter, name=f"step-{letter}")


@case
def child(_event: Event, context: DurableContext) -> str:
    return context.run_in_child_context(_letter("a"), name="outer")


@case
def child_nested(_event: Event, context: DurableContext) -> str:
    def outer(one: DurableContext) -> str:
        return one.run_in_child_context(_letter("a"), name="inner") + "b"

    return context.run_in_child_context(outer, name="outer")


@case
def child_fails(_event: Event, context: DurableContext) -> Any:
    def body(_: DurableContext) -> None:
        raise ValueError("child broke")

    return context.run_in_child_context(body, name="outer")


@case
def child_virtual(_event: Event, context: DurableContext) -> str:
    return context.run_in_child_context(lambda _: "unrecorded", name="outer", config=ChildConfig(is_virtual=True))


@case
def map_items(event: Event, context: DurableContext) -> list[Any]:
    def double(child: DurableContext, item: int, index: int, _items: Any) -> int:
        return child.step(lambda _: item * 2, name=f"double-{index}")

    return context.map(event["items"], double, name="doubles", config=MapConfig(max_concurrency=1)).get_results()


@case
def parallel(event: Event, context: DurableContext) -> list[Any]:
    def second(child: DurableContext) -> str:
        child.wait(seconds(event["seconds"]), name="pause")
        return "b1"

    def first(child: DurableContext) -> str:
        return child.step(lambda _: "b0", name="work")

    config = ParallelConfig(max_concurrency=1)
    return context.parallel([first, second], name="both", config=config).get_results()


@case
def parallel_tolerant(_event: Event, context: DurableContext) -> list[int]:
    def broken(_: DurableContext) -> str:
        raise ValueError("branch broke")

    result = context.parallel(
        [broken, _letter("a")],
        name="both",
        config=ParallelConfig(max_concurrency=1, completion_config=CompletionConfig(tolerated_failure_count=1)),
    )
    return [result.success_count, result.failure_count]
