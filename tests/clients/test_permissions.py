"""Resource policies, tags and account settings through boto3 and the AWS CLI."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deployment import FUNCTIONS
from everstep_server import EverstepServer, function_arn
from test_aws_cli import Cli


@pytest.fixture
def name(client: Any) -> Iterator[str]:
    """Return a function of its own for one test, with version 1 and the alias `live`."""
    name = f"made-{uuid.uuid4().hex[:12]}"
    client.create_function(**FUNCTIONS["python-plain"].arguments(name), Publish=True)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    yield name
    client.delete_function(FunctionName=name)


@pytest.fixture
def aws(server: EverstepServer, tmp_path: Path) -> Cli:
    """Return the CLI, pointed to the shared server."""
    return Cli(server, tmp_path)


def allow(client: Any, name: str, **arguments: Any) -> dict[str, Any]:
    """Let S3 invoke a function, or do what the arguments say; return the statement."""
    defaults = {"StatementId": "s3", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
    added = client.add_permission(**{"FunctionName": name, **defaults, **arguments})
    assert added["ResponseMetadata"]["HTTPStatusCode"] == 201
    return json.loads(added["Statement"])


def test_permissions_are_added_shown_and_removed(client: Any, name: str):
    errors = client.exceptions
    with pytest.raises(errors.ResourceNotFoundException):
        client.get_policy(FunctionName=name)
    service = allow(client, name, SourceArn="arn:aws:s3:::bucket", SourceAccount="123456789012")
    assert service["Condition"] == {
        "StringEquals": {"AWS:SourceAccount": "123456789012"},
        "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::bucket"},
    }
    url = allow(
        client,
        name,
        StatementId="url",
        Action="lambda:InvokeFunctionUrl",
        Principal="*",
        FunctionUrlAuthType="NONE",
    )
    assert url["Condition"] == {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}
    via_url = allow(client, name, StatementId="via-url", Principal="*", InvokedViaFunctionUrl=True)
    assert via_url["Condition"] == {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}
    skill = allow(
        client, name, StatementId="skill", Principal="alexa-appkit.amazon.com", EventSourceToken="amzn1.ask.skill"
    )
    assert skill["Condition"] == {"StringEquals": {"lambda:EventSourceToken": "amzn1.ask.skill"}}
    everyone = allow(client, name, StatementId="organization", Principal="*", PrincipalOrgID="o-1234567890")
    policy = client.get_policy(FunctionName=name)
    document = json.loads(policy["Policy"])
    assert (document["Version"], document["Id"]) == ("2012-10-17", "default")
    assert document["Statement"] == [service, url, via_url, skill, everyone]
    with pytest.raises(errors.ResourceConflictException, match="already exists"):
        allow(client, name)
    with pytest.raises(errors.PreconditionFailedException):
        allow(client, name, StatementId="other", RevisionId="old")
    with pytest.raises(errors.InvalidParameterValueException, match="principal was invalid"):
        allow(client, name, StatementId="other", Principal="nobody")
    with pytest.raises(errors.InvalidParameterValueException, match=r"\$LATEST"):
        allow(client, name, Qualifier="$LATEST")
    allow(client, name, StatementId="other", RevisionId=policy["RevisionId"])
    with pytest.raises(errors.PreconditionFailedException):
        client.remove_permission(FunctionName=name, StatementId="other", RevisionId=policy["RevisionId"])
    for statement in [*document["Statement"], {"Sid": "other"}]:
        client.remove_permission(FunctionName=name, StatementId=statement["Sid"])
    with pytest.raises(errors.ResourceNotFoundException):
        client.remove_permission(FunctionName=name, StatementId="s3")


@pytest.mark.parametrize("qualifier", ["1", "live"])
def test_versions_and_aliases_have_policies_of_their_own(client: Any, name: str, qualifier: str):
    statement = allow(client, name, Qualifier=qualifier)
    assert statement["Resource"] == function_arn(name, qualifier)
    document = json.loads(client.get_policy(FunctionName=name, Qualifier=qualifier)["Policy"])
    assert document["Statement"] == [statement]
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_policy(FunctionName=name)
    client.remove_permission(FunctionName=name, StatementId="s3", Qualifier=qualifier)


def test_tags_are_added_shown_and_removed(client: Any, name: str):
    arn = function_arn(name)
    client.tag_resource(Resource=arn, Tags={"team": "a", "cost center": "7"})
    client.tag_resource(Resource=arn, Tags={"team": "b"})
    assert client.list_tags(Resource=arn)["Tags"] == {"team": "b", "cost center": "7"}
    assert client.get_function(FunctionName=name)["Tags"] == {"team": "b", "cost center": "7"}
    client.untag_resource(Resource=arn, TagKeys=["team", "cost center", "nothing"])
    assert client.list_tags(Resource=arn)["Tags"] == {}
    errors = client.exceptions
    with pytest.raises(errors.InvalidParameterValueException):
        client.tag_resource(Resource=arn, Tags={"aws:team": "a"})
    with pytest.raises(errors.InvalidParameterValueException):
        client.tag_resource(Resource=arn, Tags={str(number): "" for number in range(51)})
    with pytest.raises(errors.InvalidParameterValueException, match="versions"):
        client.list_tags(Resource=function_arn(name, "1"))
    with pytest.raises(errors.ResourceNotFoundException):
        client.list_tags(Resource=function_arn("nobody"))


def test_account_settings_count_functions_and_code(client: Any, name: str):
    settings = client.get_account_settings()
    assert settings["AccountLimit"]["CodeSizeUnzipped"] == 250 * 1024 * 1024
    assert settings["AccountLimit"]["CodeSizeZipped"] == 50 * 1024 * 1024
    assert settings["AccountLimit"]["ConcurrentExecutions"] == 24
    assert settings["AccountLimit"]["UnreservedConcurrentExecutions"] <= 24
    assert settings["AccountUsage"]["FunctionCount"] >= len(FUNCTIONS)
    size = client.get_function_configuration(FunctionName=name)["CodeSize"]
    assert settings["AccountUsage"]["TotalCodeSize"] > 2 * size
    assert settings["AccountLimit"]["TotalCodeSize"] > settings["AccountUsage"]["TotalCodeSize"]


def test_help_examples_work_as_typed(aws: Cli, client: Any, name: str):
    """These are the examples of `aws lambda … help`, with the name of a function that is there."""
    arn = function_arn(name)
    added = aws(
        *("add-permission", "--function-name", name, "--action", "lambda:InvokeFunction"),
        *("--statement-id", "sns", "--principal", "sns.amazonaws.com"),
    )
    assert json.loads(added["Statement"]) == {
        "Sid": "sns",
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": arn,
    }
    assert set(aws("get-policy", "--function-name", name)) == {"Policy", "RevisionId"}
    assert aws("remove-permission", "--function-name", name, "--statement-id", "sns") is None
    assert aws("tag-resource", "--resource", arn, "--tags", "DEPARTMENT=Department A") is None
    assert aws("list-tags", "--resource", arn) == {"Tags": {"DEPARTMENT": "Department A"}}
    assert aws("untag-resource", "--resource", arn, "--tag-keys", "DEPARTMENT") is None
    assert set(aws("get-account-settings")) == {"AccountLimit", "AccountUsage"}
