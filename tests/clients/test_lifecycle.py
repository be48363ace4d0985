"""What is done to an execution from outside: look, list, stop, pause, resume, delete."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError

from board import board
from command_line import CommandLine
from deployment import DURABLE, FUNCTIONS
from everstep_server import EverstepServer, eventually, function_arn
from executions import call, ended, events_of, lines, start, suspended_callbacks
from history import check_invariants, read_history

MISSING = function_arn("python-durable", "$LATEST") + "/durable-execution/none/00000000-0000-0000-0000-000000000000"
PAST_EXECUTION_TIMEOUT = f"{DURABLE['ExecutionTimeout'] + 1}s"


def status(client: Any, arn: str) -> str:
    """Return the status of an execution."""
    return client.get_durable_execution(DurableExecutionArn=arn)["Status"]


def kinds(client: Any, arn: str) -> list[str]:
    """Return the types of all events, after checking what holds for every history."""
    events = read_history(client, arn)
    check_invariants(events)
    return [event["EventType"] for event in events]


def blocked(client: Any, function: str, directory: Path) -> str:
    """Start an execution; wait until its second step runs and its SDK has said so, which does not wait for an answer."""
    arn = start(client, function, {"case": "blocked_step", "board": board(directory)})
    eventually("the second step runs", lambda: "second" in lines(directory, "runs"))
    events_of(client, arn, "StepStarted", 2)
    return arn


def test_running_execution_is_described(client: Any):
    payload = {"case": "wait", "seconds": 600}
    arn = start(client, "python-durable", payload)
    execution = client.get_durable_execution(DurableExecutionArn=arn)
    assert execution["DurableExecutionArn"] == arn
    assert execution["DurableExecutionName"] == arn.split("/")[-2]
    assert execution["FunctionArn"] == function_arn("python-durable", "$LATEST")
    assert execution["Status"] == "RUNNING"
    assert execution["Version"] == "$LATEST"
    assert json.loads(execution["InputPayload"]) == payload
    assert execution["ExecutionDataIncluded"] is True
    assert execution["DurableConfig"] == DURABLE
    assert abs(datetime.now(UTC) - execution["StartTimestamp"]) < timedelta(minutes=1)
    assert execution["ExpectedExecutionTimeoutTimestamp"] - execution["StartTimestamp"] == timedelta(seconds=300)
    assert not execution.keys() & {"EndTimestamp", "Result", "Error", "PauseDetails"}
    client.stop_durable_execution(DurableExecutionArn=arn)


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("get_durable_execution", {}),
        ("get_durable_execution_history", {}),
        ("stop_durable_execution", {}),
        ("pause_durable_execution", {}),
        ("resume_durable_execution", {}),
        ("delete_durable_execution", {}),
    ],
)
def test_unknown_execution_is_not_found(operation: str, arguments: dict[str, Any], client: Any):
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="Durable Execution does not exist"):
        getattr(client, operation)(DurableExecutionArn=MISSING, **arguments)


def test_bad_marker_is_refused(client: Any):
    arn = start(client, "python-durable", {"case": "nothing"})
    with pytest.raises(client.exceptions.InvalidParameterValueException):
        client.get_durable_execution_history(DurableExecutionArn=arn, Marker="nonsense")


def test_list_has_every_execution_newest_first(client: Any):
    function = f"listed-{uuid.uuid4().hex[:8]}"
    client.create_function(**FUNCTIONS["python-durable"].arguments(function))
    began = datetime.now(UTC) - timedelta(seconds=2)
    arns = [start(client, function, {"case": "nothing"}) for _ in range(3)]
    arns.append(start(client, function, {"case": "wait", "seconds": 600}, DurableExecutionName="sleeper"))
    for arn in arns[:3]:
        ended(client, arn)

    def listed(**arguments: Any) -> list[str]:
        paginator = client.get_paginator("list_durable_executions_by_function")
        pages = paginator.paginate(FunctionName=function, **arguments)
        return [item["DurableExecutionArn"] for page in pages for item in page["DurableExecutions"]]

    assert listed() == arns[::-1]
    assert listed(ReverseOrder=True) == arns
    assert listed(PaginationConfig={"PageSize": 1}) == arns[::-1]
    assert listed(Statuses=["RUNNING"]) == [arns[3]]
    assert listed(Statuses=["SUCCEEDED"]) == arns[2::-1]
    assert listed(DurableExecutionName="sleeper") == [arns[3]]
    assert listed(Qualifier="$LATEST") == arns[::-1]
    assert listed(StartedAfter=began) == arns[::-1]
    assert listed(StartedBefore=began) == []
    [item] = client.list_durable_executions_by_function(FunctionName=function, MaxItems=1)["DurableExecutions"]
    assert item["Status"] == "RUNNING"
    assert item["DurableExecutionName"] == "sleeper"
    assert item["FunctionArn"] == function_arn(function, "$LATEST")
    client.stop_durable_execution(DurableExecutionArn=arns[3])
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.list_durable_executions_by_function(FunctionName="nowhere")


def test_stop_ends_a_sleeping_execution(client: Any):
    arn = start(client, "python-durable", {"case": "wait", "seconds": 600})
    events_of(client, arn, "InvocationCompleted")
    error = {"ErrorType": "Halt", "ErrorMessage": "enough", "ErrorData": "{}", "StackTrace": ["a", "b"]}
    stopped = client.stop_durable_execution(DurableExecutionArn=arn, Error=error)
    execution = client.get_durable_execution(DurableExecutionArn=arn)
    assert (execution["Status"], execution["Error"]) == ("STOPPED", error)
    assert execution["EndTimestamp"] == stopped["StopTimestamp"]
    assert kinds(client, arn) == [
        "ExecutionStarted",
        "WaitStarted",
        "InvocationCompleted",
        "ExecutionStopped",
    ]
    again = client.stop_durable_execution(DurableExecutionArn=arn)
    assert again["StopTimestamp"] == stopped["StopTimestamp"]
    assert client.get_durable_execution(DurableExecutionArn=arn)["Error"] == error


def test_stop_lets_the_running_invocation_end(client: Any, tmp_path: Path):
    arn = blocked(client, "python-durable", tmp_path)
    client.stop_durable_execution(DurableExecutionArn=arn)
    assert status(client, arn) == "STOPPED"
    (tmp_path / "proceed").touch()
    events_of(client, arn, "InvocationCompleted")
    assert kinds(client, arn)[-2:] == ["ExecutionStopped", "InvocationCompleted"]
    assert status(client, arn) == "STOPPED"


def test_stop_without_an_error_is_recorded(client: Any):
    arn = start(client, "python-durable", {"case": "wait", "seconds": 600})
    client.stop_durable_execution(DurableExecutionArn=arn)
    assert status(client, arn) == "STOPPED"


def test_paused_execution_goes_on_after_resume(client: Any):
    arn = start(client, "python-durable", {"case": "callback"})
    [callback_id] = suspended_callbacks(client, arn)
    client.pause_durable_execution(DurableExecutionArn=arn, Reason="lunch")
    eventually("it is paused", lambda: status(client, arn) == "PAUSED")
    details = client.get_durable_execution(DurableExecutionArn=arn)["PauseDetails"]
    assert (details["Reason"], details["ExecutionTimeoutPaused"]) == ("lunch", True)
    client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"meanwhile")
    events_of(client, arn, "CallbackSucceeded")
    assert kinds(client, arn)[3:] == ["ExecutionPaused", "CallbackSucceeded"], "no invocation while paused"
    client.resume_durable_execution(DurableExecutionArn=arn, Reason="coffee")
    assert json.loads(ended(client, arn)["Result"]) == "meanwhile"
    assert kinds(client, arn)[3:] == [
        "ExecutionPaused",
        "CallbackSucceeded",
        "ExecutionResumed",
        "InvocationCompleted",
        "ExecutionSucceeded",
    ]
    events = read_history(client, arn)
    assert events[3]["ExecutionPausedDetails"]["Reason"]["Payload"] == "lunch"
    assert events[5]["ExecutionResumedDetails"]["Reason"]["Payload"] == "coffee"
    assert "PauseDetails" not in client.get_durable_execution(DurableExecutionArn=arn)


def test_pause_takes_effect_at_the_next_checkpoint(client: Any, tmp_path: Path):
    arn = blocked(client, "python-durable", tmp_path)
    client.pause_durable_execution(DurableExecutionArn=arn)
    assert status(client, arn) == "PAUSING"
    (tmp_path / "proceed").touch()
    eventually("it is paused", lambda: status(client, arn) == "PAUSED")
    client.resume_durable_execution(DurableExecutionArn=arn)
    assert json.loads(ended(client, arn)["Result"]) == ["first", "second"]
    assert lines(tmp_path, "runs") == ["first", "second"], "what was checkpointed while pausing counts"
    check_invariants(read_history(client, arn))


def test_result_of_an_invocation_counts_though_paused(client: Any, tmp_path: Path):
    """The JavaScript SDK goes on when its checkpoint is answered without a token, and returns its result."""
    arn = blocked(client, "javascript-durable", tmp_path)
    client.pause_durable_execution(DurableExecutionArn=arn)
    (tmp_path / "proceed").touch()
    assert json.loads(ended(client, arn)["Result"]) == ["first", "second"]
    assert lines(tmp_path, "runs") == ["first", "second"]
    check_invariants(read_history(client, arn))


def test_pausing_is_cancelled_by_resume(client: Any, tmp_path: Path):
    arn = blocked(client, "python-durable", tmp_path)
    client.pause_durable_execution(DurableExecutionArn=arn)
    client.resume_durable_execution(DurableExecutionArn=arn)
    assert status(client, arn) == "RUNNING"
    (tmp_path / "proceed").touch()
    assert ended(client, arn)["Status"] == "SUCCEEDED"
    assert lines(tmp_path, "runs") == ["first", "second"]


def test_pause_extends_the_execution_timeout(own_server: Callable[..., EverstepServer]):
    server = own_server("python-durable", arguments=("--movable-clock",))
    client = server.client()
    arn = start(client, "python-durable", {"case": "callback"})
    [callback_id] = suspended_callbacks(client, arn)
    client.pause_durable_execution(DurableExecutionArn=arn)
    eventually("it is paused", lambda: status(client, arn) == "PAUSED")
    CommandLine(server)("dev", "clock", "advance", PAST_EXECUTION_TIMEOUT)
    assert status(client, arn) == "PAUSED"
    client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"late")
    client.resume_durable_execution(DurableExecutionArn=arn)
    assert json.loads(ended(client, arn)["Result"]) == "late"


def test_pause_may_let_the_execution_timeout_run(own_server: Callable[..., EverstepServer]):
    server = own_server("python-durable", arguments=("--movable-clock",))
    client = server.client()
    arn = start(client, "python-durable", {"case": "callback"})
    suspended_callbacks(client, arn)
    client.pause_durable_execution(DurableExecutionArn=arn, ExecutionTimeoutPaused=False)
    CommandLine(server)("dev", "clock", "advance", PAST_EXECUTION_TIMEOUT)
    assert ended(client, arn)["Status"] == "TIMED_OUT"


def test_paused_execution_can_be_stopped(client: Any):
    arn = start(client, "python-durable", {"case": "callback"})
    suspended_callbacks(client, arn)
    client.pause_durable_execution(DurableExecutionArn=arn)
    client.stop_durable_execution(DurableExecutionArn=arn)
    assert status(client, arn) == "STOPPED"


@pytest.mark.parametrize("operation", ["pause_durable_execution", "resume_durable_execution"])
def test_ended_execution_is_neither_paused_nor_resumed(operation: str, client: Any):
    arn = start(client, "python-durable", {"case": "nothing"})
    ended(client, arn)
    with pytest.raises(client.exceptions.ResourceConflictException):
        getattr(client, operation)(DurableExecutionArn=arn)


def test_deleted_execution_is_gone(client: Any):
    arn = start(client, "python-durable", {"case": "nothing"})
    ended(client, arn)
    response = client.delete_durable_execution(DurableExecutionArn=arn)
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert abs(datetime.now(UTC) - response["DeletionRequestTimestamp"]) < timedelta(minutes=1)

    def gone() -> bool:
        try:
            return status(client, arn) not in {"DELETING"}
        except client.exceptions.ResourceNotFoundException:
            return True

    eventually("it is gone", gone)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        read_history(client, arn)


def test_running_execution_cannot_be_deleted(client: Any):
    arn = start(client, "python-durable", {"case": "wait", "seconds": 600})
    with pytest.raises(client.exceptions.ResourceConflictException):
        client.delete_durable_execution(DurableExecutionArn=arn)
    client.stop_durable_execution(DurableExecutionArn=arn)


def test_malformed_arn_is_refused(server: Any):

    client = server.client(config=Config(parameter_validation=False, retries={"total_max_attempts": 1}))
    with pytest.raises(ClientError) as caught:
        client.get_durable_execution(DurableExecutionArn="nonsense")
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_execution_of_a_deleted_function_fails(client: Any):
    function = f"deleted-{uuid.uuid4().hex[:8]}"
    client.create_function(**FUNCTIONS["python-durable"].arguments(function))
    arn = start(client, function, {"case": "wait", "seconds": 2})
    events_of(client, arn, "InvocationCompleted")
    client.delete_function(FunctionName=function)
    execution = ended(client, arn)
    assert (execution["Status"], execution["Error"]["ErrorMessage"]) == ("FAILED", "Function not found")


def test_execution_outlives_its_caller(server: EverstepServer, client: Any):
    function, name = "python-durable", f"left-{uuid.uuid4().hex[:8]}"
    impatient = server.client(config=Config(read_timeout=1, retries={"total_max_attempts": 1}))
    with pytest.raises(ReadTimeoutError):
        call(impatient, function, {"case": "wait", "seconds": 3}, DurableExecutionName=name)

    def listed() -> Any:
        answer = client.list_durable_executions_by_function(FunctionName=function, DurableExecutionName=name)
        return answer["DurableExecutions"]

    [item] = eventually("it has begun", listed)
    assert ended(client, item["DurableExecutionArn"])["Status"] == "SUCCEEDED"
