"""Callbacks that the test completes, in every way and from every SDK's point of view."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from board import board
from command_line import CommandLine
from deployment import LANGUAGES
from everstep_server import EverstepServer, eventually
from executions import ended, events_of, lines, start, suspended_callbacks
from history import (
    ANY,
    callback_failed,
    callback_started,
    callback_succeeded,
    check_history,
    context_started,
    context_succeeded,
    execution_failed,
    execution_started,
    execution_succeeded,
    invocation_completed,
    read_history,
    step_started,
    step_succeeded,
)

each_language = pytest.mark.parametrize("language", LANGUAGES)


@each_language
@pytest.mark.parametrize("answer", ['{"status": "approved"}', "plain text – ünïcode 🎉", '"quoted"'])
def test_result_arrives_byte_for_byte(language: str, answer: str, client: Any):
    arn = start(client, f"{language}-durable", {"case": "callback"})
    [callback_id] = suspended_callbacks(client, arn)
    client.send_durable_execution_callback_success(CallbackId=callback_id, Result=answer.encode())
    execution = ended(client, arn)
    assert json.loads(execution["Result"]) == answer
    check_history(
        read_history(client, arn),
        [
            execution_started(),
            callback_started("C", "approval"),
            invocation_completed(),
            callback_succeeded("C", "approval", answer),
            invocation_completed(),
            execution_succeeded(ANY),
        ],
    )


@each_language
def test_empty_result_has_no_payload(language: str, client: Any):
    arn = start(client, f"{language}-durable", {"case": "callback"})
    [callback_id] = suspended_callbacks(client, arn)
    client.send_durable_execution_callback_success(CallbackId=callback_id)
    assert ended(client, arn)["Status"] == "SUCCEEDED"
    check_history(
        read_history(client, arn),
        [
            execution_started(),
            callback_started("C", "approval"),
            invocation_completed(),
            callback_succeeded("C", "approval", None),
            invocation_completed(),
            execution_succeeded(ANY) if language != "javascript" else execution_succeeded(None),
        ],
    )


@each_language
def test_failure_reaches_the_handler(language: str, client: Any):
    error = {
        "ErrorType": "Denied",
        "ErrorMessage": "not this time",
        "ErrorData": '{"by": "me"}',
        "StackTrace": ["line 1", "line 2"],
    }
    arn = start(client, f"{language}-durable", {"case": "callback"})
    [callback_id] = suspended_callbacks(client, arn)
    client.send_durable_execution_callback_failure(CallbackId=callback_id, Error=error)
    assert ended(client, arn)["Error"]["ErrorMessage"] == "not this time"
    check_history(
        read_history(client, arn),
        [
            execution_started(),
            callback_started("C", "approval"),
            invocation_completed(),
            callback_failed("C", "approval", error),
            invocation_completed(error=ANY),
            execution_failed({"ErrorMessage": "not this time"}),
        ],
    )


def test_failure_without_a_body_wakes_the_handler(client: Any):
    arn = start(client, "python-durable", {"case": "callback"})
    [callback_id] = suspended_callbacks(client, arn)
    client.send_durable_execution_callback_failure(CallbackId=callback_id)
    assert ended(client, arn)["Status"] == "FAILED"


@each_language
def test_heartbeats_keep_a_callback_alive(language: str, own_server: Callable[..., EverstepServer]):
    server = own_server(f"{language}-long", arguments=("--movable-clock",))
    client = server.client()
    payload = {"case": "callback_heartbeat", "timeout": 3000, "heartbeat": 600}
    arn = start(client, f"{language}-long", payload)
    [callback_id] = suspended_callbacks(client, arn)
    # Beats over twice the heartbeat timeout.
    for _ in range(4):
        CommandLine(server)("dev", "clock", "advance", "5m")
        client.send_durable_execution_callback_heartbeat(CallbackId=callback_id)
    client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"alive")
    assert json.loads(ended(client, arn)["Result"]) == "alive"
    check_history(
        read_history(client, arn),
        [
            execution_started(),
            callback_started("C", "approval", timeout=3000, heartbeat=600),
            invocation_completed(),
            callback_succeeded("C", "approval", "alive"),
            invocation_completed(),
            execution_succeeded('"alive"'),
        ],
    )


@each_language
def test_each_completion_wakes_the_handler(language: str, client: Any):
    arn = start(client, f"{language}-durable", {"case": "two_callbacks"})
    # The handler suspends on the first callback; the second is created before or after that, as the SDK likes.
    events_of(client, arn, "CallbackStarted", 2)
    one, two = suspended_callbacks(client, arn, 2)
    client.send_durable_execution_callback_success(CallbackId=two, Result=b"2")
    events_of(client, arn, "InvocationCompleted", 2)
    client.send_durable_execution_callback_success(CallbackId=one, Result=b"1")
    assert json.loads(ended(client, arn)["Result"]) == ["1", "2"]
    check_history(
        read_history(client, arn),
        [
            execution_started(),
            callback_started("C", "one"),
            callback_started("D", "two"),
            invocation_completed(),
            callback_succeeded("D", "two", "2"),
            invocation_completed(),
            callback_succeeded("C", "one", "1"),
            invocation_completed(),
            execution_succeeded(ANY),
        ],
    )


@each_language
def test_wait_for_callback_submits_and_waits(language: str, client: Any, tmp_path: Path):
    arn = start(client, f"{language}-durable", {"case": "wait_for_callback", "board": board(tmp_path)})
    [callback_id] = suspended_callbacks(client, arn)
    assert lines(tmp_path, "submitted") == [callback_id]
    client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"yes")
    assert json.loads(ended(client, arn)["Result"]) == "yes"
    python = language != "javascript"
    id_name = "approval create callback id" if python else None
    submitter = "approval submitter" if python else None
    check_history(
        read_history(client, arn),
        [
            execution_started(),
            context_started("X", "approval", "WaitForCallback"),
            callback_started("C", id_name, "X"),
            step_started("S", submitter, "X"),
            step_succeeded("S", submitter, "null" if python else None, parent="X"),
            invocation_completed(),
            callback_succeeded("C", id_name, "yes", "X"),
            context_succeeded("X", "approval", "WaitForCallback", '"yes"'),
            invocation_completed(),
            execution_succeeded('"yes"'),
        ],
    )
    assert lines(tmp_path, "submitted") == [callback_id]


def test_completed_callback_is_closed(client: Any):
    arn = start(client, "python-durable", {"case": "callback"})
    [callback_id] = suspended_callbacks(client, arn)
    client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"1")
    for complete in (
        client.send_durable_execution_callback_success,
        client.send_durable_execution_callback_failure,
        client.send_durable_execution_callback_heartbeat,
    ):
        with pytest.raises(client.exceptions.CallbackTimeoutException) as caught:
            complete(CallbackId=callback_id)
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert json.loads(ended(client, arn)["Result"]) == "1"


def test_callback_of_an_ended_execution_is_closed(client: Any, tmp_path: Path):
    arn = start(client, "python-durable", {"case": "submitter_fails", "board": board(tmp_path)})
    ended(client, arn)
    [event] = events_of(client, arn, "CallbackStarted")
    with pytest.raises(client.exceptions.CallbackTimeoutException):
        client.send_durable_execution_callback_success(
            CallbackId=event["CallbackStartedDetails"]["CallbackId"], Result=b"late"
        )


@pytest.mark.parametrize("callback_id", ["bm9uc2Vuc2U=", "AAAA"])
def test_unknown_callback_is_refused(callback_id: str, client: Any):
    with pytest.raises(client.exceptions.InvalidParameterValueException):
        client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"")


def test_result_may_have_one_mebibyte(client: Any):
    arn = start(client, "python-durable", {"case": "callback"})
    [callback_id] = suspended_callbacks(client, arn)
    with pytest.raises(client.exceptions.ClientError) as caught:
        client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"x" * (1024 * 1024 + 1))
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] in {400, 413}
    largest = "x" * (1024 * 1024)
    client.send_durable_execution_callback_success(CallbackId=callback_id, Result=largest)
    [event] = events_of(client, arn, "CallbackSucceeded")
    assert event["CallbackSucceededDetails"]["Result"]["Payload"] == largest


def test_completion_while_the_handler_runs_is_seen(client: Any, tmp_path: Path):
    """The submitter has not returned yet when the callback is completed."""
    arn = start(client, "python-durable", {"case": "wait_for_callback", "board": board(tmp_path)})
    [submitted] = eventually("the callback is submitted", lambda: lines(tmp_path, "submitted"), interval=0.001)
    client.send_durable_execution_callback_success(CallbackId=submitted, Result=b"quick")
    assert json.loads(ended(client, arn)["Result"]) == "quick"


def test_one_of_many_completions_wins(client: Any):
    arn = start(client, "python-durable", {"case": "callback"})
    [callback_id] = suspended_callbacks(client, arn)

    def complete(number: int) -> str | None:
        try:
            client.send_durable_execution_callback_success(CallbackId=callback_id, Result=str(number).encode())
        except client.exceptions.CallbackTimeoutException:
            return None
        return str(number)

    with ThreadPoolExecutor(8) as pool:
        won = [number for number in pool.map(complete, range(8)) if number is not None]
    assert [json.loads(ended(client, arn)["Result"])] == won
