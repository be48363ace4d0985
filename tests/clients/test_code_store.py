"""Code that nobody needs any more is deleted, so that deploying again and again takes no more and more room."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deployment import PYTHON, ROLE
from everstep_server import EverstepServer, eventually
from executions import call
from stacks import settled

ROUNDS = 50
CODE_BYTES = 100_000
HANDLER = "def handler(event, context):\n    return 'hello'\n"

TEMPLATE = {
    "Transform": "AWS::Serverless-2016-10-31",
    "Parameters": {"Key": {"Type": "String"}},
    "Resources": {
        "Words": {
            "Type": "AWS::Serverless::LayerVersion",
            "Properties": {"ContentUri": {"Bucket": "artifacts", "Key": {"Ref": "Key"}}, "RetentionPolicy": "Delete"},
        },
        "Greeter": {
            "Type": "AWS::Serverless::Function",
            "Properties": {
                "CodeUri": {"Bucket": "artifacts", "Key": {"Ref": "Key"}},
                "Handler": "app.handler",
                "Runtime": PYTHON,
                "AutoPublishAlias": "live",
                "Layers": [{"Ref": "Words"}],
            },
        },
    },
}


def zipped() -> bytes:
    """Return code that is like no other, and as large on disk as it says."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", HANDLER)
        archive.writestr("noise", os.urandom(CODE_BYTES))
    return buffer.getvalue()


def create(client: Any, name: str, code: bytes) -> None:
    """Create a function."""
    client.create_function(
        FunctionName=name, Runtime=PYTHON, Handler="app.handler", Role=ROLE, Code={"ZipFile": code}
    )


def packages(data: Path) -> set[str]:
    """Return what is in the code store: packages, and layers laid over each other."""
    code = data / "code"
    return {path.name for path in [*code.iterdir(), *code.glob("merged/*")] if path.name != "merged"}


def usage(data: Path) -> tuple[int, int]:
    """Return how many files there are, and how many bytes they take. Databases are in order once the server has ended."""
    files = [path for path in data.rglob("*") if path.is_file()]
    return len(files), sum(path.stat().st_size for path in files)


def test_disk_does_not_grow_with_what_is_deployed_and_deleted(own_server: Callable[..., EverstepServer]):
    server = own_server()
    client, stacks, s3 = server.client(), server.client(service="cloudformation"), server.client(service="s3")
    s3.create_bucket(Bucket="artifacts")
    create(client, "stays", zipped())
    before = packages(server.data)
    server.stop()
    files, size = usage(server.data)
    server.start()
    arns = []
    for number in range(ROUNDS):
        key = f"code-{number}.zip"
        s3.put_object(Bucket="artifacts", Key=key, Body=zipped())
        parameters = [{"ParameterKey": "Key", "ParameterValue": key}]
        made = stacks.create_stack(
            StackName=f"again-{number}",
            TemplateBody=json.dumps(TEMPLATE),
            Parameters=parameters,
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        arns.append(made["StackId"])
        create(client, "again", zipped())
        if number == 0:
            assert call(client, "again", {})["Payload"] == "hello"
        client.update_function_code(FunctionName="again", ZipFile=zipped())
        client.delete_function(FunctionName="again")
    for arn in arns:
        settled(stacks, arn, "CREATE_COMPLETE")
        stacks.delete_stack(StackName=arn)
    for arn in arns:
        settled(stacks, arn, "DELETE_COMPLETE")
    for number in range(ROUNDS):
        s3.delete_object(Bucket="artifacts", Key=f"code-{number}.zip")
    eventually("code that nobody needs is deleted", lambda: packages(server.data) == before)
    assert call(client, "stays", {})["Payload"] == "hello"
    server.stop()
    files_after, size_after = usage(server.data)
    assert files_after == files
    # What is told of deleted stacks is kept for a while.
    assert size_after - size < ROUNDS * CODE_BYTES / 2


def test_code_that_a_killed_server_left_goes_at_the_next_start(own_server: Callable[..., EverstepServer]):
    server = own_server()
    client = server.client()
    create(client, "stays", zipped())
    server.kill()
    # What a server that was killed may leave: code that no function came to name, and what was not whole.
    lost = server.data / "code" / ("0" * 64)
    half = server.data / "code" / ".new-half"
    for directory in (lost, half):
        (directory / "tree").mkdir(parents=True)
    server.start()
    assert not half.exists()
    eventually("code that nobody names is deleted", lambda: not lost.exists())
    assert call(client, "stays", {})["Payload"] == "hello"
