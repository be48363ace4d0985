"""Responses that are read while they are written, by boto3."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from deployment import NODE, ROLE

CODE = """
export const handler = awslambda.streamifyResponse(async (event, stream) => {
  for (const part of event.parts) await new Promise((done) => stream.write(part, done));
  if (event.fail) throw new RangeError(event.fail);
  stream.end();
});
"""


@pytest.fixture(scope="module")
def function(client: Any) -> Iterator[str]:
    """Return a Node.js function that streams."""
    name = f"streaming-{uuid.uuid4().hex[:8]}"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as package:
        package.writestr("index.mjs", CODE)
    client.create_function(
        FunctionName=name, Runtime=NODE, Role=ROLE, Handler="index.handler", Timeout=60, Code={"ZipFile": file.getvalue()}
    )
    yield name
    client.delete_function(FunctionName=name)


def read(client: Any, name: str, payload: Any, **arguments: Any) -> tuple[bytes, dict[str, Any]]:
    """Invoke a function; return what it streamed and how it ended."""
    response = client.invoke_with_response_stream(FunctionName=name, Payload=json.dumps(payload), **arguments)
    assert (response["StatusCode"], response["ExecutedVersion"]) == (200, "$LATEST")
    assert response["ResponseStreamContentType"] == "application/vnd.amazon.eventstream"
    *chunks, last = response["EventStream"]
    return b"".join(chunk["PayloadChunk"]["Payload"] for chunk in chunks), last["InvokeComplete"]


def test_response_is_streamed(client: Any, function: str):
    body, end = read(client, function, {"parts": ["a", "ä", "c"]}, LogType="Tail")
    assert body.decode() == "aäc"
    assert "ErrorCode" not in end
    assert end["LogResult"]


def test_response_fails_half_way(client: Any, function: str):
    body, end = read(client, function, {"parts": ["half"], "fail": "late"})
    assert body == b"half"
    assert end["ErrorCode"] == "RangeError"
    assert json.loads(end["ErrorDetails"])["errorMessage"] == "late"


def test_function_that_does_not_stream_answers_in_one_piece(client: Any):
    body, end = read(client, "python-plain", {"n": 1})
    assert (json.loads(body), "ErrorCode" in end) == ({"n": 1}, False)
    body, end = read(client, "python-plain", {"do": "fail"})
    assert (body, end["ErrorCode"]) == (b"", "ValueError")


def test_streamed_response_is_buffered_for_who_reads_it_at_once(client: Any, function: str):
    response = client.invoke(FunctionName=function, Payload=json.dumps({"parts": ["[1,", "2]"]}))
    assert json.load(response["Payload"]) == [1, 2]
