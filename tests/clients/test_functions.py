"""Functions, versions and aliases through boto3: what is created is what is read, listed, run and deleted."""

from __future__ import annotations

import base64
import hashlib
import io
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from deployment import DURABLE, FUNCTIONS, PYTHON, ROLE
from everstep_server import function_arn
from executions import call


def code(answer: str) -> bytes:
    """Return a zip with a handler that answers with a constant."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        # Its date is always the same, so that the zip is.
        archive.writestr(zipfile.ZipInfo("main.py"), f"def handler(event, context):\n    return {answer!r}\n")
    return buffer.getvalue()


@pytest.fixture
def create(client: Any) -> Iterator[Callable[..., dict[str, Any]]]:
    """Return what creates a function of an unused name; all are deleted afterwards."""
    names: list[str] = []

    def function(answer: str = "first", **arguments: Any) -> dict[str, Any]:
        name = f"made-{uuid.uuid4().hex[:12]}"
        names.append(name)
        defaults = {
            "Runtime": PYTHON,
            "Role": ROLE,
            "Handler": "main.handler",
            "Code": {"ZipFile": code(answer)},
        }
        return client.create_function(**{"FunctionName": name, **defaults, **arguments})

    yield function
    for name in names:
        with suppress(client.exceptions.ResourceNotFoundException):
            client.delete_function(FunctionName=name)


def test_created_function_is_read_back(client: Any, create: Callable[..., dict[str, Any]]):
    created = create(
        Description="a test",
        Timeout=17,
        MemorySize=256,
        Environment={"Variables": {"COLOUR": "blue"}},
        DurableConfig=DURABLE,
    )
    name = created["FunctionName"]
    zipped = code("first")
    expected = {
        "FunctionArn": function_arn(name),
        "Runtime": PYTHON,
        "Role": ROLE,
        "Handler": "main.handler",
        "Description": "a test",
        "Timeout": 17,
        "MemorySize": 256,
        "Version": "$LATEST",
        "CodeSize": len(zipped),
        "CodeSha256": base64.b64encode(hashlib.sha256(zipped).digest()).decode(),
        "Environment": {"Variables": {"COLOUR": "blue"}},
        "DurableConfig": DURABLE,
        "PackageType": "Zip",
    }
    assert created["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert expected.items() <= created.items()
    configuration = client.get_function_configuration(FunctionName=name)
    assert expected.items() <= configuration.items()
    assert (configuration["State"], configuration["LastUpdateStatus"]) == ("Active", "Successful")
    for reference in (name, function_arn(name), f"123456789012:function:{name}", f"{name}:$LATEST"):
        got = client.get_function(FunctionName=reference)
        unnamed = {key: value for key, value in expected.items() if key != "FunctionArn"}
        assert unnamed.items() <= got["Configuration"].items()
        assert got["Code"]["RepositoryType"]
    assert configuration["RevisionId"] == created["RevisionId"]


def test_defaults_are_those_of_aws(create: Callable[..., dict[str, Any]]):
    created = create()
    expected = {"Timeout": 3, "MemorySize": 128, "Description": "", "Architectures": ["x86_64"]}
    assert expected.items() <= created.items()
    assert "DurableConfig" not in created


def test_name_is_taken_once(client: Any, create: Callable[..., dict[str, Any]]):
    name = create()["FunctionName"]
    with pytest.raises(client.exceptions.ResourceConflictException, match="already exist") as caught:
        create(FunctionName=name)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 409


def test_deleted_function_is_gone(client: Any, create: Callable[..., dict[str, Any]]):
    name = create()["FunctionName"]
    assert client.delete_function(FunctionName=name)["ResponseMetadata"]["HTTPStatusCode"] in {200, 204}
    for operation in (client.get_function, client.get_function_configuration, client.delete_function):
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            operation(FunctionName=name)
    with pytest.raises(client.exceptions.ResourceNotFoundException, match=name):
        client.invoke(FunctionName=name)


def test_updated_code_runs(client: Any, create: Callable[..., dict[str, Any]]):
    name = create("first")["FunctionName"]
    assert call(client, name, None)["Payload"] == "first"
    updated = client.update_function_code(FunctionName=name, ZipFile=code("second"))
    assert updated["CodeSize"] == len(code("second"))
    client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    assert call(client, name, None)["Payload"] == "second"


def test_updated_configuration_is_in_force(client: Any, create: Callable[..., dict[str, Any]]):
    created = create(Handler="main.wrong")
    name = created["FunctionName"]
    assert call(client, name, None)["FunctionError"] == "Unhandled"
    updated = client.update_function_configuration(
        FunctionName=name, Handler="main.handler", Timeout=9, Environment={"Variables": {"COLOUR": "red"}}
    )
    assert (updated["Timeout"], updated["Environment"]["Variables"]) == (9, {"COLOUR": "red"})
    assert updated["RevisionId"] != created["RevisionId"]
    client.get_waiter("function_updated").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    assert call(client, name, None)["Payload"] == "first"
    with pytest.raises(client.exceptions.PreconditionFailedException):
        client.update_function_configuration(FunctionName=name, Timeout=5, RevisionId=created["RevisionId"])


def test_function_stays_durable_or_not(client: Any, create: Callable[..., dict[str, Any]]):
    plain = create()["FunctionName"]
    with pytest.raises(client.exceptions.InvalidParameterValueException):
        client.update_function_configuration(FunctionName=plain, DurableConfig=DURABLE)
    durable = create(DurableConfig=DURABLE)["FunctionName"]
    changed = DURABLE | {"ExecutionTimeout": 60}
    assert client.update_function_configuration(FunctionName=durable, DurableConfig=changed)["DurableConfig"] == changed
    assert client.update_function_configuration(FunctionName=durable, Timeout=5)["DurableConfig"] == changed


def test_versions_keep_their_code(client: Any, create: Callable[..., dict[str, Any]]):
    name = create("first")["FunctionName"]
    first = client.publish_version(FunctionName=name, Description="one")
    assert (first["Version"], first["Description"]) == ("1", "one")
    assert first["FunctionArn"] == function_arn(name, "1")
    again = client.publish_version(FunctionName=name, Description="one")
    assert again["Version"] == "1", "nothing changed: no new version"
    second = client.update_function_code(FunctionName=name, ZipFile=code("second"), Publish=True)
    assert second["Version"] == "2"
    versions = client.list_versions_by_function(FunctionName=name)["Versions"]
    assert [version["Version"] for version in versions] == ["$LATEST", "1", "2"]
    answers = {q: call(client, name, None, Qualifier=q) for q in ("1", "2", "$LATEST")}
    assert {q: response["Payload"] for q, response in answers.items()} == {
        "1": "first",
        "2": "second",
        "$LATEST": "second",
    }
    assert answers["1"]["ExecutedVersion"] == "1"
    client.get_waiter("published_version_active").wait(FunctionName=name, Qualifier="1")
    client.delete_function(FunctionName=name, Qualifier="1")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_function(FunctionName=name, Qualifier="1")
    assert client.get_function(FunctionName=name, Qualifier="2")["Configuration"]["Version"] == "2"


def test_aliases_point_to_versions(client: Any, create: Callable[..., dict[str, Any]]):
    name = create("first")["FunctionName"]
    client.publish_version(FunctionName=name)
    client.update_function_code(FunctionName=name, ZipFile=code("second"), Publish=True)
    alias = client.create_alias(FunctionName=name, Name="live", FunctionVersion="1", Description="d")
    assert alias["AliasArn"] == function_arn(name, "live")
    assert (alias["Name"], alias["FunctionVersion"], alias["Description"]) == ("live", "1", "d")
    response = call(client, name, None, Qualifier="live")
    assert (response["Payload"], response["ExecutedVersion"]) == ("first", "1")
    client.update_alias(FunctionName=name, Name="live", FunctionVersion="2")
    assert call(client, f"{name}:live", None, Qualifier="live")["Payload"] == "second"
    assert client.get_alias(FunctionName=name, Name="live")["FunctionVersion"] == "2"
    with pytest.raises(client.exceptions.ResourceConflictException):
        client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    client.create_alias(FunctionName=name, Name="old", FunctionVersion="1")
    listed = client.list_aliases(FunctionName=name)["Aliases"]
    assert sorted(item["Name"] for item in listed) == ["live", "old"]
    listed = client.list_aliases(FunctionName=name, FunctionVersion="1")["Aliases"]
    assert [item["Name"] for item in listed] == ["old"]
    assert client.get_function(FunctionName=name, Qualifier="live")["Configuration"]["Version"] == "2"
    client.delete_alias(FunctionName=name, Name="live")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_alias(FunctionName=name, Name="live")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke(FunctionName=name, Qualifier="live")


def test_weighted_alias_leads_to_two_versions(client: Any, create: Callable[..., dict[str, Any]]):
    name = create("first")["FunctionName"]
    client.publish_version(FunctionName=name)
    client.update_function_code(FunctionName=name, ZipFile=code("second"), Publish=True)
    weights = {"AdditionalVersionWeights": {"2": 1.0}}
    alias = client.create_alias(FunctionName=name, Name="live", FunctionVersion="1", RoutingConfig=weights)
    assert alias["RoutingConfig"] == weights
    assert client.list_aliases(FunctionName=name)["Aliases"][0]["RoutingConfig"] == weights
    response = call(client, name, None, Qualifier="live")
    assert (response["Payload"], response["ExecutedVersion"]) == ("second", "2")
    weights = {"AdditionalVersionWeights": {"2": 0.5}}
    client.update_alias(FunctionName=name, Name="live", RoutingConfig=weights)
    # That one version is drawn sixty times in a row happens once in a quintillion runs.
    drawn = {call(client, name, None, Qualifier="live")["ExecutedVersion"] for _ in range(60)}
    assert drawn == {"1", "2"}
    client.update_alias(FunctionName=name, Name="live", RoutingConfig={})
    assert "RoutingConfig" not in client.get_alias(FunctionName=name, Name="live")
    assert call(client, name, None, Qualifier="live")["ExecutedVersion"] == "1"
    errors = client.exceptions
    for wrong, version in (({"1": 0.5}, "1"), ({"2": 0.5}, "$LATEST"), ({"1": 0.1, "2": 0.1}, "1")):
        weights = {"AdditionalVersionWeights": wrong}
        with pytest.raises(errors.InvalidParameterValueException):
            client.update_alias(FunctionName=name, Name="live", FunctionVersion=version, RoutingConfig=weights)
    with pytest.raises(errors.ResourceNotFoundException):
        client.update_alias(FunctionName=name, Name="live", RoutingConfig={"AdditionalVersionWeights": {"9": 0.5}})


def test_execution_is_pinned_to_the_version_of_the_alias(client: Any):
    """A durable function started through an alias stays on that version and names it in its ARN."""
    name = f"made-{uuid.uuid4().hex[:12]}"

    client.create_function(**FUNCTIONS["python-durable"].arguments(name))
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    response = call(client, name, {"case": "nothing"}, Qualifier="live")
    assert (response["Payload"], response["ExecutedVersion"]) == ("done", "1")
    assert response["DurableExecutionArn"].startswith(function_arn(name, "1") + "/durable-execution/")
    execution = client.get_durable_execution(DurableExecutionArn=response["DurableExecutionArn"])
    assert execution["Version"] == "1"
    assert execution["FunctionArn"] == function_arn(name, "1")
    client.delete_function(FunctionName=name)


def test_lists_are_paged(client: Any, create: Callable[..., dict[str, Any]]):
    created = {create()["FunctionName"] for _ in range(3)}
    paginator = client.get_paginator("list_functions")
    pages = list(paginator.paginate(PaginationConfig={"PageSize": 2}))
    assert all(len(page["Functions"]) <= 2 for page in pages)
    names = [function["FunctionName"] for page in pages for function in page["Functions"]]
    assert created <= set(names)
    assert len(names) == len(set(names)), "no function twice"
    name = min(created)
    for number in range(3):
        client.update_function_code(FunctionName=name, ZipFile=code(str(number)), Publish=True)
    paginator = client.get_paginator("list_versions_by_function")
    pages = paginator.paginate(FunctionName=name, PaginationConfig={"PageSize": 1})
    versions = [version["Version"] for page in pages for version in page["Versions"]]
    assert versions == ["$LATEST", "1", "2", "3"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"Timeout": 0},
        {"Timeout": 901},
        {"MemorySize": 1},
        {"Runtime": "cobol85"},
        {"DurableConfig": {"ExecutionTimeout": 0}},
        {"DurableConfig": {"ExecutionTimeout": 31622401}},
        {"DurableConfig": {"ExecutionTimeout": 60, "RetentionPeriodInDays": 91}},
        {"Code": {"ZipFile": b"this is not a zip file"}},
        {"PackageType": "Image", "Code": {"ImageUri": "example.com/image:1"}},
    ],
    ids=lambda wrong: "-".join(wrong) + "-" + hashlib.sha256(repr(wrong).encode()).hexdigest()[:4],
)
def test_impossible_settings_are_refused(wrong: dict[str, Any], server: Any, create: Callable[..., dict[str, Any]]):

    client = server.client(config=Config(parameter_validation=False, retries={"total_max_attempts": 1}))
    name = f"made-{uuid.uuid4().hex[:12]}"
    arguments = {"Runtime": PYTHON, "Role": ROLE, "Handler": "main.handler", "Code": {"ZipFile": code("x")}}
    with pytest.raises(ClientError) as caught:
        client.create_function(**{"FunctionName": name, **arguments, **wrong})
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert caught.value.response["Error"]["Code"] in {"ValidationException", "InvalidParameterValueException"}
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_function(FunctionName=name)
