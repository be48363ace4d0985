"""Starting by name: the same name and input are the same execution, whatever has become of it."""

from __future__ import annotations

import json
import threading
import uuid
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from deployment import FUNCTIONS
from everstep_server import eventually
from executions import call, ended, events_of, start, suspended_callbacks

CALLBACK = {"case": "callback"}


def name() -> str:
    """Return a name that nobody has."""
    return f"n-{uuid.uuid4().hex}"


def test_without_a_name_each_start_is_new(client: Any):
    first, second = (start(client, "python-durable", {"case": "nothing"}) for _ in range(2))
    assert first != second
    generated = client.get_durable_execution(DurableExecutionArn=first)["DurableExecutionName"]
    assert uuid.UUID(generated)


def test_running_execution_is_returned(client: Any):
    execution = name()
    arn = start(client, "python-durable", CALLBACK, DurableExecutionName=execution)
    assert arn.split("/")[-2] == execution
    assert start(client, "python-durable", CALLBACK, DurableExecutionName=execution) == arn
    [callback_id] = suspended_callbacks(client, arn)
    responses: list[dict[str, Any]] = []

    def attach() -> None:
        responses.append(call(client, "python-durable", CALLBACK, DurableExecutionName=execution))

    waiter = threading.Thread(target=attach)
    waiter.start()
    client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"shared")
    waiter.join(60)
    [response] = responses
    assert (response["Payload"], response["DurableExecutionArn"]) == ("shared", arn)
    assert len(events_of(client, arn, "ExecutionStarted")) == 1


def test_running_execution_with_other_input_is_a_conflict(client: Any):
    execution = name()
    arn = start(client, "python-durable", CALLBACK, DurableExecutionName=execution)
    for invoke in (start, call):
        with pytest.raises(client.exceptions.DurableExecutionAlreadyStartedException) as caught:
            invoke(client, "python-durable", {"case": "nothing"}, DurableExecutionName=execution)
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 409
        assert arn in caught.value.response["Error"]["Message"]
    client.stop_durable_execution(DurableExecutionArn=arn)


@pytest.mark.parametrize(
    ("function", "payload", "status"),
    [
        ("python-durable", {"case": "nothing"}, "SUCCEEDED"),
        ("python-durable", {"case": "handler_fails"}, "FAILED"),
        ("python-expiring", {"case": "wait", "seconds": 600}, "TIMED_OUT"),
        ("python-durable", {"case": "wait", "seconds": 600}, "STOPPED"),
    ],
)
def test_closed_execution_is_returned_with_its_outcome(
    function: str, payload: dict[str, Any], status: str, client: Any
):
    execution = name()
    arn = start(client, function, payload, DurableExecutionName=execution)
    if status == "STOPPED":
        events_of(client, arn, "InvocationCompleted")
        client.stop_durable_execution(DurableExecutionArn=arn, Error={"ErrorMessage": "enough"})
    assert ended(client, arn)["Status"] == status
    assert start(client, function, payload, DurableExecutionName=execution) == arn
    response = call(client, function, payload, DurableExecutionName=execution)
    assert response["DurableExecutionArn"] == arn
    if status == "SUCCEEDED":
        assert response["Payload"] == "done"
    else:
        assert response["FunctionError"] == "Unhandled"
    for invoke in (start, call):
        with pytest.raises(client.exceptions.DurableExecutionAlreadyStartedException):
            invoke(client, function, payload | {"other": 1}, DurableExecutionName=execution)


def test_paused_execution_is_returned_and_stays_paused(client: Any):
    execution = name()
    arn = start(client, "python-durable", CALLBACK, DurableExecutionName=execution)
    suspended_callbacks(client, arn)
    client.pause_durable_execution(DurableExecutionArn=arn)

    def status() -> str:
        return client.get_durable_execution(DurableExecutionArn=arn)["Status"]

    eventually("it is paused", lambda: status() == "PAUSED")
    assert start(client, "python-durable", CALLBACK, DurableExecutionName=execution) == arn
    assert status() == "PAUSED"
    client.stop_durable_execution(DurableExecutionArn=arn)


def test_name_of_a_deleted_execution_is_free(client: Any):
    execution = name()
    arn = start(client, "python-durable", {"case": "nothing"}, DurableExecutionName=execution)
    ended(client, arn)
    client.delete_durable_execution(DurableExecutionArn=arn)

    def again() -> str | None:
        other = start(client, "python-durable", {"case": "nothing"}, DurableExecutionName=execution)
        return other if other != arn else None

    other = eventually("the name is free", again)
    assert ended(client, other)["DurableExecutionName"] == execution


def test_names_belong_to_functions(client: Any):
    execution = name()
    first = start(client, "python-durable", {"case": "nothing"}, DurableExecutionName=execution)
    second = start(client, "javascript-durable", {"case": "nothing"}, DurableExecutionName=execution)
    assert first != second


def test_simultaneous_starts_make_one_execution(client: Any):
    execution = name()
    arns: list[str] = []
    threads = [
        threading.Thread(
            target=lambda: arns.append(
                start(client, "python-durable", {"case": "nothing"}, DurableExecutionName=execution)
            )
        )
        for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (len(arns), len(set(arns))) == (12, 1)


@pytest.mark.parametrize("wrong", ["", "white space", "x" * 65, "slash/"])
def test_impossible_name_is_refused(wrong: str, server: Any):

    client = server.client(config=Config(parameter_validation=False, retries={"total_max_attempts": 1}))
    with pytest.raises(ClientError) as caught:
        start(client, "python-durable", {"case": "nothing"}, DurableExecutionName=wrong)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_plain_function_takes_no_name(client: Any):
    with pytest.raises(client.exceptions.InvalidParameterValueException):
        client.invoke(FunctionName="python-plain", DurableExecutionName=name(), Payload=json.dumps(1))


def test_name_is_taken_for_all_versions(client: Any):
    function = f"versions-{uuid.uuid4().hex[:8]}"
    client.create_function(**FUNCTIONS["python-durable"].arguments(function))
    client.publish_version(FunctionName=function)
    start(client, function, {"case": "nothing"}, DurableExecutionName="taken")
    with pytest.raises(client.exceptions.DurableExecutionAlreadyStartedException):
        call(client, function, {"case": "nothing"}, DurableExecutionName="taken", Qualifier="1")
    client.delete_function(FunctionName=function)
