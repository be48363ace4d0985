"""Suite `parallel`: one function for each requirement 8-x."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from aws_durable_execution_sdk_python import BatchResult, DurableContext, ParallelBranch, durable_execution
from aws_durable_execution_sdk_python.config import CompletionConfig, NestingType, ParallelConfig

from common import COUNTS, OUTCOME, TextSerDes, always, facts, fail, seconds, step_of

WRAPPED = TextSerDes(write=lambda value: json.dumps({"wrapped": value}), read=lambda text: json.loads(text)["wrapped"])

Branch = Callable[[DurableContext], Any] | ParallelBranch[Any]


def run(
    context: DurableContext,
    branches: Sequence[Branch],
    name: str | None = None,
    completion: CompletionConfig | None = None,
    **options: Any,
) -> BatchResult[Any]:
    """Run branches, one after the other unless told otherwise."""
    options = {"max_concurrency": 1} | options
    if completion is not None:
        options["completion_config"] = completion
    return context.parallel(branches, name=name, config=ParallelConfig(**options))


@durable_execution
def basic(_event: Any, context: DurableContext) -> list[Any]:
    return run(context, [step_of("task-1"), step_of("task-2")], "parallel").get_results()


@durable_execution
def unnamed(_event: Any, context: DurableContext) -> list[Any]:
    return run(context, [always("alpha"), always("beta")]).get_results()


@durable_execution
def named_branches(_event: Any, context: DurableContext) -> list[Any]:
    branches = [ParallelBranch(always("one"), name="first"), ParallelBranch(always("two"), name="second")]
    return run(context, branches, "named").get_results()


@durable_execution
def mixed_types(_event: Any, context: DurableContext) -> list[Any]:
    return run(context, [always("hello"), always(42), always({"k": "v"})], "hetero").get_results()


@durable_execution
def empty(_event: Any, context: DurableContext) -> list[Any]:
    return run(context, [], "empty").get_results()


@durable_execution
def fail_fast(_event: Any, context: DurableContext) -> dict[str, Any]:
    completion = CompletionConfig(tolerated_failure_count=0)
    return facts(run(context, [always("ok"), fail, always("never")], "failfast", completion), OUTCOME)


@durable_execution
def rethrow(_event: Any, context: DurableContext) -> None:
    completion = CompletionConfig(tolerated_failure_count=0)
    run(context, [fail, always("never")], "throwing", completion).throw_if_error()


@durable_execution
def min_successful(_event: Any, context: DurableContext) -> dict[str, Any]:
    branches = [always(f"r{index}") for index in range(4)]
    result = run(context, branches, "min-successful", CompletionConfig(min_successful=2))
    return facts(result, ("completionReason", "successCount", "totalCount"))


@durable_execution
def failure_tolerated(_event: Any, context: DurableContext) -> dict[str, Any]:
    completion = CompletionConfig(tolerated_failure_count=1)
    return facts(run(context, [always("ok"), fail, always("ok")], "tolerated", completion), OUTCOME)


@durable_execution
def tolerance_exceeded(_event: Any, context: DurableContext) -> dict[str, Any]:
    completion = CompletionConfig(tolerated_failure_count=1)
    return facts(run(context, [fail, fail, always("never")], "tolerated-exceeded", completion), COUNTS)


@durable_execution
def concurrent(_event: Any, context: DurableContext) -> list[Any]:
    branches = [always(f"r{index}") for index in range(3)]
    return run(context, branches, "concurrent", max_concurrency=2).get_results()


@durable_execution
def flat(_event: Any, context: DurableContext) -> list[Any]:
    return run(context, [step_of("fa"), step_of("fb")], "flat", nesting_type=NestingType.FLAT).get_results()


@durable_execution
def percentage_exceeded(_event: Any, context: DurableContext) -> dict[str, Any]:
    completion = CompletionConfig(tolerated_failure_percentage=25)
    branches = [fail, fail, always("never"), always("never")]
    return facts(run(context, branches, "tolerated-pct", completion), COUNTS)


@durable_execution
def branch_waits(_event: Any, context: DurableContext) -> list[Any]:
    def waiting(branch: DurableContext) -> str:
        branch.wait(seconds(2))
        return "b1"

    return run(context, [step_of("b0"), waiting], "suspending").get_results()


@durable_execution
def item_serdes(_event: Any, context: DurableContext) -> list[Any]:
    return run(context, [always("x"), always("y")], "serde", item_serdes=WRAPPED).get_results()


@durable_execution
def all_fail(_event: Any, context: DurableContext) -> dict[str, Any]:
    completion = CompletionConfig(tolerated_failure_count=3)
    return facts(run(context, [fail, fail, fail], "all-fail", completion), OUTCOME)


@durable_execution
def min_not_reached(_event: Any, context: DurableContext) -> dict[str, Any]:
    completion = CompletionConfig(min_successful=3)
    return facts(run(context, [always("ok"), fail, always("ok")], "min-not-reached", completion), OUTCOME)


@durable_execution
def both_criteria(_event: Any, context: DurableContext) -> dict[str, Any]:
    completion = CompletionConfig(min_successful=3, tolerated_failure_count=1)
    branches = [fail, fail, always("never"), always("never")]
    return facts(run(context, branches, "combined", completion), COUNTS)


@durable_execution
def bad_concurrency(_event: Any, context: DurableContext) -> None:
    run(context, [always("a"), always("b")], "bad-concurrency", max_concurrency=0)


@durable_execution
def accessors(_event: Any, context: DurableContext) -> dict[str, Any]:
    completion = CompletionConfig(tolerated_failure_count=1)
    result = run(context, [always("ok"), fail, always("ok")], "accessors", completion)
    return {
        "hasFailure": result.has_failure,
        "successCount": len(result.succeeded()),
        "failureCount": len(result.failed()),
        "errorCount": len(result.get_errors()),
    }


@durable_execution
def nested(_event: Any, context: DurableContext) -> list[Any]:
    def outer(branch: DurableContext) -> list[Any]:
        return run(branch, [step_of("i1"), step_of("i2")], "inner").get_results()

    return run(context, [outer], "outer").get_results()


@durable_execution
def percentage_reached(_event: Any, context: DurableContext) -> dict[str, Any]:
    completion = CompletionConfig(tolerated_failure_percentage=25)
    branches = [fail, always("ok"), always("ok"), always("ok")]
    return facts(run(context, branches, "pct-boundary", completion), OUTCOME)
