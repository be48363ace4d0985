"""What `sam local` asks of its emulator, by boto3 with keys that mean nothing and a stub in place of its container."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest

from everstep_server import EverstepServer, eventually

Start = Callable[..., EverstepServer]

DOOR = "sam local: "
"""What the line begins with that says where the server takes executions of `sam local`."""


class Container:
    """A function as SAM's container has it: it asks for a callback, and returns what comes."""

    def __init__(self) -> None:
        """Listen; `client` must be set before anything is invoked."""
        container = self
        self.client: Any = None

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/2015-03-31/functions/function/invocations"
                event = json.loads(self.rfile.read(int(self.headers["content-length"])))
                body = json.dumps(container.handle(event)).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://localhost:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def handle(self, event: dict[str, Any]) -> dict[str, Any]:
        """Do what a durable SDK does for a handler that waits for a callback."""
        execution = {"DurableExecutionArn": event["DurableExecutionArn"], "CheckpointToken": event["CheckpointToken"]}
        _, *operations = event["InitialExecutionState"]["Operations"]
        if operations:
            return {"Status": "SUCCEEDED", "Result": operations[0]["CallbackDetails"]["Result"]}
        update = {"Id": "approval", "Type": "CALLBACK", "Action": "START", "CallbackOptions": {"TimeoutSeconds": 3600}}
        self.client.checkpoint_durable_execution(**execution, Updates=[update])
        return {"Status": "PENDING"}


@pytest.fixture
def container() -> Iterator[Container]:
    container = Container()
    yield container
    container.server.shutdown()


def test_executions_of_sam_local_run_in_its_container(own_server: Start, container: Container):
    server = own_server(arguments=("--sam-local=127.0.0.1:0",))
    lines = server.log_file.read_text().splitlines()
    door = "http://" + next(line for line in lines if line.startswith(DOOR)).removeprefix(DOOR)
    keys = {"aws_access_key_id": "foo", "aws_secret_access_key": "bar"}
    client = boto3.session.Session().client("lambda", endpoint_url=door, region_name="us-west-2", **keys)
    container.client = client
    with urlopen(f"{door}/health") as answer:
        assert answer.status == 200
    # As SAM CLI writes it: what is not set is null.
    start = {
        "AccountId": "123456789012",
        "FunctionName": "function",
        "FunctionQualifier": "$LATEST",
        "ExecutionName": None,
        "ExecutionTimeoutSeconds": 300,
        "ExecutionRetentionPeriodDays": None,
        "Input": "{}",
        "LambdaEndpoint": container.endpoint,
    }
    request = Request(
        f"{door}/start-durable-execution", json.dumps(start).encode(), {"content-type": "application/json"}
    )
    with urlopen(request) as answer:
        arn = json.load(answer)["ExecutionArn"]

    def callback() -> str | None:
        events = client.get_durable_execution_history(DurableExecutionArn=arn)["Events"]
        found = (event["CallbackStartedDetails"] for event in events if event["EventType"] == "CallbackStarted")
        return next((details["CallbackId"] for details in found), None)

    callback_id = eventually("a callback", callback)
    client.send_durable_execution_callback_heartbeat(CallbackId=callback_id)
    client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b'"yes"')

    def ended() -> dict[str, Any] | None:
        found = client.get_durable_execution(DurableExecutionArn=arn)
        return None if found["Status"] == "RUNNING" else found

    found = eventually("the end", ended)
    assert (found["Status"], found["Result"]) == ("SUCCEEDED", '"yes"')
    # Where one has to sign it is not there.
    signed = server.client()
    with pytest.raises(signed.exceptions.ResourceNotFoundException):
        signed.get_durable_execution(DurableExecutionArn=arn)
