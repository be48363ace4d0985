"""Invoke in all its forms, of functions that are durable and of others."""

from __future__ import annotations

import base64
import json
import time
import uuid
from typing import Any

import pytest

from board import board
from deployment import FUNCTIONS
from everstep_server import eventually, function_arn
from executions import call, ended, lines, start
from history import (
    check_history,
    check_invariants,
    execution_failed,
    execution_started,
    invocation_completed,
    read_history,
)

each_plain = pytest.mark.parametrize("function", ["python-plain", "javascript-plain"])


@each_plain
def test_payload_comes_back(function: str, client: Any):
    for value in ({"a": [1, 2.5, None, True, "ü🎉"]}, [], "text", 17, None):
        response = call(client, function, value)
        assert response["Payload"] == value
        assert response["StatusCode"] == 200
        assert response["ExecutedVersion"] == "$LATEST"
        assert "FunctionError" not in response
        assert "DurableExecutionArn" not in response


@each_plain
def test_function_without_a_qualifier_is_latest(function: str, client: Any):
    assert json.loads(client.invoke(FunctionName=function, Payload=b"1")["Payload"].read()) == 1
    assert json.loads(client.invoke(FunctionName=function_arn(function), Payload=b"1")["Payload"].read()) == 1


@each_plain
def test_error_of_the_handler_is_the_payload(function: str, client: Any):
    response = call(client, function, {"do": "fail", "message": "no luck"})
    assert response["StatusCode"] == 200
    assert response["FunctionError"] == "Unhandled"
    assert response["Payload"]["errorMessage"] == "no luck"
    assert response["Payload"]["errorType"] == ("ValueError" if function.startswith("python") else "RangeError")


@each_plain
def test_exit_of_the_process_is_an_error(function: str, client: Any):
    response = call(client, function, {"do": "exit"})
    assert response["FunctionError"] == "Unhandled"
    assert response["Payload"]["errorType"] == "Runtime.ExitError"
    assert "exit status 3" in response["Payload"]["errorMessage"]
    assert call(client, function, "next")["Payload"] == "next"


@each_plain
def test_context_tells_what_runs(function: str, client: Any):
    context = json.dumps({"custom": {"colour": "blue"}, "env": {"locale": "de"}})
    encoded = base64.b64encode(context.encode()).decode()
    seen = call(client, function, {"do": "context"}, ClientContext=encoded)["Payload"]
    assert seen["custom"] == {"colour": "blue"}
    assert seen["function_name"] == function
    assert seen["function_version"] == "$LATEST"
    assert seen["invoked_function_arn"] == function_arn(function, "$LATEST")
    assert seen["memory_limit_in_mb"] == 128
    assert 0 < seen["remaining"] <= 60_000
    assert uuid.UUID(seen["request_id"])


@each_plain
def test_tail_of_the_log_is_returned(function: str, client: Any):
    text = f"hello log {uuid.uuid4()}"
    response = call(client, function, {"do": "log", "text": text}, LogType="Tail")
    log = base64.b64decode(response["LogResult"]).decode()
    assert f"RequestId: {response['ResponseMetadata']['RequestId']}" in log
    assert text in log
    assert "START RequestId: " in log
    assert "REPORT RequestId: " in log
    assert "LogResult" not in call(client, function, {"do": "log", "text": text})


def test_environment_is_that_of_lambda(client: Any):
    names = [
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_REGION",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "_HANDLER",
        "AWS_ENDPOINT_URL",
    ]
    seen = call(client, "python-plain", {"do": "environment", "names": names})["Payload"]
    assert seen == {
        "AWS_LAMBDA_FUNCTION_NAME": "python-plain",
        "AWS_REGION": "us-east-1",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "_HANDLER": "plain.handler",
        "AWS_ENDPOINT_URL": None,
    }


def test_javascript_sdk_comes_with_the_runtime(client: Any):
    """The code package has no `node_modules`; the handler is an ES module that imports the AWS SDK."""
    assert call(client, "bundled-sdk", {"do": "sdk"})["Payload"] == "Lambda"


def test_function_timeout_ends_the_invocation(client: Any):
    name = f"slow-{uuid.uuid4().hex[:8]}"
    client.create_function(**FUNCTIONS["python-plain"].arguments(name) | {"Timeout": 1})
    began = time.monotonic()
    response = call(client, name, {"do": "sleep", "seconds": 30})
    assert time.monotonic() - began < 15
    assert response["FunctionError"] == "Unhandled"
    assert "Task timed out after 1.00 seconds" in response["Payload"]["errorMessage"]
    assert call(client, name, "next")["Payload"] == "next"
    client.delete_function(FunctionName=name)


def test_event_is_accepted_and_runs(client: Any, tmp_path: Any):
    response = client.invoke(
        FunctionName="python-plain", InvocationType="Event", Payload=b'{"do": "sleep", "seconds": 0}'
    )
    assert response["StatusCode"] == 202
    assert response["Payload"].read() == b""
    arn = start(client, "python-durable", {"case": "crash_between_steps", "board": board(tmp_path)})
    assert ended(client, arn)["Status"] == "SUCCEEDED"
    assert lines(tmp_path, "runs") == ["first", "second"]


@pytest.mark.parametrize("function", ["python-plain", "python-durable"])
def test_dry_run_runs_nothing(function: str, client: Any):
    response = client.invoke(FunctionName=function, Qualifier="$LATEST", InvocationType="DryRun")
    assert response["StatusCode"] == 204
    assert "DurableExecutionArn" not in response


@pytest.mark.parametrize("function", ["python-plain", "python-durable"])
@pytest.mark.parametrize("payload", [b"{", b"nonsense", b"{'a': 1}"])
def test_payload_must_be_json(function: str, payload: bytes, client: Any):
    with pytest.raises(
        client.exceptions.InvalidRequestContentException, match="Could not parse request body into json"
    ):
        client.invoke(FunctionName=function, Qualifier="$LATEST", Payload=payload)


@pytest.mark.parametrize("kind", ["RequestResponse", "Event", "DryRun"])
def test_durable_function_needs_a_qualifier(kind: str, client: Any):
    with pytest.raises(
        client.exceptions.InvalidParameterValueException,
        match=r"You cannot invoke a durable function using an unqualified ARN\.",
    ):
        client.invoke(FunctionName="python-durable", InvocationType=kind, Payload=b"{}")


def test_qualifier_may_be_part_of_the_name(client: Any):
    for name in ("python-durable:$LATEST", function_arn("python-durable", "$LATEST")):
        response = client.invoke(FunctionName=name, Payload=b'{"case": "nothing"}')
        assert json.loads(response["Payload"].read()) == "done"


def test_synchronous_invoke_of_a_long_execution_is_refused(client: Any):
    with pytest.raises(
        client.exceptions.InvalidParameterValueException,
        match="You cannot synchronously invoke a durable function with an executionTimeout greater than 15 minutes",
    ):
        call(client, "python-long", {"case": "nothing"})
    arn = start(client, "python-long", {"case": "nothing"})
    assert ended(client, arn)["Status"] == "SUCCEEDED"


@pytest.mark.parametrize("language", ["python", "python1", "javascript"])
def test_synchronous_failure_is_the_payload(language: str, client: Any):
    response = call(client, f"{language}-durable", {"case": "handler_fails"})
    assert response["StatusCode"] == 200
    assert response["FunctionError"] == "Unhandled"
    assert response["Payload"]["errorMessage"] == "handler broke"
    execution = client.get_durable_execution(DurableExecutionArn=response["DurableExecutionArn"])
    assert execution["Status"] == "FAILED", "the outcome is final when Invoke returns"
    assert response["Payload"]["errorType"] == execution["Error"]["ErrorType"]


def test_synchronous_invoke_waits_for_the_whole_execution(client: Any):
    response = call(client, "javascript-durable", {"case": "step_wait_step", "seconds": 2})
    assert response["Payload"] == ["before", "after"]
    events = read_history(client, response["DurableExecutionArn"])
    assert events[-1]["EventType"] == "ExecutionSucceeded"


@pytest.mark.parametrize("language", ["python", "javascript"])
def test_handler_that_is_not_durable_fails_the_execution(language: str, client: Any):
    arn = start(client, f"{language}-unaware", {"do": "echo"})
    execution = ended(client, arn)
    assert execution["Status"] == "FAILED"
    error = {
        "ErrorType": "InvalidParameterValueException",
        "ErrorMessage": "Invalid Status in invocation output.",
    }
    assert execution["Error"] == error
    invocations = [invocation_completed(error=error) for _ in range(4)]
    check_history(read_history(client, arn), [execution_started(), *invocations, execution_failed(error)])


def test_durable_handler_of_a_plain_function_fails(client: Any):
    name = f"undurable-{uuid.uuid4().hex[:8]}"
    arguments = FUNCTIONS["python-durable"].arguments(name)
    del arguments["DurableConfig"]
    client.create_function(**arguments)
    response = call(client, name, {"case": "nothing"})
    assert response["FunctionError"] == "Unhandled"
    client.delete_function(FunctionName=name)


@pytest.mark.parametrize("language", ["python", "javascript"])
def test_function_timeout_is_retried(language: str, client: Any, tmp_path: Any):
    arn = start(client, f"{language}-impatient", {"case": "hang_once", "board": board(tmp_path)})
    execution = ended(client, arn)
    assert execution["Status"] == "SUCCEEDED"
    events = read_history(client, arn)
    error = events[1]["InvocationCompletedDetails"]["Error"]["Payload"]
    assert error["ErrorType"] == "Sandbox.Timedout"
    assert "Task timed out after 6.00 seconds" in error["ErrorMessage"]
    assert [event["EventType"] for event in events] == [
        "ExecutionStarted",
        "InvocationCompleted",
        "InvocationCompleted",
        "ExecutionSucceeded",
    ]


def test_chained_invoke_of_a_missing_function_fails_at_once(client: Any):
    arn = start(client, "python-durable", {"case": "invoke_caught", "target": "nowhere", "payload": 1})
    assert "Function not found" in json.loads(ended(client, arn)["Result"])
    kinds = [event["EventType"] for event in read_history(client, arn)]
    assert kinds[1:3] == ["ChainedInvokeStarted", "ChainedInvokeFailed"]


def test_chained_invoke_of_a_durable_function_needs_a_qualifier(client: Any):
    payload = {"case": "invoke_caught", "target": "python-durable", "payload": {"case": "nothing"}}
    arn = start(client, "python-durable", payload)
    assert "unqualified ARN" in json.loads(ended(client, arn)["Result"])


def test_durations_are_in_the_future_not_the_past(client: Any):
    """A wait never ends early by the server's own clock."""
    arn = start(client, "python-durable", {"case": "wait", "seconds": 1})
    ended(client, arn)
    events = {event["EventType"]: event for event in read_history(client, arn)}
    due = events["WaitStarted"]["WaitStartedDetails"]["ScheduledEndTimestamp"]
    assert (due - events["WaitStarted"]["EventTimestamp"]).total_seconds() == pytest.approx(1, abs=0.01)
    assert events["WaitSucceeded"]["EventTimestamp"] >= due


def test_execution_times_out(client: Any):
    arn = start(client, "python-expiring", {"case": "wait", "seconds": 600})
    execution = ended(client, arn)
    assert execution["Status"] == "TIMED_OUT"
    assert "Execution timed out after 3 seconds." in execution["Error"]["ErrorMessage"]
    events = read_history(client, arn)
    check_invariants(events)
    assert "ExecutionTimedOut" in [event["EventType"] for event in events]
    response = call(client, "python-expiring", {"case": "wait", "seconds": 600})
    assert response["FunctionError"] == "Unhandled"


def test_many_executions_run_at_once(client: Any):
    arns = [start(client, "python-durable", {"case": "wait", "seconds": 1}) for _ in range(40)]
    assert len(set(arns)) == 40

    def all_done() -> bool:
        return all(ended(client, arn)["Status"] == "SUCCEEDED" for arn in arns)

    assert eventually("all end", all_done, timeout=120)
