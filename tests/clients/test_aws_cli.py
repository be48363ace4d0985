"""The AWS CLI, unmodified: from `create-function --durable-config` to the history of the execution."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deployment import PYTHON, ROLE, package_file
from everstep_server import EverstepServer, eventually, function_arn

AWS = Path(sys.executable).with_name("aws")


class Cli:
    """The command `aws lambda` against one server."""

    def __init__(self, server: EverstepServer, directory: Path) -> None:
        """Prepare it; payloads are written to and read from the directory."""
        self.environment = server.environment()
        self.output = directory / "output.json"

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command, whatever comes of it."""
        command = [str(AWS), "lambda", *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=120, check=False)

    def __call__(self, *arguments: str) -> Any:
        """Run a command that must succeed; return what it prints."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    def invoke(self, function: str, payload: Any, *arguments: str) -> tuple[Any, Any]:
        """Invoke a function; return the answer and the payload."""
        answer = self(
            "invoke",
            "--function-name",
            function,
            "--payload",
            json.dumps(payload),
            *arguments,
            str(self.output),
        )
        text = self.output.read_text()
        return answer, json.loads(text) if text else None


@pytest.fixture
def aws(server: EverstepServer, tmp_path: Path) -> Cli:
    """Return the CLI, pointed to the shared server."""
    return Cli(server, tmp_path)


@pytest.fixture
def function(aws: Cli) -> Iterator[str]:
    """Return a durable function that the CLI created; it is deleted by the CLI too."""
    name = f"cli-{uuid.uuid4().hex[:8]}"
    created = aws(
        *("create-function", "--function-name", name, "--runtime", PYTHON, "--role", ROLE),
        *("--handler", "app.handler", "--timeout", "60", "--zip-file", f"fileb://{package_file('python')}"),
        *("--durable-config", "ExecutionTimeout=300,RetentionPeriodInDays=1"),
    )
    assert created["DurableConfig"] == {"ExecutionTimeout": 300, "RetentionPeriodInDays": 1}
    assert created["FunctionArn"] == function_arn(name)
    aws("wait", "function-active-v2", "--function-name", name)
    yield name
    aws("delete-function", "--function-name", name)
    assert aws.run("get-function", "--function-name", name).returncode != 0


def test_durable_function_from_creation_to_history(aws: Cli, function: str):
    answer, payload = aws.invoke(
        *(function, {"case": "step", "name": "CLI"}, "--qualifier", "$LATEST"),
        *("--durable-execution-name", "by-hand"),
    )
    assert payload == "Hello, CLI!"
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    arn = answer["DurableExecutionArn"]
    execution = aws("get-durable-execution", "--durable-execution-arn", arn)
    assert (execution["Status"], execution["DurableExecutionName"]) == ("SUCCEEDED", "by-hand")
    history = aws("get-durable-execution-history", "--durable-execution-arn", arn, "--include-execution-data")
    assert [event["EventType"] for event in history["Events"]] == [
        "ExecutionStarted",
        "StepStarted",
        "StepSucceeded",
        "InvocationCompleted",
        "ExecutionSucceeded",
    ]
    reverse = aws("get-durable-execution-history", "--durable-execution-arn", arn, "--reverse-order")
    assert [event["EventId"] for event in reverse["Events"]] == [5, 4, 3, 2, 1]
    listed = aws("list-durable-executions-by-function", "--function-name", function, "--statuses", "SUCCEEDED")
    assert [item["DurableExecutionArn"] for item in listed["DurableExecutions"]] == [arn]


def test_callback_is_answered(aws: Cli, function: str):
    answer, payload = aws.invoke(function, {"case": "callback"}, "--qualifier", "$LATEST", "--invocation-type", "Event")
    assert (answer["StatusCode"], payload) == (202, None)
    arn = answer["DurableExecutionArn"]

    def started() -> list[str]:
        events = aws("get-durable-execution-history", "--durable-execution-arn", arn)["Events"]
        return [event["CallbackStartedDetails"]["CallbackId"] for event in events if "CallbackStartedDetails" in event]

    [callback_id] = eventually("the callback is there", started)
    aws("send-durable-execution-callback-heartbeat", "--callback-id", callback_id)
    aws(
        "send-durable-execution-callback-success",
        "--callback-id",
        callback_id,
        "--result",
        '{"approved": true}',
    )

    def done() -> Any:
        execution = aws("get-durable-execution", "--durable-execution-arn", arn)
        return execution if execution["Status"] != "RUNNING" else None

    assert json.loads(eventually("it ends", done)["Result"]) == '{"approved": true}'


def test_execution_is_stopped(aws: Cli, function: str):
    answer, _ = aws.invoke(
        function, {"case": "wait", "seconds": 600}, "--qualifier", "$LATEST", "--invocation-type", "Event"
    )
    arn = answer["DurableExecutionArn"]
    error = "ErrorType=Halt,ErrorMessage=enough"
    assert aws("stop-durable-execution", "--durable-execution-arn", arn, "--error", error)["StopTimestamp"]
    execution = aws("get-durable-execution", "--durable-execution-arn", arn)
    assert execution["Status"] == "STOPPED"
    assert execution["Error"] == {"ErrorType": "Halt", "ErrorMessage": "enough"}


def test_error_is_shown_with_its_name(aws: Cli):
    done = aws.run("invoke", "--function-name", "python-durable", "/dev/null")
    assert done.returncode != 0
    assert "InvalidParameterValueException" in done.stderr
    assert "You cannot invoke a durable function using an unqualified ARN." in done.stderr


def test_operation_that_is_not_served_is_named(aws: Cli):
    done = aws.run("list-event-source-mappings")
    assert done.returncode != 0
    assert "ListEventSourceMappings" in done.stderr
