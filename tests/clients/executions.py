"""Starts executions and waits for what becomes of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from everstep_server import eventually
from history import Event, read_history

ENDED = {"SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED"}


def start(client: Any, function: str, payload: Any, **arguments: Any) -> str:
    """Start an execution without waiting for it; return its ARN."""
    response = client.invoke(
        FunctionName=function,
        Qualifier="$LATEST",
        InvocationType="Event",
        Payload=json.dumps(payload),
        **arguments,
    )
    assert response["StatusCode"] == 202
    return response["DurableExecutionArn"]


def call(client: Any, function: str, payload: Any, **arguments: Any) -> dict[str, Any]:
    """Invoke a function and wait for it; return the response with the payload read."""
    arguments = {"Qualifier": "$LATEST"} | arguments
    response = client.invoke(FunctionName=function, Payload=json.dumps(payload), **arguments)
    body = response["Payload"].read()
    return response | {"Payload": json.loads(body) if body else None}


def ended(client: Any, arn: str, timeout: float = 120) -> dict[str, Any]:
    """Wait until an execution has ended; return what GetDurableExecution says."""

    def poll() -> dict[str, Any] | None:
        execution = client.get_durable_execution(DurableExecutionArn=arn)
        return execution if execution["Status"] in ENDED else None

    return eventually(f"{arn} ends", poll, timeout, interval=0.1)


def events_of(client: Any, arn: str, kind: str, count: int = 1, timeout: float = 60) -> list[Event]:
    """Wait until a history has so many events of a type; return them."""

    def poll() -> list[Event] | None:
        found = [event for event in read_history(client, arn) if event["EventType"] == kind]
        return found if len(found) >= count else None

    return eventually(f"{count} {kind} in {arn}", poll, timeout)


def suspended_callbacks(client: Any, arn: str, count: int = 1) -> list[str]:
    """Wait until an execution sleeps on callbacks; return their ids in order."""
    started = events_of(client, arn, "CallbackStarted", count)
    events_of(client, arn, "InvocationCompleted")
    return [event["CallbackStartedDetails"]["CallbackId"] for event in started]


def lines(directory: Path, file: str) -> list[str]:
    """Return what a function has noted in a file."""
    path = directory / file
    return path.read_text().splitlines() if path.exists() else []
