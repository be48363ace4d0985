"""Stacks: change sets, updates, failures and deletions, as boto3 asks for them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

import dynamodb_server
import web
from everstep_server import ACCOUNT, REGION, EverstepServer, eventually
from executions import call
from stacks import ROLE, SOURCE, create, delete, events, function, physical, resource, settled, template, update

Start = Callable[..., EverstepServer]

FULL = {
    "Fn": function(Environment={"Variables": {"GREETING": {"Ref": "Greeting"}}}, Tags=[{"Key": "own", "Value": "1"}]),
    "FnVersion": resource("Version", FunctionName={"Ref": "Fn"}),
    "Live": resource(
        "Alias", Name="live", FunctionName={"Ref": "Fn"}, FunctionVersion={"Fn::GetAtt": ["FnVersion", "Version"]}
    ),
    "Allowed": resource(
        "Permission", FunctionName={"Ref": "Live"}, Action="lambda:InvokeFunction", Principal="s3.amazonaws.com"
    ),
    "Address": resource("Url", TargetFunctionArn={"Ref": "Live"}, AuthType="AWS_IAM"),
    "Retries": resource("EventInvokeConfig", FunctionName={"Ref": "Fn"}, Qualifier="$LATEST", MaximumRetryAttempts="1"),
}
SECTIONS = {
    "Parameters": {"Greeting": {"Type": "String", "Default": "moin"}},
    "Outputs": {
        "Arn": {"Value": {"Fn::GetAtt": ["Fn", "Arn"]}, "Description": "the function"},
        "Url": {"Value": {"Fn::GetAtt": ["Address", "FunctionUrl"]}},
    },
}


@pytest.fixture
def stacks(server: EverstepServer) -> Any:
    """Return a CloudFormation client of the shared server."""
    return server.client(service="cloudformation")


def missing(stacks: Any, name: str) -> None:
    """Check that there is no such stack, in the words that AWS's tools look for."""
    with pytest.raises(ClientError) as error:
        stacks.describe_stacks(StackName=name)
    assert error.value.response["Error"] == {
        "Type": "Sender",
        "Code": "ValidationError",
        "Message": f"Stack with id {name} does not exist",
    }


def test_change_sets_make_update_and_delete_stacks(client: Any, stacks: Any):
    name = "by-change-set"
    missing(stacks, name)
    body = template(FULL, **SECTIONS)
    made = stacks.create_change_set(
        StackName=name,
        ChangeSetName="first",
        ChangeSetType="CREATE",
        TemplateBody=body,
        Tags=[{"Key": "t", "Value": "v"}],
    )
    stacks.get_waiter("change_set_create_complete").wait(StackName=name, ChangeSetName="first")
    assert events(stacks, name) == [(name, "REVIEW_IN_PROGRESS", "User Initiated")]
    described = stacks.describe_change_set(ChangeSetName=made["Id"])
    assert {change["ResourceChange"]["Action"] for change in described["Changes"]} == {"Add"}
    assert len(described["Changes"]) == len(FULL)
    stacks.execute_change_set(ChangeSetName=made["Id"])
    stack = settled(stacks, name, "CREATE_COMPLETE")
    assert stack["StackId"] == made["StackId"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    ids = physical(stacks, name)
    assert ids["Fn"].startswith(f"{name}-Fn-")
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{ids['Fn']}"
    assert outputs["Arn"] == arn
    assert ids["FnVersion"] == f"{arn}:1"
    assert ids["Live"] == f"{arn}:live"
    assert call(client, ids["Fn"], {}, Qualifier="live")["Payload"] == "moin"
    assert outputs["Url"] == client.get_function_url_config(FunctionName=ids["Fn"], Qualifier="live")["FunctionUrl"]
    policy = json.loads(client.get_policy(FunctionName=ids["Fn"], Qualifier="live")["Policy"])
    assert [statement["Sid"] for statement in policy["Statement"]] == [ids["Allowed"]]
    config = client.get_function_event_invoke_config(FunctionName=ids["Fn"], Qualifier="$LATEST")
    assert config["MaximumRetryAttempts"] == 1
    tags = client.list_tags(Resource=arn)["Tags"]
    assert tags == {
        "own": "1",
        "t": "v",
        "aws:cloudformation:logical-id": "Fn",
        "aws:cloudformation:stack-id": stack["StackId"],
        "aws:cloudformation:stack-name": name,
    }
    happened = [(status, why) for who, status, why in events(stacks, name) if who == "Fn"]
    assert happened == [
        ("CREATE_IN_PROGRESS", ""),
        ("CREATE_IN_PROGRESS", "Resource creation Initiated"),
        ("CREATE_COMPLETE", ""),
    ]
    assert stacks.list_change_sets(StackName=name)["Summaries"] == []

    # The same again changes nothing.
    again = {"StackName": name, "ChangeSetName": "again", "TemplateBody": body, "Tags": [{"Key": "t", "Value": "v"}]}
    stacks.create_change_set(**again)
    described = stacks.describe_change_set(StackName=name, ChangeSetName="again")
    assert described["Status"] == "FAILED"
    assert described["StatusReason"].startswith("The submitted information didn't contain changes.")
    with pytest.raises(ClientError, match="cannot be executed in its current status"):
        stacks.execute_change_set(StackName=name, ChangeSetName="again")
    with pytest.raises(ClientError, match="No updates are to be performed"):
        stacks.update_stack(StackName=name, UsePreviousTemplate=True)

    # Another greeting changes the function as it is.
    parameters = [{"ParameterKey": "Greeting", "ParameterValue": "servus"}]
    stacks.create_change_set(**again | {"ChangeSetName": "second", "Parameters": parameters})
    changes = stacks.describe_change_set(StackName=name, ChangeSetName="second")["Changes"]
    changed = {change["ResourceChange"]["LogicalResourceId"]: change["ResourceChange"] for change in changes}
    assert changed["Fn"]["Action"] == "Modify"
    assert changed["Fn"]["Replacement"] == "False"
    assert changed["Fn"]["PhysicalResourceId"] == ids["Fn"]
    stacks.execute_change_set(StackName=name, ChangeSetName="second")
    stack = settled(stacks, name, "UPDATE_COMPLETE")
    assert stack["Parameters"] == parameters
    assert physical(stacks, name)["Fn"] == ids["Fn"]
    assert call(client, ids["Fn"], {})["Payload"] == "servus"
    assert (name, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "") in events(stacks, name)

    delete(stacks, name)
    missing(stacks, name)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_function(FunctionName=ids["Fn"])
    gone = stacks.describe_stacks(StackName=made["StackId"])["Stacks"][0]
    assert gone["StackStatus"] == "DELETE_COMPLETE"
    assert any(known["StackId"] == made["StackId"] for known in stacks.list_stacks()["StackSummaries"])
    stacks.delete_stack(StackName=name)


def test_creation_that_fails_leaves_nothing(client: Any, stacks: Any):
    name = "fails"
    body = template({"Good": function(), "Bad": function(Runtime="python3.11", MemorySize=1) | {"DependsOn": "Good"}})
    create(stacks, name, body, "ROLLBACK_COMPLETE")
    happened = events(stacks, name)
    assert (
        name,
        "ROLLBACK_IN_PROGRESS",
        "The following resource(s) failed to create: [Bad]. Rollback requested by user.",
    ) in happened
    why = next(why for who, status, why in happened if (who, status) == ("Bad", "CREATE_FAILED"))
    assert why.startswith("Resource handler returned message: \"1 validation error detected: Value '1' at 'memorySize'")
    assert why.endswith("HandlerErrorCode: InvalidRequest)")
    assert [status for who, status, _ in happened if who == "Good"][-1] == "DELETE_COMPLETE"
    assert not [known for known in functions(client) if known.startswith(f"{name}-")]
    with pytest.raises(ClientError, match="is in ROLLBACK_COMPLETE state and can not be updated"):
        stacks.update_stack(StackName=name, TemplateBody=template({"Good": function()}))
    # What was to be made can still be read.
    assert stacks.get_template(StackName=name)["TemplateBody"] == json.loads(body)
    assert set(stacks.get_template_summary(StackName=name)["ResourceTypes"]) == {"AWS::Lambda::Function"}
    delete(stacks, name)


def test_name_that_is_taken_is_left_alone(client: Any, stacks: Any):
    create(stacks, "owner", template({"Fn": function(FunctionName="taken-by-owner")}))
    create(stacks, "rival", template({"Fn": function(FunctionName="taken-by-owner")}), "ROLLBACK_COMPLETE")
    assert "Function already exist: taken-by-owner" in str(events(stacks, "rival"))
    assert call(client, "taken-by-owner", {})["Payload"] == "hello"
    delete(stacks, "rival")
    assert call(client, "taken-by-owner", {})["Payload"] == "hello"
    delete(stacks, "owner")


@pytest.mark.parametrize(("on_failure", "expected"), [("DO_NOTHING", "CREATE_FAILED"), ("DELETE", "DELETE_COMPLETE")])
def test_failures_are_treated_as_asked(on_failure: str, expected: str, client: Any, stacks: Any):
    name = f"on-failure-{on_failure.replace('_', '-').lower()}"
    resources = {"Good": function(), "Bad": function(MemorySize=1) | {"DependsOn": "Good"}}
    stack = create(stacks, name, template(resources), expected, OnFailure=on_failure)
    left = [known for known in functions(client) if known.startswith(f"{name}-")]
    if expected == "DELETE_COMPLETE":
        assert left == []
        return
    assert len(left) == 1
    assert stack["StackStatusReason"] == "The following resource(s) failed to create: [Bad]. "
    # It can be repaired where it is.
    update(stacks, name, template(resources | {"Bad": function()}))
    assert len([known for known in functions(client) if known.startswith(f"{name}-")]) == 2
    delete(stacks, name)


def test_update_that_fails_goes_back(client: Any, stacks: Any):
    name = "goes-back"
    before = {"Kept": function(Description="before"), "Gone": function(), "Other": function(FunctionName="goes-back-1")}
    create(stacks, name, template(before))
    ids = physical(stacks, name)
    after = {
        "Kept": function(Description="after"),
        "Other": function(FunctionName="goes-back-2"),
        "New": function() | {"DependsOn": ["Kept", "Other"]},
        "Bad": function(MemorySize=1) | {"DependsOn": "New"},
    }
    update(stacks, name, template(after), "UPDATE_ROLLBACK_COMPLETE")
    happened = events(stacks, name)
    assert (name, "UPDATE_ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [Bad]. ") in happened
    assert physical(stacks, name) == ids
    assert client.get_function(FunctionName=ids["Kept"])["Configuration"]["Description"] == "before"
    mine = [known for known in functions(client) if known.startswith(f"{name}-")]
    assert sorted(mine) == sorted(ids.values())
    # From here it can be updated to something that works.
    after.pop("Bad")
    update(stacks, name, template(after))
    assert physical(stacks, name).keys() == after.keys()
    mine = [known for known in functions(client) if known.startswith(f"{name}-")]
    assert sorted(mine) == sorted(physical(stacks, name).values())
    assert client.get_function(FunctionName=ids["Kept"])["Configuration"]["Description"] == "after"
    delete(stacks, name)


def test_update_is_cancelled_and_goes_back(own_server: Start, tmp_path: Path):
    begun, cancelled = threading.Event(), threading.Event()

    def queues(asked: Any) -> tuple[int, Any]:
        # The update is under way until it has been cancelled: its second resource waits for that.
        if asked.get("Attributes") == {"DelaySeconds": "2"}:
            begun.set()
            cancelled.wait(60)
        return 200, {"QueueUrl": "http://queues/1/q", "Attributes": {"QueueArn": "arn:aws:sqs:us-east-1:1:q"}}

    def resources(value: str) -> str:
        parameter = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value}}
        queue = {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": value}, "DependsOn": "First"}
        return template({"First": parameter, "Queue": queue, "Last": parameter | {"DependsOn": "Queue"}})

    name, config = "cancelled", tmp_path / "everstep.toml"
    with web.service(queues) as url:
        config.write_text(dynamodb_server.forwarded(url, tmp_path / "keys", "sqs"))
        server = own_server(arguments=("--config", str(config)))
        stacks, ssm = server.client(service="cloudformation"), server.client(service="ssm")
        create(stacks, name, resources("1"))
        with pytest.raises(ClientError, match="CancelUpdateStack cannot be called from current stack status"):
            stacks.cancel_update_stack(StackName=name)
        stacks.update_stack(StackName=name, TemplateBody=resources("2"))
        assert begun.wait(60)
        stacks.cancel_update_stack(StackName=name)
        cancelled.set()
        settled(stacks, name, "UPDATE_ROLLBACK_COMPLETE")
        happened = events(stacks, name)
        assert (name, "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated") in happened
        changed = {logical_id for logical_id, status, _ in happened if status == "UPDATE_COMPLETE"}
        assert changed == {"First", "Queue"}
        ids = physical(stacks, name)
        values = {ssm.get_parameter(Name=ids[logical_id])["Parameter"]["Value"] for logical_id in ("First", "Last")}
        assert values == {"1"}


def test_rollback_that_failed_is_continued(client: Any, stacks: Any, server: EverstepServer):
    name, iam = "continued", server.client(service="iam")
    lambda_may = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [lambda_may]})
    for role in ("continued-1", "continued-2"):
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust)
    role = f"arn:aws:iam::{ACCOUNT}:role/continued"
    create(stacks, name, template({"Fn": function(Role=f"{role}-1")}))
    iam.delete_role(RoleName="continued-1")
    after = {"Fn": function(Role=f"{role}-2"), "Bad": function(MemorySize=1) | {"DependsOn": "Fn"}}
    update(stacks, name, template(after), "UPDATE_ROLLBACK_FAILED")
    # There is no way back but by what was there before.
    stacks.continue_update_rollback(StackName=name)
    settled(stacks, name, "UPDATE_ROLLBACK_FAILED")
    iam.create_role(RoleName="continued-1", AssumeRolePolicyDocument=trust)
    stacks.continue_update_rollback(StackName=name)
    settled(stacks, name, "UPDATE_ROLLBACK_COMPLETE")
    found = client.get_function_configuration(FunctionName=physical(stacks, name)["Fn"])
    assert found["Role"] == f"{role}-1"
    with pytest.raises(ClientError, match="can not continue update rollback"):
        stacks.continue_update_rollback(StackName=name)
    delete(stacks, name)
    for role in ("continued-1", "continued-2"):
        iam.delete_role(RoleName=role)


def test_log_groups_are_made_and_printed_to(client: Any, stacks: Any, server: EverstepServer):
    name, logs = "log-groups", server.client(service="logs")

    def with_days(days: int) -> str:
        group = {"RetentionInDays": days, "Tags": [{"Key": "team", "Value": "one"}]}
        resources = {
            "Group": {"Type": "AWS::Logs::LogGroup", "Properties": group},
            "Fn": function(LoggingConfig={"LogGroup": {"Ref": "Group"}}),
        }
        return template(resources, Outputs={"Arn": {"Value": {"Fn::GetAtt": ["Group", "Arn"]}}})

    stack = create(stacks, name, with_days(3))
    ids = physical(stacks, name)
    assert stack["Outputs"][0]["OutputValue"].endswith(f":log-group:{ids['Group']}:*")
    call(client, ids["Fn"], {})
    eventually("lines in the group", lambda: logs.filter_log_events(logGroupName=ids["Group"])["events"])
    update(stacks, name, with_days(7))
    [group] = logs.describe_log_groups(logGroupNamePrefix=ids["Group"])["logGroups"]
    assert group["retentionInDays"] == 7
    delete(stacks, name)
    assert logs.describe_log_groups(logGroupNamePrefix=ids["Group"])["logGroups"] == []


def test_there_are_no_results_of_hooks(stacks: Any):
    found = stacks.list_hook_results(TargetType="CHANGE_SET", TargetId="any")
    assert (found["HookResults"], found["TargetId"]) == ([], "any")


def test_policies_say_what_stays(client: Any, stacks: Any):
    name = "retains"
    create(stacks, name, template({"Kept": function() | {"DeletionPolicy": "Retain"}, "Gone": function()}))
    ids = physical(stacks, name)
    arn = stacks.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
    delete(stacks, name)
    assert ("Kept", "DELETE_SKIPPED", "") in events(stacks, arn)
    assert ids["Kept"] in functions(client)
    assert ids["Gone"] not in functions(client)
    client.delete_function(FunctionName=ids["Kept"])


def test_exports_are_unique_and_held_by_those_who_import_them(stacks: Any):
    output = {"Arn": {"Value": {"Fn::GetAtt": ["Fn", "Arn"]}, "Export": {"Name": "exports-arn"}}}
    create(stacks, "exports", template({"Fn": function()}, Outputs=output))
    create(stacks, "exports-too", template({"Fn": function()}, Outputs=output), "ROLLBACK_COMPLETE")
    assert "Export with name exports-arn is already exported by stack exports" in str(events(stacks, "exports-too"))
    variables = {"Variables": {"GREETING": {"Fn::ImportValue": "exports-arn"}}}
    create(stacks, "imports", template({"Fn": function(Environment=variables)}))
    assert stacks.list_imports(ExportName="exports-arn")["Imports"] == ["imports"]
    assert {"exports-arn"} <= {export["Name"] for export in stacks.list_exports()["Exports"]}
    stacks.delete_stack(StackName="exports")
    stack = settled(stacks, "exports", "DELETE_FAILED")
    assert stack["StackStatusReason"] == "Export exports-arn cannot be deleted as it is in use by imports"
    for name in ("imports", "exports", "exports-too"):
        delete(stacks, name)
    assert "exports-arn" not in {export["Name"] for export in stacks.list_exports()["Exports"]}


def test_types_that_are_not_served_are_named_and_accepted_when_the_stack_says_so(client: Any, stacks: Any):
    nested = {"Child": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "http://localhost/t"}}}
    child = {"StackName": "nested", "ChangeSetName": "refused"}
    capability = {"Capabilities": ["CAPABILITY_IAM"]}
    stacks.create_change_set(**child, ChangeSetType="CREATE", TemplateBody=template(nested), **capability)
    described = stacks.describe_change_set(**child)
    assert described["Status"] == "FAILED"
    assert "Child (AWS::CloudFormation::Stack)" in described["StatusReason"]
    resources = {
        "Fn": function(Environment={"Variables": {"GREETING": {"Ref": "Topic"}}}),
        "Topic": {"Type": "AWS::SNS::Topic"},
    }
    arguments = {"StackName": "unserved", "ChangeSetType": "CREATE", "TemplateBody": template(resources)}
    stacks.create_change_set(ChangeSetName="refused", **arguments)
    described = stacks.describe_change_set(StackName="unserved", ChangeSetName="refused")
    assert described["Status"] == "FAILED"
    assert "Topic (AWS::SNS::Topic)" in described["StatusReason"]
    accept = [{"Key": "EverstepAcceptNotServed", "Value": "true"}]
    stacks.create_change_set(ChangeSetName="accepted", Tags=accept, **arguments)
    stacks.execute_change_set(StackName="unserved", ChangeSetName="accepted")
    settled(stacks, "unserved", "CREATE_COMPLETE")
    why = next(why for who, status, why in events(stacks, "unserved") if (who, status) == ("Topic", "CREATE_COMPLETE"))
    assert why.startswith("WARNING: Everstep does not serve AWS::SNS::Topic yet.")
    ids = physical(stacks, "unserved")
    assert call(client, ids["Fn"], {})["Payload"] == ids["Topic"]
    delete(stacks, "unserved")


def test_repositories_and_keys_are_noted_down_with_a_warning(stacks: Any, server: EverstepServer):
    ecr, kms = server.client(service="ecr"), server.client(service="kms")
    tags = [{"Key": "team", "Value": "one"}]
    resources = {
        "Images": {"Type": "AWS::ECR::Repository", "Properties": {"RepositoryName": "team/images", "Tags": tags}},
        "Key": {"Type": "AWS::KMS::Key", "Properties": {"Description": "ours", "Enabled": True}},
        "Alias": {"Type": "AWS::KMS::Alias", "Properties": {"AliasName": "alias/ours", "TargetKeyId": {"Ref": "Key"}}},
    }
    outputs = {
        "Uri": {"Value": {"Fn::GetAtt": ["Images", "RepositoryUri"]}},
        "Key": {"Value": {"Fn::GetAtt": ["Key", "Arn"]}},
    }
    stack = create(stacks, "records", template(resources, Outputs=outputs))
    values = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    [repository] = ecr.describe_repositories(repositoryNames=["team/images"])["repositories"]
    assert repository["repositoryUri"] == values["Uri"]
    assert kms.describe_key(KeyId="alias/ours")["KeyMetadata"]["Arn"] == values["Key"]
    warnings = {
        who: why for who, status, why in events(stacks, "records") if status == "CREATE_COMPLETE" and who != "records"
    }
    assert set(warnings) == {"Images", "Key", "Alias"}
    assert all(why.startswith("WARNING: Everstep noted the ") for why in warnings.values()), warnings
    resources["Key"]["Properties"] = {"Description": "theirs", "Enabled": False}
    resources["Images"]["Properties"]["ImageTagMutability"] = "IMMUTABLE"
    update(stacks, "records", template(resources, Outputs=outputs))
    key = kms.describe_key(KeyId="alias/ours")["KeyMetadata"]
    assert (key["Description"], key["KeyState"], key["Arn"]) == ("theirs", "Disabled", values["Key"])
    [repository] = ecr.describe_repositories(repositoryNames=["team/images"])["repositories"]
    assert repository["imageTagMutability"] == "IMMUTABLE"
    assert ecr.list_tags_for_resource(resourceArn=repository["repositoryArn"])["tags"] == tags
    delete(stacks, "records")
    assert (ecr.describe_repositories()["repositories"], kms.list_keys()["Keys"]) == ([], [])
    assert kms.list_aliases()["Aliases"] == []


def test_serverless_templates_are_transformed(client: Any, stacks: Any):
    name = "serverless"
    properties = {
        "InlineCode": SOURCE,
        "Handler": "index.handler",
        "Runtime": "python3.11",
        "Role": ROLE,
        "AutoPublishAlias": "live",
        "FunctionUrlConfig": {"AuthType": "NONE"},
        "EventInvokeConfig": {"MaximumRetryAttempts": 1},
    }
    resources = {"Fn": {"Type": "AWS::Serverless::Function", "Properties": properties}}
    sections = {
        "Transform": "AWS::Serverless-2016-10-31",
        "Globals": {"Function": {"Environment": {"Variables": {"GREETING": "moin"}}}},
        "Outputs": {"Live": {"Value": {"Ref": "Fn.Alias"}}},
    }
    body = template(resources, **sections)
    with pytest.raises(ClientError, match="Requires capabilities : \\[CAPABILITY_AUTO_EXPAND\\]"):
        stacks.create_stack(StackName=name, TemplateBody=body)
    expand = {"Capabilities": ["CAPABILITY_AUTO_EXPAND"]}
    stack = create(stacks, name, body, **expand)
    first = stack["Outputs"][0]["OutputValue"]
    assert call(client, first.removesuffix(":live"), {}, Qualifier="live")["Payload"] == "moin"
    processed = stacks.get_template(StackName=name, TemplateStage="Processed")["TemplateBody"]
    assert processed["Resources"]["Fn"]["Type"] == "AWS::Lambda::Function"
    assert stacks.get_template(StackName=name)["TemplateBody"] == json.loads(body)
    # Another environment is another version, to which the alias leads; the old one is retained, as SAM has it.
    update(stacks, name, body.replace("moin", "servus"), **expand)
    function_arn = first.removesuffix(":live")
    assert call(client, function_arn, {}, Qualifier="live")["Payload"] == "servus"
    assert call(client, function_arn, {}, Qualifier="1")["Payload"] == "moin"
    delete(stacks, name)


def test_functions_get_roles_of_their_own(client: Any, stacks: Any, server: EverstepServer):
    name, iam = "own-role", server.client(service="iam")
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
    properties = {
        "InlineCode": SOURCE,
        "Handler": "index.handler",
        "Runtime": "python3.11",
        "DurableConfig": {"ExecutionTimeout": 60},
        "Policies": [allow],
    }
    resources = {
        "Fn": {"Type": "AWS::Serverless::Function", "Properties": properties},
        "Inline": {
            "Type": "AWS::IAM::Policy",
            "Properties": {"PolicyName": "inline", "PolicyDocument": allow, "Roles": [{"Ref": "FnRole"}]},
        },
        "Managed": {
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {"PolicyDocument": allow, "Roles": [{"Ref": "FnRole"}]},
        },
    }
    body = template(resources, Transform="AWS::Serverless-2016-10-31")
    expand = ["CAPABILITY_AUTO_EXPAND"]
    with pytest.raises(ClientError, match="Requires capabilities : \\[CAPABILITY_IAM\\]"):
        stacks.create_stack(StackName=name, TemplateBody=body, Capabilities=expand)
    arguments = {"Capabilities": [*expand, "CAPABILITY_IAM"]}
    create(stacks, name, body, **arguments)
    ids = physical(stacks, name)

    def granted() -> tuple[list[str], list[str]]:
        attached = iam.list_attached_role_policies(RoleName=ids["FnRole"])["AttachedPolicies"]
        inline = iam.list_role_policies(RoleName=ids["FnRole"])["PolicyNames"]
        return sorted(policy["PolicyArn"] for policy in attached), sorted(inline)

    durable = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicDurableExecutionRolePolicy"
    assert granted() == (sorted([durable, ids["Managed"]]), ["FnRolePolicy0", "inline"])
    role = client.get_function(FunctionName=ids["Fn"])["Configuration"]["Role"]
    assert role == iam.get_role(RoleName=ids["FnRole"])["Role"]["Arn"]
    tags = {tag["Key"]: tag["Value"] for tag in iam.list_role_tags(RoleName=ids["FnRole"])["Tags"]}
    assert tags["lambda:createdBy"] == "SAM"

    # What the template says no more is taken away; what is changed is in force.
    resources.pop("Inline")
    properties["Policies"] = ["AWSLambda_ReadOnlyAccess", "CloudWatchLogsReadOnlyAccess"]
    deny = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
    resources["Managed"]["Properties"]["PolicyDocument"] = deny
    update(stacks, name, template(resources, Transform="AWS::Serverless-2016-10-31"), **arguments)
    attached, inline = granted()
    assert inline == []
    assert ids["Managed"] in attached
    assert len(attached) == 4
    policy = iam.get_policy(PolicyArn=ids["Managed"])["Policy"]
    version = iam.get_policy_version(PolicyArn=ids["Managed"], VersionId=policy["DefaultVersionId"])
    assert version["PolicyVersion"]["Document"] == deny

    delete(stacks, name)
    for kind, known in {"get_role": {"RoleName": ids["FnRole"]}, "get_policy": {"PolicyArn": ids["Managed"]}}.items():
        with pytest.raises(iam.exceptions.NoSuchEntityException):
            getattr(iam, kind)(**known)


def test_parameters_of_the_store_are_made_and_read(client: Any, stacks: Any, server: EverstepServer):
    name, ssm = "by-ssm", server.client(service="ssm")
    made = {
        "Type": "AWS::SSM::Parameter",
        "Properties": {"Type": "String", "Value": "moin", "Name": "/stacks/greeting", "Tags": {"a": "1"}},
    }
    create(stacks, f"{name}-store", template({"Greeting": made}))
    assert ssm.get_parameter(Name="/stacks/greeting")["Parameter"]["Value"] == "moin"
    kind = {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/stacks/greeting"}
    variables = {"Variables": {"GREETING": {"Ref": "Greeting"}}}
    body = template({"Fn": function(Environment=variables)}, Parameters={"Greeting": kind})
    stack = create(stacks, name, body)
    assert stack["Parameters"] == [
        {"ParameterKey": "Greeting", "ParameterValue": "/stacks/greeting", "ResolvedValue": "moin"}
    ]
    fn = physical(stacks, name)["Fn"]
    assert call(client, fn, {})["Payload"] == "moin"
    made["Properties"] |= {"Value": "servus", "Tags": {"b": "2"}}
    update(stacks, f"{name}-store", template({"Greeting": made}))
    tags = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId="/stacks/greeting")["TagList"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"b": "2"}
    update(stacks, name, body)
    assert call(client, fn, {})["Payload"] == "servus"
    delete(stacks, f"{name}-store")
    with pytest.raises(ssm.exceptions.ParameterNotFound):
        ssm.get_parameter(Name="/stacks/greeting")
    with pytest.raises(ClientError, match="Unable to fetch parameters"):
        stacks.update_stack(StackName=name, TemplateBody=body)
    delete(stacks, name)


def test_dynamic_references_are_parameters_of_the_store(client: Any, stacks: Any, server: EverstepServer):
    name, ssm = "dynamic", server.client(service="ssm")
    for value in ("hello", "moin"):
        ssm.put_parameter(Name="/dynamic/greeting", Value=value, Type="String", Overwrite=True)

    def greeting(reference: Any) -> str:
        return template({"Fn": function(Environment={"Variables": {"GREETING": reference}})})

    old = {"Fn::Sub": "{{resolve:ssm:/dynamic/greeting:1}}, ${AWS::StackName}"}
    create(stacks, name, greeting(old))
    assert call(client, physical(stacks, name)["Fn"], {})["Payload"] == "hello, dynamic"
    update(stacks, name, greeting("{{resolve:ssm:/dynamic/greeting}}"))
    assert call(client, physical(stacks, name)["Fn"], {})["Payload"] == "moin"
    update(stacks, name, greeting("{{resolve:ssm:/dynamic/nothing}}"), "UPDATE_ROLLBACK_COMPLETE")
    assert "Parameters: [{{resolve:ssm:/dynamic/nothing}}] cannot be found." in str(events(stacks, name))
    ssm.put_parameter(Name="/dynamic/secret", Value="secret", Type="SecureString")
    update(stacks, name, greeting("{{resolve:ssm:/dynamic/secret}}"), "UPDATE_ROLLBACK_COMPLETE")
    assert "SSM Secure reference is not supported" in str(events(stacks, name))
    for service in ("ssm-secure", "secretsmanager"):
        reference = "{{resolve:" + service + ":/dynamic/secret}}"
        with pytest.raises(ClientError, match=f"nothing of `{service}`"):
            stacks.update_stack(StackName=name, TemplateBody=greeting(reference))
    delete(stacks, name)
    ssm.delete_parameters(Names=["/dynamic/greeting", "/dynamic/secret"])


def test_stacks_are_deployed_with_a_role_that_there_is(stacks: Any):
    body = template({"Fn": function()})
    role = f"arn:aws:iam::{ACCOUNT}:role/nobody"
    with pytest.raises(ClientError, match=f"Role {role} is invalid or cannot be assumed"):
        stacks.create_stack(StackName="by-role", TemplateBody=body, RoleARN=role)
    missing(stacks, "by-role")
    role = f"arn:aws:iam::{ACCOUNT}:role/cdk-hnb659fds-cfn-exec-role-{ACCOUNT}-{REGION}"
    assert create(stacks, "by-role", body, RoleARN=role)["RoleARN"] == role
    delete(stacks, "by-role")


def test_serverless_templates_that_are_wrong_fail_the_change_set(stacks: Any):
    resources = {"Fn": {"Type": "AWS::Serverless::Function", "Properties": {"Handler": "index.handler"}}}
    body = template(resources, Transform="AWS::Serverless-2016-10-31")
    stacks.create_change_set(StackName="wrong-sam", ChangeSetName="c", ChangeSetType="CREATE", TemplateBody=body)
    described = stacks.describe_change_set(StackName="wrong-sam", ChangeSetName="c")
    assert described["Status"] == "FAILED"
    assert described["StatusReason"].startswith(
        "Transform AWS::Serverless-2016-10-31 failed with: Invalid Serverless Application Specification document. "
        "Number of errors found: 1. Resource with id [Fn] is invalid."
    )
    body = template(resources, Transform="Mine")
    with pytest.raises(ClientError, match="No transform named Mine found"):
        stacks.create_change_set(StackName="no-macro", ChangeSetName="c", ChangeSetType="CREATE", TemplateBody=body)
    missing(stacks, "no-macro")
    delete(stacks, "wrong-sam")


def test_protected_stack_stays(stacks: Any):
    create(stacks, "protected", template({"Fn": function()}), EnableTerminationProtection=True)
    with pytest.raises(ClientError, match="cannot be deleted while TerminationProtection is enabled"):
        stacks.delete_stack(StackName="protected")
    stacks.update_termination_protection(StackName="protected", EnableTerminationProtection=False)
    delete(stacks, "protected")


def test_templates_are_returned_and_summed_up(stacks: Any):
    body = template(FULL, **SECTIONS)
    create(stacks, "templates", body)
    assert stacks.get_template(StackName="templates")["TemplateBody"] == json.loads(body)
    summary = stacks.get_template_summary(StackName="templates")
    assert [parameter["ParameterKey"] for parameter in summary["Parameters"]] == ["Greeting"]
    assert "AWS::Lambda::Function" in summary["ResourceTypes"]
    assert stacks.get_template_summary(TemplateBody=template({"Fn": function()}))["Parameters"] == []
    assert stacks.validate_template(TemplateBody=body)["Parameters"][0]["DefaultValue"] == "moin"
    detail = stacks.describe_stack_resource(StackName="templates", LogicalResourceId="Fn")["StackResourceDetail"]
    assert detail["PhysicalResourceId"] == physical(stacks, "templates")["Fn"]
    found = stacks.describe_stack_resources(PhysicalResourceId=detail["PhysicalResourceId"])["StackResources"]
    assert {item["StackName"] for item in found} == {"templates"}
    assert len(stacks.list_stack_resources(StackName="templates")["StackResourceSummaries"]) == len(FULL)
    delete(stacks, "templates")


def test_eighty_functions_are_quick(client: Any, stacks: Any):
    resources = {f"Fn{number}": function(Description=str(number)) for number in range(80)}
    begun = time.monotonic()
    create(stacks, "eighty", template(resources))
    assert len(physical(stacks, "eighty")) == 80
    print(f"80 functions took {time.monotonic() - begun:.1f} s")
    delete(stacks, "eighty")


@pytest.mark.parametrize("work", ["create", "update", "delete"])
def test_killed_in_the_middle_goes_on_and_leaves_nothing_behind(work: str, own_server: Start):
    server = own_server()
    before = {f"Fn{number}": function(Description="before") for number in range(24)}
    after = {f"Fn{number}": function(Description="after") for number in range(12, 36)}
    stacks = server.client(service="cloudformation")
    if work != "create":
        create(stacks, "killed", template(before))
    begun = len(events(stacks, "killed")) if work != "create" else 0
    match work:
        case "create":
            stacks.create_stack(StackName="killed", TemplateBody=template(before))
        case "update":
            stacks.update_stack(StackName="killed", TemplateBody=template(after))
    arn = stacks.describe_stacks(StackName="killed")["Stacks"][0]["StackId"]
    if work == "delete":
        stacks.delete_stack(StackName="killed")
    eventually("it is in the middle", lambda: len(events(stacks, arn)) > begun + 12, interval=0.01)
    server.restart(kill=True)
    stacks, client = server.client(service="cloudformation"), server.client()
    match work:
        case "create":
            settled(stacks, "killed", "CREATE_COMPLETE")
            expected = before
        case "update":
            settled(stacks, "killed", "UPDATE_COMPLETE")
            expected = after
        case _:
            settled(stacks, arn, "DELETE_COMPLETE")
            assert functions(client) == []
            return
    ids = physical(stacks, "killed")
    assert ids.keys() == expected.keys()
    assert sorted(ids.values()) == sorted(functions(client))
    descriptions = {client.get_function(FunctionName=name)["Configuration"]["Description"] for name in ids.values()}
    assert descriptions == {"before" if work == "create" else "after"}


def functions(client: Any) -> list[str]:
    """Return the names of all functions."""
    pages = client.get_paginator("list_functions").paginate()
    return [known["FunctionName"] for page in pages for known in page["Functions"]]
