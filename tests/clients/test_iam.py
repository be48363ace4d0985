"""Roles, users, sessions and parameters with AWS's own clients: who may do what."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from command_line import CommandLine
from deployment import DURABLE, FUNCTIONS
from everstep_server import REGION, EverstepServer
from executions import call, ended, start

ONCE = Config(retries={"total_max_attempts": 1})
BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicDurableExecutionRolePolicy"


def policy(*statements: dict[str, Any]) -> str:
    """Return a policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: str | list[str], resource: str = "*") -> dict[str, Any]:
    """Return a statement that allows."""
    return {"Effect": "Allow", "Action": action, "Resource": resource}


def trust(principal: dict[str, str]) -> str:
    """Return the policy of a role that lets a principal in."""
    return policy({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})


def function_arn(name: str) -> str:
    """Return the ARN of a function."""
    return f"arn:aws:lambda:{REGION}:123456789012:function:{name}"


def new_role(iam: Any, *, attached: str | None = BASIC, inline: str | None = None) -> str:
    """Create a role for functions; return its ARN."""
    name = f"role-{uuid.uuid4().hex[:8]}"
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust({"Service": "lambda.amazonaws.com"}))
    if attached:
        iam.attach_role_policy(RoleName=name, PolicyArn=attached)
    if inline:
        iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=inline)
    return role["Role"]["Arn"]


def new_function(client: Any, role: str, like: str = "python-durable") -> str:
    """Create a function like another one, with a role; return its name."""
    name = f"iam-{uuid.uuid4().hex[:8]}"
    client.create_function(**(FUNCTIONS[like].arguments(name) | {"Role": role}))
    return name


def denied(error: pytest.ExceptionInfo[ClientError]) -> str:
    """Return the message of a refusal."""
    assert error.value.response["Error"]["Code"] in {"AccessDeniedException", "AccessDenied"}
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    return error.value.response["Error"]["Message"]


@pytest.fixture
def iam(server: EverstepServer) -> Any:
    """Return a client of IAM."""
    return server.client(service="iam")


def limited(server: EverstepServer, iam: Any, document: str) -> dict[str, str]:
    """Create a user with a policy and a key; return what a client signs with."""
    name = f"user-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="inline", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}


def test_documents_come_back_as_they_were_given(iam: Any):
    """AWS's own client reads roles and policies."""
    role = new_role(iam, inline=policy(allow("s3:GetObject")))
    name = role.rsplit("/", 1)[1]
    assert iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Effect"] == "Allow"
    inline = iam.get_role_policy(RoleName=name, PolicyName="inline")
    assert inline["PolicyDocument"]["Statement"] == [allow("s3:GetObject")]
    attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    assert [policy["PolicyArn"] for policy in attached] == [BASIC]
    assert name in {role["RoleName"] for page in iam.get_paginator("list_roles").paginate() for role in page["Roles"]}


@pytest.mark.parametrize(
    ("resource", "outcome"),
    [
        (None, "not authorized to perform: lambda:InvokeFunction"),
        (function_arn("python-plain"), "because no identity-based policy allows the lambda:InvokeFunction action"),
        (function_arn("python-plain:*"), None),
    ],
)
def test_chained_invoke_needs_the_role(client: Any, iam: Any, resource: str | None, outcome: str | None):
    """A qualified target is not what an unqualified ARN allows."""
    inline = policy(allow("lambda:InvokeFunction", resource)) if resource else None
    function = new_function(client, new_role(iam, inline=inline))
    event = {"case": "invoke_caught", "target": "python-plain:$LATEST", "payload": "ready"}
    arn = start(client, function, event)
    result = json.loads(ended(client, arn)["Result"])
    assert result == "not caught" if outcome is None else outcome in result, result


def test_function_that_may_not_checkpoint_fails(client: Any, iam: Any):
    """The first checkpoint is refused, and so is the execution."""
    function = new_function(client, new_role(iam, attached=None))
    execution = ended(client, start(client, function, {"case": "invoke_caught", "target": "x", "payload": 1}))
    assert execution["Status"] == "FAILED"
    assert "lambda:CheckpointDurableExecution" in json.dumps(execution["Error"])


def test_functions_need_a_role_that_lambda_can_assume(client: Any, iam: Any):
    """The error is AWS's."""
    name = f"role-{uuid.uuid4().hex[:8]}"
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust({"Service": "ec2.amazonaws.com"}))
    for role in (name, "nobody"):
        with pytest.raises(ClientError, match="cannot be assumed by Lambda") as error:
            new_function(client, f"arn:aws:iam::123456789012:role/{role}")
        assert error.value.response["Error"]["Code"] == "InvalidParameterValueException"


def test_limited_key_may_do_what_its_policy_says(server: EverstepServer, iam: Any):
    """Changes hold at once; an explicit deny wins."""
    key = limited(server, iam, policy(allow("lambda:GetFunction", function_arn("python-*"))))
    client = server.client(config=ONCE, **key)
    assert client.get_function(FunctionName="python-plain")
    with pytest.raises(ClientError) as error:
        client.get_function(FunctionName="held")
    assert denied(error).endswith(
        f"is not authorized to perform: lambda:GetFunction on resource: {function_arn('held')} "
        "because no identity-based policy allows the lambda:GetFunction action"
    )
    with pytest.raises(ClientError) as error:
        server.client(service="iam", config=ONCE, **key).list_users()
    assert "iam:ListUsers" in denied(error)
    user = server.client(service="sts", **key).get_caller_identity()["Arn"].rsplit("/", 1)[1]
    iam.put_user_policy(
        UserName=user,
        PolicyName="more",
        PolicyDocument=policy(allow("*"), {"Effect": "Deny", "Action": "lambda:DeleteFunction", "Resource": "*"}),
    )
    assert client.get_function(FunctionName="held")
    with pytest.raises(ClientError) as error:
        client.delete_function(FunctionName="held")
    assert "with an explicit deny in an identity-based policy" in denied(error)
    iam.update_access_key(UserName=user, AccessKeyId=key["aws_access_key_id"], Status="Inactive")
    with pytest.raises(ClientError, match="security token included in the request is invalid"):
        client.get_function(FunctionName="held")


def test_whoever_deploys_must_pass_the_role(server: EverstepServer, iam: Any):
    """`lambda:*` is not enough to give a function the rights of a role."""
    role = new_role(iam)
    client = server.client(config=ONCE, **limited(server, iam, policy(allow("lambda:*"))))
    with pytest.raises(ClientError) as error:
        new_function(client, role)
    assert f"iam:PassRole on resource: {role}" in denied(error)
    client = server.client(config=ONCE, **limited(server, iam, policy(allow("lambda:*"), allow("iam:PassRole", role))))
    client.delete_function(FunctionName=new_function(client, role))


def test_role_that_was_assumed(server: EverstepServer, iam: Any):
    """A session has what the role has, less what its own policy leaves out."""
    name = f"role-{uuid.uuid4().hex[:8]}"
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust({"AWS": "123456789012"}))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy(allow(["lambda:Get*", "lambda:List*"])))
    sts = server.client(service="sts")

    def session(**arguments: Any) -> dict[str, str]:
        keys = sts.assume_role(RoleArn=arn, RoleSessionName="tests", **arguments)["Credentials"]
        return {
            "aws_access_key_id": keys["AccessKeyId"],
            "aws_secret_access_key": keys["SecretAccessKey"],
            "aws_session_token": keys["SessionToken"],
        }

    whole = session()
    identity = server.client(service="sts", **whole).get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::123456789012:assumed-role/{name}/tests"
    assert server.client(**whole).list_functions(MaxItems=1)["Functions"]
    with pytest.raises(ClientError) as error:
        server.client(config=ONCE, **whole).invoke(FunctionName="python-plain", Payload="{}")
    assert f"assumed-role/{name}/tests is not authorized to perform: lambda:InvokeFunction" in denied(error)
    part = session(Policy=policy(allow("lambda:List*")), DurationSeconds=900)
    assert server.client(**part).list_functions(MaxItems=1)["Functions"]
    with pytest.raises(ClientError) as error:
        server.client(config=ONCE, **part).get_function(FunctionName="python-plain")
    assert "because no session policy allows the lambda:GetFunction action" in denied(error)
    with pytest.raises(ClientError) as error:
        sts.assume_role(RoleArn="arn:aws:iam::123456789012:role/everstep", RoleSessionName="tests")
    assert "because no role trust policy allows the sts:AssumeRole action" in denied(error)


def test_policy_of_a_function_lets_others_in(server: EverstepServer, client: Any, iam: Any):
    """A user without any policy may invoke what names it."""
    key = limited(server, iam, policy(allow("sqs:*")))
    user = server.client(service="sts", **key).get_caller_identity()["Arn"]
    function = new_function(client, "arn:aws:iam::123456789012:role/everstep", like="python-plain")
    other = server.client(config=ONCE, **key)
    with pytest.raises(ClientError) as error:
        other.invoke(FunctionName=function, Payload="{}")
    denied(error)
    client.add_permission(
        FunctionName=function, StatementId="user", Action="lambda:InvokeFunction", Principal=user
    )
    assert other.invoke(FunctionName=function, Payload='"ready"')["Payload"].read() == b'"ready"'
    with pytest.raises(ClientError) as error:
        other.invoke(FunctionName=function, Qualifier="$LATEST", Payload="{}")
    assert f"{function}:$LATEST" in denied(error)


def test_parameters(server: EverstepServer):
    """Put, get, list and delete, with versions and labels."""
    ssm = server.client(service="ssm")
    root = f"/{uuid.uuid4().hex[:8]}"
    assert ssm.put_parameter(Name=f"{root}/a", Type="String", Value="1")["Version"] == 1
    with pytest.raises(ClientError, match="set the overwrite option"):
        ssm.put_parameter(Name=f"{root}/a", Type="String", Value="2")
    assert ssm.put_parameter(Name=f"{root}/a", Value="2", Overwrite=True)["Version"] == 2
    ssm.put_parameter(Name=f"{root}/b/c", Type="SecureString", Value="secret", Tags=[{"Key": "k", "Value": "v"}])
    ssm.label_parameter_version(Name=f"{root}/a", ParameterVersion=1, Labels=["old"])
    get = lambda name: ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]  # noqa: E731
    assert [get(f"{root}/a"), get(f"{root}/a:1"), get(f"{root}/a:old"), get(f"{root}/b/c")] == ["2", "1", "1", "secret"]
    assert "secret" not in ssm.get_parameter(Name=f"{root}/b/c")["Parameter"]["Value"]
    found = ssm.get_parameters(Names=[f"{root}/a", f"{root}/x"])
    assert [found["Parameters"][0]["ARN"], found["InvalidParameters"]] == [
        f"arn:aws:ssm:{REGION}:123456789012:parameter{root}/a",
        [f"{root}/x"],
    ]
    pages = ssm.get_paginator("get_parameters_by_path").paginate(
        Path=root, Recursive=True, PaginationConfig={"PageSize": 1}
    )
    assert [parameter["Name"] for page in pages for parameter in page["Parameters"]] == [f"{root}/a", f"{root}/b/c"]
    described = ssm.describe_parameters(ParameterFilters=[{"Key": "Path", "Option": "Recursive", "Values": [root]}])
    assert [parameter["Type"] for parameter in described["Parameters"]] == ["String", "SecureString"]
    assert [version["Value"] for version in ssm.get_parameter_history(Name=f"{root}/a")["Parameters"]] == ["1", "2"]
    assert ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=f"{root}/b/c")["TagList"]
    ssm.delete_parameters(Names=[f"{root}/a", f"{root}/b/c"])
    with pytest.raises(ssm.exceptions.ParameterNotFound):
        ssm.get_parameter(Name=f"{root}/a")


def test_server_is_born_bootstrapped_for_cdk(server: EverstepServer):
    """What `cdk deploy` looks for is there."""
    ssm = server.client(service="ssm")
    assert ssm.get_parameter(Name="/cdk-bootstrap/hnb659fds/version")["Parameter"]["Value"] == "30"
    role = f"arn:aws:iam::123456789012:role/cdk-hnb659fds-deploy-role-123456789012-{REGION}"
    keys = server.client(service="sts").assume_role(RoleArn=role, RoleSessionName="cdk")["Credentials"]
    deployer = server.client(
        service="ssm",
        config=ONCE,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    assert deployer.get_parameter(Name="/cdk-bootstrap/hnb659fds/version")["Parameter"]["Value"] == "30"
    with pytest.raises(ClientError) as error:
        deployer.put_parameter(Name="/other", Type="String", Value="1")
    denied(error)
