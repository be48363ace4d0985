"""Suite `invoke`: one function for each requirement 5-x, and the functions that they call."""

from __future__ import annotations

import json
import os
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, InvokeError, durable_execution
from aws_durable_execution_sdk_python.config import InvokeConfig

from common import TextSerDes, always, seconds

TARGET = os.environ.get("TARGET", "")
UPPER_CASE = TextSerDes(write=lambda value: json.dumps(value).upper(), read=str.upper)


@durable_execution
def target_echo(event: Any, context: DurableContext) -> Any:
    context.wait(seconds(1))  # the caller is suspended by then
    return event


@durable_execution
def target_error(_event: Any, context: DurableContext) -> None:
    context.wait(seconds(1))
    raise ValueError("the target fails")


@durable_execution
def basic(event: Any, context: DurableContext) -> Any:
    return context.invoke(TARGET, event)


@durable_execution
def named(event: dict[str, Any], context: DurableContext) -> Any:
    return context.invoke(TARGET, event["payload"], name=event["name"])


@durable_execution
def complex_object(event: dict[str, Any], context: DurableContext) -> Any:
    return context.invoke(TARGET, event)


@durable_execution
def null_result(_event: Any, context: DurableContext) -> None:
    return context.invoke(TARGET, None)


@durable_execution
def failure(event: Any, context: DurableContext) -> Any:
    return context.invoke(TARGET, event)


@durable_execution
def failure_caught(event: Any, context: DurableContext) -> Any:
    try:
        return context.invoke(TARGET, event)
    except InvokeError:
        return "fallback"


@durable_execution
def large_payload(_event: Any, context: DurableContext) -> int:
    return len(context.invoke(TARGET, "x" * 200 * 1024))


@durable_execution
def tenant(event: dict[str, Any], context: DurableContext) -> Any:
    return context.invoke(TARGET, event["payload"], config=InvokeConfig(tenant_id=event["tenantId"]))


@durable_execution
def replayed_success(_event: Any, context: DurableContext) -> Any:
    result = context.invoke(TARGET, "echo")
    context.wait(seconds(1))
    return result


@durable_execution
def replayed_failure(_event: Any, context: DurableContext) -> str:
    try:
        return context.invoke(TARGET, "fail")
    except InvokeError as error:
        context.wait(seconds(1))
        return str(error)


@durable_execution
def after_step(_event: Any, context: DurableContext) -> Any:
    return context.invoke(TARGET, context.step(always("from the step")))


@durable_execution
def before_step(_event: Any, context: DurableContext) -> Any:
    result = context.invoke(TARGET, "from the target")
    return context.step(always(result))


@durable_execution
def in_child(_event: Any, context: DurableContext) -> Any:
    return context.run_in_child_context(lambda child: child.invoke(TARGET, "from the child"))


@durable_execution
def sequential(_event: Any, context: DurableContext) -> list[Any]:
    return [context.invoke(TARGET, payload) for payload in ("first", "second")]


@durable_execution
def payload_serdes(event: dict[str, Any], context: DurableContext) -> Any:
    return context.invoke(TARGET, event, config=InvokeConfig(serdes_payload=UPPER_CASE))


@durable_execution
def result_serdes(event: str, context: DurableContext) -> str:
    return context.invoke(TARGET, event, config=InvokeConfig(serdes_result=UPPER_CASE))
