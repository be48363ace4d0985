"""Layers through boto3 and the AWS CLI: published, listed, used by functions of two languages, fetched, deleted."""

from __future__ import annotations

import io
import json
import urllib.request
import uuid
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from deployment import NODE, PYTHON, ROLE
from everstep_server import ACCOUNT, REGION, EverstepServer
from executions import call
from test_aws_cli import Cli


def zipped(files: dict[str, str]) -> bytes:
    """Return a zip of these files, the same whenever it is made; those in `bin` are programs."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o755 if name.startswith("bin/") else 0o600) << 16
            archive.writestr(entry, text)
    return buffer.getvalue()


def word(value: str) -> bytes:
    """Return a layer with a module of Python and one of JavaScript that has this value."""
    return zipped(
        {
            f"python/lib/{PYTHON}/site-packages/word.py": f"WORD = {value!r}\n",
            "nodejs/node_modules/word/index.js": f"module.exports = {json.dumps(value)};\n",
            "bin/tool": "#!/bin/sh\n",
        }
    )


@pytest.fixture
def layer() -> str:
    """Return an unused name of a layer."""
    return f"made-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def create(client: Any) -> Iterator[Callable[..., str]]:
    """Return what creates a function with layers; all are deleted afterwards."""
    names: list[str] = []

    def function(runtime: str, files: dict[str, str], handler: str, layers: list[str]) -> str:
        name = f"made-{uuid.uuid4().hex[:12]}"
        client.create_function(
            FunctionName=name,
            Runtime=runtime,
            Role=ROLE,
            Handler=handler,
            Timeout=30,
            Code={"ZipFile": zipped(files)},
            Layers=layers,
        )
        names.append(name)
        return name

    yield function
    for name in names:
        client.delete_function(FunctionName=name)


def layer_arn(name: str) -> str:
    """Return the ARN of a layer."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:{name}"


def test_layer_is_published_found_fetched_and_deleted(client: Any, layer: str):
    content = word("one")
    published = client.publish_layer_version(
        LayerName=layer,
        Description="words",
        LicenseInfo="MIT",
        Content={"ZipFile": content},
        CompatibleRuntimes=[PYTHON],
        CompatibleArchitectures=["x86_64"],
    )
    assert published["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert (published["LayerArn"], published["Version"]) == (layer_arn(layer), 1)
    assert published["LayerVersionArn"] == f"{layer_arn(layer)}:1"
    assert published["Content"]["CodeSize"] == len(content)
    by_number = client.get_layer_version(LayerName=layer, VersionNumber=1)
    by_arn = client.get_layer_version_by_arn(Arn=published["LayerVersionArn"])
    for found in (by_number, by_arn):
        assert (found["Description"], found["LicenseInfo"], found["CompatibleRuntimes"]) == ("words", "MIT", [PYTHON])
        with urllib.request.urlopen(found["Content"]["Location"]) as response:
            assert response.read() == content
    with pytest.raises(HTTPError, match="403"):
        urllib.request.urlopen(by_arn["Content"]["Location"].replace("token=", "token=0"))
    client.publish_layer_version(LayerName=layer_arn(layer), Content={"ZipFile": word("two")})
    versions = client.list_layer_versions(LayerName=layer)["LayerVersions"]
    assert [version["Version"] for version in versions] == [2, 1]
    for version in (1, 2):
        client.delete_layer_version(LayerName=layer, VersionNumber=version)
    assert client.list_layer_versions(LayerName=layer)["LayerVersions"] == []
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_layer_version(LayerName=layer, VersionNumber=1)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_layer_version_by_arn(Arn=published["LayerVersionArn"])
    assert client.publish_layer_version(LayerName=layer, Content={"ZipFile": word("three")})["Version"] == 3


def test_layer_version_has_a_policy(client: Any, layer: str):
    client.publish_layer_version(LayerName=layer, Content={"ZipFile": word("one")})
    named = {"LayerName": layer, "VersionNumber": 1}
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="No policy is associated"):
        client.get_layer_version_policy(**named)
    allow = {"Action": "lambda:GetLayerVersion", "Principal": "*", "OrganizationId": "o-1234567890"}
    added = client.add_layer_version_permission(**named, StatementId="all", **allow)
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:{layer}:1"
    assert json.loads(added["Statement"])["Resource"] == arn
    with pytest.raises(client.exceptions.ResourceConflictException, match="already exists"):
        client.add_layer_version_permission(**named, StatementId="all", **allow)
    with pytest.raises(client.exceptions.PreconditionFailedException):
        client.remove_layer_version_permission(**named, StatementId="all", RevisionId="other")
    found = client.get_layer_version_policy(**named)
    assert found["RevisionId"] == added["RevisionId"]
    assert json.loads(found["Policy"])["Statement"] == [json.loads(added["Statement"])]
    client.remove_layer_version_permission(**named, StatementId="all", RevisionId=found["RevisionId"])
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="is not found"):
        client.remove_layer_version_permission(**named, StatementId="all")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.add_layer_version_permission(LayerName=layer, VersionNumber=2, StatementId="all", **allow)
    client.delete_layer_version(**named)


def test_layers_are_listed_page_by_page(client: Any, layer: str):
    names = [f"{layer}-{number}" for number in range(3)]
    for name in names:
        client.publish_layer_version(LayerName=name, Content={"ZipFile": word(name)}, CompatibleRuntimes=[NODE])
    pages = list(client.get_paginator("list_layers").paginate(PaginationConfig={"PageSize": 1}))
    listed = [item["LayerName"] for page in pages for item in page["Layers"]]
    assert [name for name in listed if name.startswith(layer)] == names
    matching = client.get_paginator("list_layers").paginate(CompatibleRuntime=PYTHON)
    assert not [item for page in matching for item in page["Layers"] if item["LayerName"].startswith(layer)]


def test_functions_find_what_is_in_their_layers(client: Any, create: Callable[..., str], layer: str):
    arns = [
        client.publish_layer_version(LayerName=f"{layer}-{value}", Content={"ZipFile": word(value)})["LayerVersionArn"]
        for value in ("one", "two")
    ]
    python = "import shutil, word\ndef handler(event, context): return [word.WORD, bool(shutil.which('tool'))]\n"
    javascript = "const word = require('word');\nexports.handler = async () => [word, true];\n"
    functions = {
        create(PYTHON, {"main.py": python}, "main.handler", arns): "two",
        create(NODE, {"index.js": javascript}, "index.handler", arns): "two",
        create(PYTHON, {"main.py": python, "word.py": "WORD = 'own'\n"}, "main.handler", arns): "own",
    }
    for function, expected in functions.items():
        used = client.get_function_configuration(FunctionName=function)["Layers"]
        assert [item["Arn"] for item in used] == arns
        payload = call(client, function, None)["Payload"]
        assert payload == [expected, True], "modules by PYTHONPATH or NODE_PATH, programs by PATH"
    function = next(iter(functions))
    client.update_function_configuration(FunctionName=function, Layers=arns[::-1])
    assert call(client, function, None)["Payload"][0] == "one"
    client.update_function_configuration(FunctionName=function, Layers=[])
    assert call(client, function, None)["FunctionError"] == "Unhandled"
    errors = client.exceptions
    with pytest.raises(errors.InvalidParameterValueException, match="more than 5 layers"):
        client.update_function_configuration(FunctionName=function, Layers=arns * 3)
    with pytest.raises(errors.InvalidParameterValueException, match="does not exist"):
        client.update_function_configuration(FunctionName=function, Layers=[f"{layer_arn(layer)}:7"])


def test_code_is_fetched_where_get_function_says(client: Any, create: Callable[..., str]):
    files = {"main.py": "def handler(event, context): pass\n"}
    function = create(PYTHON, files, "main.handler", [])
    with urllib.request.urlopen(client.get_function(FunctionName=function)["Code"]["Location"]) as response:
        assert response.read() == zipped(files)


def test_help_examples_work_as_typed(server: EverstepServer, tmp_path: Path, layer: str):
    """These are the examples of `aws lambda … help`, with the zip itself instead of a bucket."""
    aws = Cli(server, tmp_path)
    (tmp_path / "layer.zip").write_bytes(word("one"))
    for version in (1, 2):
        published = aws(
            *("publish-layer-version", "--layer-name", layer, "--description", "My Python layer"),
            *("--license-info", "MIT", "--zip-file", f"fileb://{tmp_path / 'layer.zip'}"),
            *("--compatible-runtimes", "python3.10", "python3.11"),
        )
        assert (published["Version"], published["CompatibleRuntimes"]) == (version, ["python3.10", "python3.11"])
    named = ("--layer-name", layer)
    assert aws("get-layer-version", *named, "--version-number", "1")["LicenseInfo"] == "MIT"
    assert aws("get-layer-version-by-arn", "--arn", published["LayerVersionArn"])["Version"] == 2
    listed = aws("list-layers", "--compatible-runtime", "python3.11")["Layers"]
    assert layer in [item["LayerName"] for item in listed]
    assert [item["Version"] for item in aws("list-layer-versions", *named)["LayerVersions"]] == [2, 1]
    assert aws("delete-layer-version", *named, "--version-number", "2") is None
    assert [item["Version"] for item in aws("list-layer-versions", *named)["LayerVersions"]] == [1]
