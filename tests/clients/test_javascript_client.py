"""The AWS SDK for JavaScript v3, unmodified, in Node.js."""

from __future__ import annotations

import json
import subprocess
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import packages
from deployment import DURABLE
from everstep_server import EverstepServer

SCRIPTS = Path(__file__).with_name("javascript")


def run(script: str, *arguments: str, server: EverstepServer) -> Any:
    """Run a script that uses the SDK; return what it saw."""
    modules = packages.javascript_client() / "package.json"
    environment = server.environment() | {"CLIENT_MODULES": str(modules)}
    command = [packages.node(), str(SCRIPTS / script), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_buckets_are_used_by_path(server: EverstepServer):
    seen = run("s3.mjs", f"javascript-{uuid.uuid4()}", server=server)
    # The SDK adds a checksum by itself: that of `hello`.
    assert seen["object"] == {"text": "hello", "metadata": {"who": "me"}, "checksum": "NhCmhg=="}
    assert seen["large"] == {"parts": True, "same": True}
    assert seen["keys"] == ["a b/ü+%.txt", "large"]
    assert seen["presigned"] == "hello"
    assert seen["missing"] == [True, 404]
    assert seen["deleted"] == 2


def test_sdk_for_javascript_sees_what_it_expects(server: EverstepServer):
    seen = run("client.mjs", server=server)
    assert seen["durableConfig"] == DURABLE
    assert seen["invoked"]["payload"] == "Hello, SDK!"
    assert (seen["invoked"]["status"], seen["invoked"]["version"]) == (200, "$LATEST")
    assert "written to the log" in seen["log"]
    assert (seen["execution"]["status"], seen["execution"]["result"]) == ("SUCCEEDED", '"Hello, SDK!"')
    started = datetime.fromisoformat(seen["execution"]["started"].replace("Z", "+00:00"))
    assert abs(datetime.now(UTC) - started) < timedelta(minutes=5)
    assert seen["history"] == [
        "ExecutionStarted",
        "StepStarted",
        "StepSucceeded",
        "InvocationCompleted",
        "ExecutionSucceeded",
    ]
    assert seen["callback"] == {"status": "SUCCEEDED", "result": "ja ü"}
    assert seen["failed"]["error"] == "Unhandled"
    assert seen["failed"]["payload"]["errorMessage"] == "handler broke"
    refusals = seen["refusals"]
    assert all(refusal["modelled"] and refusal["requestId"] for refusal in refusals.values())
    assert {key: (refusal["name"], refusal["status"]) for key, refusal in refusals.items() if key != "mappings"} == {
        "missing": ("ResourceNotFoundException", 404),
        "unqualified": ("InvalidParameterValueException", 400),
        "closed": ("CallbackTimeoutException", 400),
    }
    assert "ListEventSourceMappings" in refusals["mappings"]["message"]
