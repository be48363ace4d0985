"""Callbacks: results that somebody else sends."""

from __future__ import annotations

from typing import Any

from aws_durable_execution_sdk_python import DurableContext
from aws_durable_execution_sdk_python.config import CallbackConfig, WaitForCallbackConfig

from common import Event, attempts, case, note, seconds


@case
def callback(_event: Event, context: DurableContext) -> Any:
    return context.create_callback(name="approval").result()


@case
def callback_timeout(event: Event, context: DurableContext) -> Any:
    config = CallbackConfig(timeout=seconds(event["seconds"]))
    return context.create_callback(name="approval", config=config).result()


@case
def callback_heartbeat(event: Event, context: DurableContext) -> Any:
    config = CallbackConfig(timeout=seconds(event["timeout"]), heartbeat_timeout=seconds(event["heartbeat"]))
    return context.create_callback(name="approval", config=config).result()


@case
def callback_and_wait(event: Event, context: DurableContext) -> Any:
    config = CallbackConfig(timeout=seconds(event["timeout"]))
    approval = context.create_callback(name="approval", config=config)
    context.wait(seconds(event["seconds"]), name="pause")
    return approval.result()


@case
def two_callbacks(_event: Event, context: DurableContext) -> list[Any]:
    one = context.create_callback(name="one")
    two = context.create_callback(name="two")
    return [one.result(), two.result()]


@case
def wait_for_callback(event: Event, context: DurableContext) -> Any:
    return context.wait_for_callback(lambda id_, _: note(event, "submitted", id_), name="approval")


@case
def submitter_fails(_event: Event, context: DurableContext) -> Any:
    def submit(_id: str, _context: Any) -> None:
        raise ValueError("nobody listens")

    config = WaitForCallbackConfig(retry_strategy=attempts(2))
    return context.wait_for_callback(submit, name="approval", config=config)
