"""Payloads: Unicode, sizes at the limits, state that does not fit one envelope, long histories."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from board import board
from deployment import LANGUAGES
from executions import call, ended, lines, start
from history import check_invariants, read_history

each_language = pytest.mark.parametrize("language", LANGUAGES)

RESULT_INLINE_MAX = 6 * 1024 * 1024 - 50
RESULT_MAX = 6 * 1024 * 1024


@each_language
def test_text_survives(language: str, client: Any):
    value = {
        "text": 'naïve — 日本語 🎉 \\ " \n\t\u0001\u2028',
        "empty": "",
        "null": None,
        "numbers": [0, -1, 1.5],
    }
    response = call(client, f"{language}-durable", {"case": "step_echo", "value": value})
    assert response["Payload"] == value
    assert "FunctionError" not in response


@each_language
def test_large_context_is_replayed_from_its_children(language: str, client: Any, tmp_path: Path):
    payload = {"case": "large_child", "size": 300_000, "seconds": 1, "board": board(tmp_path)}
    assert call(client, f"{language}-durable", payload)["Payload"] == 300_000
    assert lines(tmp_path, "runs") == ["letter"]


@each_language
def test_result_is_checkpointed_if_too_large_to_return(language: str, client: Any):
    size = RESULT_INLINE_MAX + 20
    response = call(client, f"{language}-durable", {"case": "large_result", "size": size - 2})
    assert response["Payload"] == "x" * (size - 2)
    execution = client.get_durable_execution(DurableExecutionArn=response["DurableExecutionArn"])
    assert len(execution["Result"]) == size
    check_invariants(read_history(client, response["DurableExecutionArn"]))


@each_language
def test_state_above_one_envelope_is_paged(language: str, client: Any):
    payload = {"case": "many_large_steps", "count": 32, "size": 200_000}
    response = call(client, f"{language}-durable", payload)
    assert response["Payload"] == 32 * 200_000


def test_long_history_is_paged(client: Any):
    response = call(client, "python-durable", {"case": "many_steps", "count": 120})
    assert response["Payload"] == sum(range(120))
    arn = response["DurableExecutionArn"]
    events = read_history(client, arn)
    check_invariants(events)
    assert len(events) == 1 + 2 * 120 + 2
    first_page = client.get_durable_execution_history(DurableExecutionArn=arn)
    assert len(first_page["Events"]) == 100
    assert read_history(client, arn, MaxItems=7) == events
    assert read_history(client, arn, ReverseOrder=True) == events[::-1]
    assert read_history(client, arn, MaxItems=31, ReverseOrder=True) == events[::-1]
    paginator = client.get_paginator("get_durable_execution_history")
    assert [e for page in paginator.paginate(DurableExecutionArn=arn) for e in page["Events"]] == events


def test_history_without_data_keeps_its_shape(client: Any):
    response = call(client, "python-durable", {"case": "step", "name": "World"})
    arn = response["DurableExecutionArn"]
    events = read_history(client, arn, IncludeExecutionData=False)
    check_invariants(events, with_data=False)
    for event in events:
        details = event[f"{event['EventType']}Details"]
        for member in ("Input", "Result"):
            assert "Payload" not in details.get(member, {})
    execution = client.get_durable_execution(DurableExecutionArn=arn, IncludeExecutionData=False)
    assert execution["ExecutionDataIncluded"] is False
    assert not execution.keys() & {"InputPayload", "Result", "Error"}


def test_input_above_six_mebibytes_is_refused(client: Any):
    with pytest.raises(client.exceptions.RequestTooLargeException):
        client.invoke(FunctionName="python-durable", Qualifier="$LATEST", Payload=json.dumps("x" * RESULT_MAX).encode())


def test_asynchronous_input_above_one_mebibyte_is_refused(client: Any):
    with pytest.raises(ClientError) as caught:
        start(client, "python-durable", {"case": "nothing", "filler": "x" * 1024 * 1024})
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


def test_large_input_reaches_the_handler(client: Any):
    value = "y" * 5_000_000
    response = call(client, "python-durable", {"case": "nothing", "filler": value})
    assert response["Payload"] == "done"


def test_asynchronous_result_above_one_mebibyte_fails(client: Any):
    arn = start(client, "python-durable", {"case": "large_result", "size": 1_100_000})
    assert ended(client, arn)["Status"] == "FAILED"
