"""The test's side of the function `held`: takes the envelopes of its invocations and answers them."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from board import board
from everstep_server import eventually
from executions import start


@dataclass
class Invocation:
    """An invocation in flight, with the token that is current in it."""

    arn: str
    number: int
    envelope: dict[str, Any]
    token: str
    directory: Path

    def checkpoint(self, client: Any, *updates: dict[str, Any], **arguments: Any) -> dict[str, Any]:
        """Send a checkpoint with the current token and keep the next one."""
        response = client.checkpoint_durable_execution(
            DurableExecutionArn=self.arn, CheckpointToken=self.token, Updates=list(updates), **arguments
        )
        self.token = response.get("CheckpointToken", self.token)
        return response

    def respond(self, response: Any) -> None:
        """Let the handler return something."""
        new = self.directory / f"new-response-{self.number}"
        new.write_text(json.dumps(response))
        os.rename(new, self.directory / f"response-{self.number}.json")

    def operations(self) -> list[dict[str, Any]]:
        """Return the operations of the envelope."""
        return self.envelope["InitialExecutionState"]["Operations"]


def begin(client: Any, directory: Path, function: str = "held", **arguments: Any) -> Invocation:
    """Start an execution of `held`; return its first invocation."""
    arn = start(client, function, {"board": board(directory)}, **arguments)
    return invocation(arn, directory, 1)


def invocation(arn: str, directory: Path, number: int) -> Invocation:
    """Wait for an invocation of an execution."""
    file = directory / f"envelope-{number}.json"
    eventually(f"invocation {number} begins", file.exists, interval=0.01)
    envelope = json.loads(file.read_text())
    return Invocation(arn, number, envelope, envelope["CheckpointToken"], directory)


def step(id: str, action: str, **fields: Any) -> dict[str, Any]:
    """Return an update of a step."""
    return {"Id": id, "Type": "STEP", "SubType": "Step", "Action": action, **fields}


def wait(id: str, seconds: int) -> dict[str, Any]:
    """Return an update that starts a wait."""
    options = {"WaitSeconds": seconds}
    return {"Id": id, "Type": "WAIT", "SubType": "Wait", "Action": "START", "WaitOptions": options}


def callback(id: str, **options: int) -> dict[str, Any]:
    """Return an update that starts a callback."""
    return {
        "Id": id,
        "Type": "CALLBACK",
        "SubType": "Callback",
        "Action": "START",
        "CallbackOptions": options,
    }


def context(id: str, action: str, **fields: Any) -> dict[str, Any]:
    """Return an update of a context."""
    return {"Id": id, "Type": "CONTEXT", "SubType": "RunInChildContext", "Action": action, **fields}


PENDING = {"Status": "PENDING"}
DONE = {"Status": "SUCCEEDED", "Result": '"done"'}
