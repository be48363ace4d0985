"""Suite `plugin`: one function for each requirement 10-x, and the plugin that writes down what it is told."""

from __future__ import annotations

import json
from datetime import datetime
from enum import Enum
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, ParallelBranch, StepContext, durable_execution
from aws_durable_execution_sdk_python.config import ParallelConfig, StepConfig
from aws_durable_execution_sdk_python.plugin import (
    DurableInstrumentationPlugin,
    InvocationEndInfo,
    InvocationStartInfo,
    OperationChangeInfo,
    OperationEndInfo,
    OperationInfo,
    OperationStartInfo,
    OperationType,
    UserFunctionEndInfo,
    UserFunctionStartInfo,
)

from common import NO_RETRY, always, attempts, fail, seconds, step_of


class Recorder(DurableInstrumentationPlugin):
    """Writes a JSON line for each hook, with all that the hook was told.

    Each requirement looks at some of the fields; a few are asked for under two names.
    What is not there is left out of the line, or called `NONE` where a requirement wants that.
    """

    def __init__(self, name: str, info: InvocationStartInfo, *, say_none: bool) -> None:
        """Make the plugin of one invocation."""
        self.name = name
        self.arn = info.execution_arn
        self.absent = {"result": "NONE", "error": "NONE"} if say_none else {}

    def record(self, hook: str, **fields: Any) -> None:
        """Write one line."""
        present = {name: value for name, value in fields.items() if value is not None}
        line = {"plugin": self.name, "hook": hook, "durableExecutionArn": self.arn} | present
        print(json.dumps(line, default=_plain), flush=True)

    def on_invocation_start(self, info: InvocationStartInfo) -> None:
        """Record that an invocation begins, and which operations were completed from outside before it."""
        updated = info.updated_operations
        self.record("invocation-start", **_of_invocation(info), updatedOperationsCount=len(updated))
        for operation in updated.values():
            self.record("updated-on-invoke", **self._of_operation(operation), first=info.is_first_invocation)

    def on_invocation_end(self, info: InvocationEndInfo) -> None:
        """Record that an invocation ends."""
        self.record(
            "invocation-end",
            **_of_invocation(info),
            status=info.status,
            terminal=info.status.value in ("SUCCEEDED", "FAILED"),
            executionError=info.error and info.error.message,
        )

    def on_operation_start(self, info: OperationStartInfo) -> None:
        """Record that an operation begins."""
        self.record("operation-start", **self._of_operation(info))

    def on_operation_end(self, info: OperationEndInfo) -> None:
        """Record that an operation ends."""
        self.record("operation-end", **self._of_operation(info))

    def on_operation_change(self, info: OperationChangeInfo) -> None:
        """Record each operation that changed."""
        for operation in info.updated_operations.values():
            in_full_map = operation.operation_id in info.operations
            self.record(
                "operation-change",
                **self._of_operation(operation),
                in_full_map=in_full_map,
                inFullMap=in_full_map,
                executionArn=info.execution_arn,
                updatedOperationsCount=len(info.updated_operations),
                operationsCount=len(info.operations),
            )

    def on_user_function_start(self, info: UserFunctionStartInfo) -> None:
        """Record that an attempt of a step, or the function of a context, begins."""
        self.record(
            f"{_user_function(info)}-start",
            **self._of_operation(info),
            isReplayingChildren=info.is_replay_children,
        )

    def on_user_function_end(self, info: UserFunctionEndInfo) -> None:
        """Record that an attempt of a step, or the function of a context, ends."""
        self.record(
            f"{_user_function(info)}-end",
            **self._of_operation(info),
            isReplayingChildren=info.is_replay_children,
            outcome=info.outcome,
        )

    def _of_operation(self, info: OperationInfo) -> dict[str, Any]:
        present = {
            "name": info.name,
            "type": info.operation_type,
            "subType": info.sub_type,
            "parentId": info.parent_id,
            "status": info.status,
            "startTimestamp": info.start_time,
            "endTimestamp": info.end_time,
            "result": info.result,
            "error": info.error and info.error.message,
        }
        return self.absent | {
            "op": info.operation_id,
            "id": info.operation_id,
            "parent": info.parent_id or "NONE",
            "replay": info.is_replayed,
            "isReplay": info.is_replayed,
            "n": info.attempt,
            "attempt": info.attempt,
            **{name: value for name, value in present.items() if value is not None},
        }


class Faulty(Recorder):
    """Fails in each hook, after it wrote its line."""

    def record(self, hook: str, **fields: Any) -> None:
        """Write one line and fail."""
        super().record(hook, **fields)
        raise RuntimeError("a plugin must not disturb the execution")


class Plugin:
    """Makes the plugin of each invocation."""

    def __init__(self, name: str, kind: type[Recorder] = Recorder, *, say_none: bool = False) -> None:
        """Remember what to make."""
        self.name = name
        self.kind = kind
        self.say_none = say_none

    def create_plugin(self, info: InvocationStartInfo) -> Recorder:
        """Make it."""
        return self.kind(self.name, info, say_none=self.say_none)


recorded = durable_execution(plugins=[Plugin("CONFPLUGIN")])


def _of_invocation(info: InvocationStartInfo | InvocationEndInfo) -> dict[str, Any]:
    return {
        "first": info.is_first_invocation,
        "isFirstInvocation": info.is_first_invocation,
        "requestId": info.request_id,
        "operationsCount": len(info.operations),
        "executionStartTimestamp": info.execution_start_time,
    }


def _user_function(info: OperationInfo) -> str:
    return "fn" if info.operation_type is OperationType.CONTEXT else "attempt"


def _plain(value: Any) -> Any:
    match value:
        case Enum():
            return value.value
        case datetime():
            return value.isoformat()
    raise TypeError(f"`{type(value).__name__}` in a record")


def greet(event: str, context: DurableContext) -> str:
    """Greet by a step."""
    return context.step(always(f"Hello, {event}!"))


def flaky(value: str) -> Any:
    """Return a step that fails at its first attempt."""

    def body(step: StepContext) -> str:
        if step.attempt == 1:
            raise ValueError("not yet")
        return value

    return body


@recorded
def invocation_hooks(event: str, context: DurableContext) -> str:
    def body(step: StepContext) -> str:
        step.logger.info("Greeting step running for: %s", event)
        return f"Hello, {event}!"

    return context.step(body)


@recorded
def operation_hooks(event: str, context: DurableContext) -> str:
    return greet(event, context)


@recorded
def attempt_hooks(_event: Any, context: DurableContext) -> str:
    return context.step(flaky("Operation succeeded"), config=StepConfig(retry_strategy=attempts(2)))


@durable_execution(plugins=[Plugin("CONFPLUGIN-FAULTY", Faulty)])
def faulty(event: str, context: DurableContext) -> str:
    return greet(event, context)


@durable_execution(plugins=[Plugin("CONFPLUGIN-A"), Plugin("CONFPLUGIN-B")])
def several(event: str, context: DurableContext) -> str:
    return greet(event, context)


@recorded
def first_invocation(_event: Any, context: DurableContext) -> None:
    context.wait(seconds(2))


@recorded
def failed_invocation(_event: Any, context: DurableContext) -> None:
    context.step(fail, config=NO_RETRY)


@recorded
def operation_change(event: str, context: DurableContext) -> str:
    return greet(event, context)


@recorded
def updated_outside(_event: Any, context: DurableContext) -> None:
    context.wait(seconds(2))


@recorded
def wait_hooks(_event: Any, context: DurableContext) -> None:
    context.wait(seconds(2))


@recorded
def parents(event: str, context: DurableContext) -> str:
    return context.run_in_child_context(step_of(f"Hello, {event}!"))


@recorded
def branch_hooks(_event: Any, context: DurableContext) -> list[str]:
    branches = [always("task-1"), always("task-2")]
    return context.parallel(branches, name="parallel", config=ParallelConfig(max_concurrency=1)).get_results()


@recorded
def replayed_step(_event: Any, context: DurableContext) -> str:
    context.step(always("step A"))
    return context.step(flaky("Operation succeeded"), config=StepConfig(retry_strategy=attempts(2)))


@durable_execution(plugins=[Plugin("CONFPLUGIN", say_none=True)])
def results_and_errors(_event: Any, context: DurableContext) -> None:
    def boom(_: StepContext) -> None:
        raise ValueError("boom")

    context.step(always("task-a"))
    context.step(boom, config=NO_RETRY)


@recorded
def attempts_exhausted(_event: Any, context: DurableContext) -> None:
    context.step(fail, config=StepConfig(retry_strategy=attempts(2)))


@recorded
def suspended_invocation(_event: Any, context: DurableContext) -> None:
    context.wait(seconds(2))


@durable_execution(plugins=[Plugin("CONFPLUGIN-FAULTY", Faulty), Plugin("CONFPLUGIN-HEALTHY")])
def faulty_and_healthy(event: str, context: DurableContext) -> str:
    return greet(event, context)


@recorded
def replayed_wait(_event: Any, context: DurableContext) -> list[str]:
    def waiting(name: str, duration_seconds: int) -> Any:
        def body(branch: DurableContext) -> str:
            branch.wait(seconds(duration_seconds), name=name)
            return f"{name}-done"

        return body

    branches = [waiting("short", 2), waiting("long", 8)]
    return context.parallel(branches, name="waits", config=ParallelConfig(max_concurrency=2)).get_results()


@recorded
def invocation_fields(event: str, context: DurableContext) -> str:
    context.wait(seconds(2))
    return f"done-{event}"


@recorded
def operation_fields(_event: Any, context: DurableContext) -> str:
    return context.step(always("task-a"), name="greet")


@recorded
def attempt_fields(_event: Any, context: DurableContext) -> str:
    return context.step(flaky("ok"), name="flaky", config=StepConfig(retry_strategy=attempts(2)))


@recorded
def change_fields(_event: Any, context: DurableContext) -> str:
    return context.step(always("task-a"), name="greet")


@recorded
def context_fields(_event: Any, context: DurableContext) -> list[str]:
    def waiting(branch: DurableContext) -> str:
        branch.step(always("x"), name="inner")
        branch.wait(seconds(2))
        return "a-done"

    branches = [ParallelBranch(waiting, name="branch-a"), ParallelBranch(always("b-done"), name="branch-b")]
    return context.parallel(branches, name="ctx", config=ParallelConfig(max_concurrency=1)).get_results()
