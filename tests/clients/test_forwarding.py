"""Services that are passed on to real ones: the page of the book that says so, with DynamoDB Local."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import boto3
import botocore.session
import pytest

from deployment import FUNCTIONS
from everstep_server import REGION, EverstepServer, eventually
from executions import call
from packages import REPOSITORY, dynamodb_local, python_package
from test_docs import FILE

NAMES = re.compile(r'^    \("([\w-]+)", "([\w-]+)", "(\w+)"\),$', re.MULTILINE)


@pytest.fixture
def dynamodb(tmp_path: Path) -> Iterator[str]:
    """Run DynamoDB Local; return its URL. It keeps tables apart by access key."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (tmp_path / "dynamodb.log").open("wb") as log:
        process = subprocess.Popen([*dynamodb_local(), "-port", str(port)], cwd=tmp_path, stdout=log, stderr=log)
    try:
        eventually("DynamoDB Local listens", lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def test_function_saves_to_dynamodb_without_a_secret_of_its_own(dynamodb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    text = (REPOSITORY / "docs" / "forwarding.md").read_text()
    files = dict(FILE.findall(text))
    assert list(files) == ["everstep.toml", "keys", "notes.py"]
    for name, content in files.items():
        (tmp_path / name).write_text(content.replace("http://127.0.0.1:8000", dynamodb))
    code = tmp_path / "notes.zip"
    shutil.copy(python_package("python"), code)
    with zipfile.ZipFile(code, "a") as archive:
        archive.write(tmp_path / "notes.py", "notes.py")
    monkeypatch.chdir(tmp_path)
    with EverstepServer(tmp_path / "server" / "data", "--config", str(tmp_path / "everstep.toml")) as server:
        arguments = FUNCTIONS["python-durable"].arguments("notes") | {"Handler": "notes.handler"}
        server.client().create_function(**arguments | {"Code": {"ZipFile": code.read_bytes()}})
        server.client().get_waiter("function_active_v2").wait(FunctionName="notes", WaiterConfig={"Delay": 1})
        server.client(service="iam").attach_role_policy(
            RoleName="everstep", PolicyArn="arn:aws:iam::aws:policy/AmazonDynamoDBFullAccess"
        )
        operator = server.client(service="dynamodb")
        key = {"AttributeName": "id"}
        operator.create_table(
            TableName="notes",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[key | {"AttributeType": "S"}],
            KeySchema=[key | {"KeyType": "HASH"}],
        )
        assert call(server.client(), "notes:$LATEST", {"text": "hello"})["Payload"] == "saved"
        real = {"aws_access_key_id": "LOCAL", "aws_secret_access_key": "any"}
        table = boto3.session.Session().resource("dynamodb", endpoint_url=dynamodb, region_name=REGION, **real)
        assert table.Table("notes").scan()["Items"] == [{"id": "1", "text": "hello"}]
        # What the service says against a request reaches whoever asked.
        with pytest.raises(operator.exceptions.ResourceNotFoundException, match="non-existent table"):
            operator.scan(TableName="missing")
        assert server.credentials()[1] not in server.log_tail()


def test_names_of_services_are_those_of_botocore():
    source = (REPOSITORY / "crates" / "server" / "src" / "forward" / "service.rs").read_text()
    names = NAMES.findall(source)
    assert len(names) > 20
    session = botocore.session.get_session()
    for name, signing_name, variable in names:
        model = session.get_service_model(name)
        assert (model.signing_name, model.service_id.replace(" ", "_").upper()) == (signing_name, variable), name
