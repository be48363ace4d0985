"""Reserved concurrency and tenants through boto3 and the AWS CLI."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from deployment import FUNCTIONS
from everstep_server import EverstepServer
from executions import call, ended, start
from test_aws_cli import Cli


@pytest.fixture
def create(client: Any) -> Iterator[Callable[..., str]]:
    """Return what creates a function of its own for one test; all are deleted afterwards."""
    names: list[str] = []

    def function(kind: str, **options: Any) -> str:
        name = f"made-{uuid.uuid4().hex[:12]}"
        client.create_function(**(FUNCTIONS[kind].arguments(name) | options))
        names.append(name)
        return name

    yield function
    for name in names:
        client.delete_function(FunctionName=name)


def test_concurrency_is_reserved_shown_and_given_back(client: Any, create: Callable[..., str]):
    name = create("python-plain")
    assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(FunctionName=name)
    put = client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    assert put["ReservedConcurrentExecutions"] == 1
    assert client.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"] == 1
    assert client.get_function(FunctionName=name)["Concurrency"] == {"ReservedConcurrentExecutions": 1}
    limit = client.get_account_settings()["AccountLimit"]
    assert limit["UnreservedConcurrentExecutions"] < limit["ConcurrentExecutions"]
    with pytest.raises(client.exceptions.InvalidParameterValueException, match="below its minimum value"):
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=24)
    client.delete_function_concurrency(FunctionName=name)
    assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(FunctionName=name)
    for operation in (client.get_function_concurrency, client.delete_function_concurrency):
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            operation(FunctionName="nobody")


def test_caller_is_throttled_with_the_reason(client: Any, create: Callable[..., str]):
    name = create("python-plain")
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(client.exceptions.TooManyRequestsException, match="Rate Exceeded") as caught:
        client.invoke(FunctionName=name)
    assert caught.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert caught.value.response["retryAfterSeconds"] == "1"
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    with ThreadPoolExecutor(8) as pool:
        sleeper = {"do": "sleep", "seconds": 0.2}

        def attempt(_: int) -> str:
            try:
                return str(call(client, name, sleeper)["StatusCode"])
            except client.exceptions.TooManyRequestsException:
                return "throttled"

        answers = set(pool.map(attempt, range(8)))
    assert answers == {"200", "throttled"}


def test_throttled_executions_fail_nothing(client: Any, create: Callable[..., str]):
    name = create("python-durable")
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(client.exceptions.TooManyRequestsException):
        client.invoke(FunctionName=name, Qualifier="$LATEST", Payload=b"{}")
    arns = [start(client, name, {"case": "nothing"}) for _ in range(3)]
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    for arn in arns:
        assert ended(client, arn)["Status"] == "SUCCEEDED"
        events = client.get_durable_execution_history(DurableExecutionArn=arn)["Events"]
        assert sum(event["EventType"] == "InvocationCompleted" for event in events) == 1


def test_tenants_share_no_process(client: Any, create: Callable[..., str]):
    name = create("python-plain", TenancyConfig={"TenantIsolationMode": "PER_TENANT"})
    configuration = client.get_function_configuration(FunctionName=name)
    assert configuration["TenancyConfig"] == {"TenantIsolationMode": "PER_TENANT"}
    key = {"do": "environment", "names": ["AWS_ACCESS_KEY_ID"]}
    of = {tenant: call(client, name, key, TenantId=tenant)["Payload"] for tenant in ("blue", "green")}
    assert of["blue"] != of["green"]
    assert call(client, name, key, TenantId="blue")["Payload"] == of["blue"]
    with pytest.raises(client.exceptions.InvalidParameterValueException, match="Add a valid tenant ID"):
        client.invoke(FunctionName=name)
    with pytest.raises(client.exceptions.InvalidParameterValueException, match="Remove the tenant ID"):
        client.invoke(FunctionName="python-plain", TenantId="blue")


def test_help_examples_work_as_typed(own_server: Callable[..., EverstepServer], tmp_path: Path):
    """These are the examples of `aws lambda … help`, on a server that has as much to reserve."""
    server = own_server(arguments=("--processes", "200"))
    server.client().create_function(**FUNCTIONS["python-plain"].arguments("my-function"))
    aws = Cli(server, tmp_path)
    named = ("--function-name", "my-function")
    put = aws("put-function-concurrency", *named, "--reserved-concurrent-executions", "100")
    assert put == {"ReservedConcurrentExecutions": 100}
    assert aws("get-function-concurrency", *named) == {"ReservedConcurrentExecutions": 100}
    assert aws("get-account-settings")["AccountLimit"]["UnreservedConcurrentExecutions"] == 100
    assert aws("delete-function-concurrency", *named) is None
    assert not aws("get-function-concurrency", *named)
