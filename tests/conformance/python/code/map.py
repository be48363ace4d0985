"""Suite `map`: one function for each requirement 9-x."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from aws_durable_execution_sdk_python import BatchItemStatus, BatchResult, DurableContext, durable_execution
from aws_durable_execution_sdk_python.concurrency.models import BatchItem, CompletionReason
from aws_durable_execution_sdk_python.config import CompletionConfig, MapConfig, NestingType
from aws_durable_execution_sdk_python.serdes import JsonSerDes

from common import COUNTS, OUTCOME, TextSerDes, always, facts, fail, seconds

ITEM = TextSerDes(write="wrapped:{}".format, read=lambda text: text.removeprefix("wrapped:"))


def joined(result: BatchResult[str]) -> str:
    """Write the results of a whole operation."""
    return "OPSERDE:" + ",".join(result.get_results())


def split(text: str) -> BatchResult[str]:
    """Read the results of a whole operation."""
    results = text.removeprefix("OPSERDE:").split(",")
    items = [BatchItem(index, BatchItemStatus.SUCCEEDED, result) for index, result in enumerate(results)]
    return BatchResult(items, CompletionReason.ALL_COMPLETED)


# The whole result has a serializer of its own; the items keep the usual one.
OPERATION_SERDES = {"serdes": TextSerDes(write=joined, read=split), "item_serdes": JsonSerDes()}


def run(
    context: DurableContext,
    items: Sequence[Any],
    function: Callable[[DurableContext, Any, int], Any],
    name: str | None = None,
    completion: CompletionConfig | None = None,
    **options: Any,
) -> BatchResult[Any]:
    """Map items, one after the other unless told otherwise."""
    options = {"max_concurrency": 1} | options
    if completion is not None:
        options["completion_config"] = completion

    def body(child: DurableContext, item: Any, index: int, _items: Sequence[Any]) -> Any:
        return function(child, item, index)

    return context.map(items, body, name=name, config=MapConfig(**options))


def outcome(_context: DurableContext, item: str, _index: int) -> str:
    """Fail for the item `fail`, return every other."""
    return fail() if item == "fail" else item


def upper(_context: DurableContext, item: str, _index: int) -> str:
    """Return the item in upper case."""
    return item.upper()


@durable_execution
def basic(event: list[str], context: DurableContext) -> list[str]:
    return run(context, event, lambda child, item, _: child.step(always(f"Hello, {item}!")), "map").get_results()


@durable_execution
def unnamed(event: list[int], context: DurableContext) -> list[int]:
    return run(context, event, lambda _child, item, _index: item * 2).get_results()


@durable_execution
def item_and_index(event: list[int], context: DurableContext) -> list[int]:
    return run(context, event, lambda _child, item, index: item + index, "indexed").get_results()


@durable_execution
def empty(event: list[Any], context: DurableContext) -> list[Any]:
    return run(context, event, upper, "empty").get_results()


@durable_execution
def fail_fast(_event: Any, context: DurableContext) -> dict[str, Any]:
    completion = CompletionConfig(tolerated_failure_count=0)
    return facts(run(context, ["ok", "fail", "never"], outcome, "failfast", completion), OUTCOME)


@durable_execution
def rethrow(_event: Any, context: DurableContext) -> None:
    completion = CompletionConfig(tolerated_failure_count=0)
    run(context, ["fail", "never"], outcome, "throwing", completion).throw_if_error()


@durable_execution
def min_successful(_event: Any, context: DurableContext) -> dict[str, Any]:
    result = run(context, ["a", "b", "c", "d"], outcome, "min-successful", CompletionConfig(min_successful=2))
    return facts(result, ("completionReason", "successCount", "totalCount"))


@durable_execution
def failure_tolerated(_event: Any, context: DurableContext) -> dict[str, Any]:
    completion = CompletionConfig(tolerated_failure_count=1)
    return facts(run(context, ["ok", "fail", "ok"], outcome, "tolerated", completion), OUTCOME)


@durable_execution
def tolerance_exceeded(_event: Any, context: DurableContext) -> dict[str, Any]:
    completion = CompletionConfig(tolerated_failure_count=1)
    return facts(run(context, ["fail", "fail", "never"], outcome, "tolerated-exceeded", completion), COUNTS)


@durable_execution
def percentage_exceeded(_event: Any, context: DurableContext) -> dict[str, Any]:
    completion = CompletionConfig(tolerated_failure_percentage=25)
    return facts(run(context, ["fail", "fail", "never", "never"], outcome, "tolerated-pct", completion), COUNTS)


@durable_execution
def concurrent(_event: Any, context: DurableContext) -> list[str]:
    return run(context, ["r0", "r1", "r2"], outcome, "concurrent", max_concurrency=2).get_results()


@durable_execution
def flat(_event: Any, context: DurableContext) -> list[str]:
    def step(child: DurableContext, item: str, _index: int) -> str:
        return child.step(always(item))

    return run(context, ["fa", "fb"], step, "flat", nesting_type=NestingType.FLAT).get_results()


@durable_execution
def item_names(event: list[int], context: DurableContext) -> list[int]:
    result = run(
        context,
        event,
        lambda _child, item, _index: item * 10,
        "named-items",
        item_namer=lambda item, _index: f"item-{item}",
    )
    return result.get_results()


@durable_execution
def item_serdes(_event: Any, context: DurableContext) -> list[str]:
    return run(context, ["x", "y"], upper, "item-serdes", item_serdes=ITEM).get_results()


@durable_execution
def item_waits(_event: Any, context: DurableContext) -> list[str]:
    def body(child: DurableContext, item: str, index: int) -> str:
        if index == 1:
            child.wait(seconds(1))
        return child.step(always(item))

    return run(context, ["r0", "r1"], body, "suspending").get_results()


@durable_execution
def large_result(_event: Any, context: DurableContext) -> dict[str, Any]:
    result = run(context, range(4), lambda *_: "x" * 70 * 1024, "large")
    return facts(result, ("successCount", "totalCount"))


@durable_execution
def then_wait(_event: Any, context: DurableContext) -> list[str]:
    result = run(context, ["a", "b"], upper, "map")
    context.wait(seconds(1))
    return result.get_results()


@durable_execution
def failure_then_wait(_event: Any, context: DurableContext) -> dict[str, Any]:
    result = run(context, ["ok", "fail"], outcome, "tolerated", CompletionConfig(tolerated_failure_count=1))
    context.wait(seconds(1))
    return facts(result, OUTCOME)


@durable_execution
def operation_serdes(_event: Any, context: DurableContext) -> list[str]:
    return run(context, ["x", "y"], upper, "op-serde", **OPERATION_SERDES).get_results()


@durable_execution
def operation_serdes_replayed(_event: Any, context: DurableContext) -> list[str]:
    result = run(context, ["x", "y"], upper, "op-serde-replay", **OPERATION_SERDES)
    context.wait(seconds(1))
    return result.get_results()
