"""Bad templates: each is refused at its change set, or rolled back, in AWS's words, and leaves nothing behind."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from everstep_server import ACCOUNT, EverstepServer
from stacks import create, delete, events, function, physical, settled, template

CYCLIC = {
    "One": function(Description={"Ref": "Two"}),
    "Two": function(Description={"Fn::Sub": "${Three.Arn}"}),
    "Three": function() | {"DependsOn": ["One", "Fine"]},
    "Fine": function(),
}
NAMED = {"Parameters": {"Name": {"Type": "String"}, "Size": {"Type": "Number", "Default": 1, "MaxValue": 3}}}
WRONG = function(Timeout=["soon"], Environment={"Variables": {"A": {"b": "c"}}}, Runtimes="python3.11")
FUNCTION = "Type: AWS::Lambda::Function"

REFUSED: dict[str, tuple[str, str]] = {
    "cyclic": (template(CYCLIC), "Circular dependency between resources: [One, Three, Two]"),
    "no-yaml": (f"Resources:\n  Fn: {{{FUNCTION}", "Template format error: YAML not well-formed. (line 3, column 1)"),
    "no-json": ('{"Resources": {}', "Template format error: JSON not well-formed. (line 1, column 16)"),
    "no-object": ("Resources", "Template format error: unsupported structure."),
    "twice": (
        f"Resources:\n  Fn: {{{FUNCTION}}}\n  Fn: {{{FUNCTION}}}\n",
        "Template format error: Duplicate key 'Fn' (line 3, column 3)",
    ),
    "empty": (template({}), "Template format error: At least one Resources member must be defined."),
    "untyped": (
        template({"Fn": {"Properties": {}}}),
        "Template format error: [/Resources/Fn] Every Resources object must contain a Type member.",
    ),
    "unknown-type": (
        template({"Fn": function(), "Odd": {"Type": "AWS::Lamda::Function"}}),
        "Template format error: Unrecognized resource types: [AWS::Lamda::Function]",
    ),
    "unknown-section": (template({"Fn": function()}, Output={}), "Invalid template property or properties [Output]"),
    "unknown-parameter": (
        template({"Fn": function(Description={"Ref": "Nam"})}, Parameters={"Name": {"Type": "String", "Default": ""}}),
        "Template format error: Unresolved resource dependencies [Nam] in the Resources block of the template",
    ),
    "unknown-resource": (
        template({"Fn": function(Description={"Fn::GetAtt": ["Other", "Arn"]})}),
        "Template error: instance of Fn::GetAtt references undefined resource Other",
    ),
    "unknown-attribute": (
        template({"Fn": function(), "Gn": function(Description={"Fn::GetAtt": ["Fn", "Size"]})}),
        "Template error: resource Fn does not support attribute type Size in Fn::GetAtt",
    ),
    "unknown-function": (
        template({"Fn": function(Description={"Fn::Joint": ["", []]})}),
        "Template error: Encountered unsupported function: Fn::Joint Supported functions are: [Fn::Base64, Fn::GetAtt, "
        "Fn::GetAZs, Fn::ImportValue, Fn::Join, Fn::Split, Fn::FindInMap, Fn::Select, Ref, Fn::If, Fn::Sub, Fn::Cidr]",
    ),
    "unknown-condition": (
        template({"Fn": function() | {"Condition": "Always"}}),
        "Template format error: Unresolved condition dependency Always in the Resources block of the template",
    ),
    "missing-parameter": (template({"Fn": function()}, **NAMED), "Parameters: [Name] must have values"),
    "missing-export": (
        template({"Fn": function(Description={"Fn::ImportValue": "bad-nowhere"})}),
        "No export named bad-nowhere found",
    ),
    "wrong-property": (
        template({"Fn": WRONG}),
        "Properties validation failed for resource Fn with message:"
        "\n#: extraneous key [Runtimes] is not permitted"
        "\n#/Environment/Variables/A: expected type: String, found: JSONObject"
        "\n#/Timeout: expected type: Integer, found: JSONArray",
    ),
}


@pytest.fixture
def stacks(server: EverstepServer) -> Any:
    """Return a CloudFormation client of the shared server."""
    return server.client(service="cloudformation")


def refusal(stacks: Any, name: str, body: str, **arguments: Any) -> str:
    """Ask for a change set that is refused; return the words."""
    with pytest.raises(ClientError) as error:
        stacks.create_change_set(StackName=name, ChangeSetName="bad", TemplateBody=body, **arguments)
    assert error.value.response["Error"]["Code"] == "ValidationError"
    return error.value.response["Error"]["Message"]


def left(client: Any, stacks: Any, name: str) -> list[str]:
    """Return what there is of a stack: functions, and the stack itself unless it was deleted."""
    pages = client.get_paginator("list_functions").paginate()
    functions = [item["FunctionName"] for page in pages for item in page["Functions"]]
    summaries = [item for page in stacks.get_paginator("list_stacks").paginate() for item in page["StackSummaries"]]
    alive = [item["StackName"] for item in summaries if item["StackStatus"] != "DELETE_COMPLETE"]
    return [known for known in functions if known.startswith(f"{name}-")] + [known for known in alive if known == name]


@pytest.mark.parametrize("name", REFUSED)
def test_refused_at_the_change_set(name: str, client: Any, stacks: Any):
    body, message = REFUSED[name]
    name = f"bad-{name}"
    assert refusal(stacks, name, body, ChangeSetType="CREATE") == message
    with pytest.raises(ClientError) as error:
        stacks.create_stack(StackName=name, TemplateBody=body)
    assert error.value.response["Error"]["Message"] == message
    assert left(client, stacks, name) == []


def test_values_of_parameters_are_checked(client: Any, stacks: Any):
    body = template({"Fn": function(Description={"Ref": "Name"}, Timeout={"Ref": "Size"})}, **NAMED)
    for values, message in [
        ({"Name": "x", "Size": "4"}, "Parameter 'Size' must be a number not greater than 3"),
        ({"Name": "x", "Size": "large"}, "Parameter 'Size' must be a number"),
        ({"Name": "x", "Sise": "1"}, "Parameters: [Sise] do not exist in the template"),
    ]:
        parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]
        assert refusal(stacks, "bad-values", body, ChangeSetType="CREATE", Parameters=parameters) == message
    assert left(client, stacks, "bad-values") == []


def test_a_bad_update_leaves_the_stack_as_it_is(client: Any, stacks: Any):
    name = "bad-update"
    create(stacks, name, template({"Fn": function(Description="before")}))
    ids = physical(stacks, name)
    for body, message in REFUSED.values():
        assert refusal(stacks, name, body) == message
    retyped = template({"Fn": {"Type": "AWS::CDK::Metadata"}})
    assert refusal(stacks, name, retyped) == (
        "Update of resource type is not permitted. "
        "The new template modifies resource type of the following resources: [Fn]"
    )
    assert stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"
    assert client.get_function_configuration(FunctionName=ids["Fn"])["Description"] == "before"
    assert stacks.list_change_sets(StackName=name)["Summaries"] == []
    delete(stacks, name)
    assert left(client, stacks, name) == []


def test_roles_need_to_be_allowed(client: Any, stacks: Any):
    name = "bad-capability"
    trust = {"Version": "2012-10-17", "Statement": []}
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust}}
    with pytest.raises(ClientError) as error:
        body = template({"Role": role})
        stacks.create_change_set(StackName=name, ChangeSetName="bad", ChangeSetType="CREATE", TemplateBody=body)
    assert error.value.response["Error"]["Code"] == "InsufficientCapabilitiesException"
    assert error.value.response["Error"]["Message"] == "Requires capabilities : [CAPABILITY_IAM]"
    assert left(client, stacks, name) == []


@pytest.mark.parametrize(
    ("case", "properties", "reason"),
    [
        (
            "role",
            {"Role": f"arn:aws:iam::{ACCOUNT}:role/bad-nobody"},
            "The role defined for the function cannot be assumed by Lambda.",
        ),
        ("code", {"Code": {"S3Bucket": "bad-nowhere", "S3Key": "code.zip"}}, ""),
    ],
)
def test_what_does_not_exist_is_rolled_back(
    case: str, properties: dict[str, Any], reason: str, client: Any, stacks: Any
):
    name = f"bad-{case}"
    body = template({"Fine": function(), "Fn": function(**properties) | {"DependsOn": "Fine"}})
    create(stacks, name, body, "ROLLBACK_COMPLETE")
    reasons = [why for who, status, why in events(stacks, name) if (who, status) == ("Fn", "CREATE_FAILED")]
    assert len(reasons) == 1
    assert reason in reasons[0]
    assert left(client, stacks, name) == [name]
    delete(stacks, name)
    assert left(client, stacks, name) == []


def test_what_only_shows_when_it_is_made_is_rolled_back(client: Any, stacks: Any):
    """What a property becomes is known only when the other resource exists."""
    name = "bad-at-last"
    body = template({"Fn": function(), "Late": function(Timeout={"Fn::GetAtt": ["Fn", "Arn"]})})
    arn = create(stacks, name, body, "ROLLBACK_COMPLETE")["StackId"]
    reasons = [why for who, status, why in events(stacks, name) if (who, status) == ("Late", "CREATE_FAILED")]
    assert reasons == [
        "Properties validation failed for resource Late with message:\n#/Timeout: expected type: Integer, found: String"
    ]
    assert left(client, stacks, name) == [name]
    delete(stacks, name)
    assert left(client, stacks, name) == []
    assert settled(stacks, arn, "DELETE_COMPLETE")["StackName"] == name
