"""Asynchronous invocations: their configuration, and the functions that are told how they ended."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from deployment import FUNCTIONS
from everstep_server import EverstepServer, eventually, function_arn
from test_aws_cli import Cli


@pytest.fixture
def function(client: Any) -> Iterator[str]:
    """Return a function of its own, with version 1 and the aliases BLUE and GREEN."""
    name = f"asynchronous-{uuid.uuid4().hex[:8]}"
    client.create_function(**FUNCTIONS["python-plain"].arguments(name))
    client.publish_version(FunctionName=name)
    for alias in ("BLUE", "GREEN"):
        client.create_alias(FunctionName=name, Name=alias, FunctionVersion="1")
    yield name
    client.delete_function(FunctionName=name)


def test_configuration_by_boto3(client: Any, function: str):
    target = function_arn("python-durable", "$LATEST")
    put = client.put_function_event_invoke_config(
        FunctionName=function,
        Qualifier="BLUE",
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": target}},
    )
    assert put["FunctionArn"] == function_arn(function, "BLUE")
    assert put["LastModified"].year >= 2025
    updated = client.update_function_event_invoke_config(FunctionName=f"{function}:BLUE", MaximumEventAgeInSeconds=60)
    assert updated["MaximumRetryAttempts"] == 0
    assert updated["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {"Destination": target}}
    got = client.get_function_event_invoke_config(FunctionName=function, Qualifier="BLUE")
    assert got["MaximumEventAgeInSeconds"] == 60
    client.put_function_event_invoke_config(FunctionName=function, MaximumRetryAttempts=1)
    pages = client.get_paginator("list_function_event_invoke_configs").paginate(
        FunctionName=function, PaginationConfig={"PageSize": 1}
    )
    arns = [config["FunctionArn"] for page in pages for config in page["FunctionEventInvokeConfigs"]]
    assert arns == [function_arn(function, "$LATEST"), function_arn(function, "BLUE")]
    client.delete_function_event_invoke_config(FunctionName=function, Qualifier="BLUE")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_function_event_invoke_config(FunctionName=function, Qualifier="BLUE")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"MaximumRetryAttempts": 3}, "ValidationException"),
        ({"MaximumEventAgeInSeconds": 59}, "ValidationException"),
        ({}, "InvalidParameterValueException"),
        ({"Qualifier": "9", "MaximumRetryAttempts": 0}, "ResourceNotFoundException"),
    ],
)
def test_configuration_that_makes_no_sense(arguments: dict[str, Any], code: str, server: EverstepServer):
    unchecked = server.client(config=Config(parameter_validation=False))
    with pytest.raises(ClientError) as caught:
        unchecked.put_function_event_invoke_config(FunctionName="python-plain", **arguments)
    assert caught.value.response["Error"]["Code"] == code


def test_dead_letter_queue_is_kept_and_other_targets_are_refused(client: Any, function: str):
    queue = "arn:aws:sqs:us-east-1:123456789012:letters"
    changed = client.update_function_configuration(FunctionName=function, DeadLetterConfig={"TargetArn": queue})
    assert changed["DeadLetterConfig"] == {"TargetArn": queue}
    with pytest.raises(client.exceptions.InvalidParameterValueException, match="OnFailure"):
        client.update_function_configuration(
            FunctionName=function, DeadLetterConfig={"TargetArn": function_arn("python-plain")}
        )
    changed = client.update_function_configuration(FunctionName=function, DeadLetterConfig={"TargetArn": ""})
    assert "DeadLetterConfig" not in changed


@pytest.mark.parametrize("condition", ["Success", "RetriesExhausted"])
def test_durable_function_is_told_how_it_ended(condition: str, client: Any, function: str):
    told = f"{function}-told"
    client.create_function(**FUNCTIONS["python-unaware"].arguments(told))
    destination = {"Destination": function_arn(told, "$LATEST")}
    client.put_function_event_invoke_config(
        FunctionName=function,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnSuccess": destination, "OnFailure": destination},
    )
    payload = {"n": 1} if condition == "Success" else {"do": "fail", "message": "no"}
    response = client.invoke(FunctionName=function, InvocationType="Event", Payload=json.dumps(payload))
    assert response["StatusCode"] == 202

    def executions() -> Any:
        return client.list_durable_executions_by_function(FunctionName=told)["DurableExecutions"]

    [execution] = eventually("the destination is told", executions)
    arn = execution["DurableExecutionArn"]
    record = json.loads(client.get_durable_execution(DurableExecutionArn=arn)["InputPayload"])
    assert record["requestContext"]["condition"] == condition
    assert record["requestContext"]["functionArn"] == function_arn(function, "$LATEST")
    assert record["requestPayload"] == payload
    if condition == "Success":
        assert record["responsePayload"] == payload
    else:
        assert record["responsePayload"]["errorMessage"] == "no"
    client.delete_function(FunctionName=told)


def test_help_examples_of_the_cli(server: EverstepServer, tmp_path: Path, function: str):
    aws = Cli(server, tmp_path)
    put = aws(
        "put-function-event-invoke-config",
        *("--function-name", function),
        *("--maximum-event-age-in-seconds", "3600"),
        *("--maximum-retry-attempts", "0"),
    )
    assert put["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {}}
    target = function_arn("python-plain")
    updated = aws(
        "update-function-event-invoke-config",
        *("--function-name", function),
        *("--destination-config", f'{{"OnFailure":{{"Destination": "{target}"}}}}'),
    )
    assert updated["DestinationConfig"]["OnFailure"] == {"Destination": target}
    for alias in ("BLUE", "GREEN"):
        aws("put-function-event-invoke-config", "--function-name", f"{function}:{alias}", "--maximum-retry-attempts", "1")
    listed = aws("list-function-event-invoke-configs", "--function-name", function)
    assert len(listed["FunctionEventInvokeConfigs"]) == 3
    got = aws("get-function-event-invoke-config", "--function-name", f"{function}:BLUE")
    assert got["FunctionArn"] == function_arn(function, "BLUE")
    aws("delete-function-event-invoke-config", "--function-name", f"{function}:GREEN")
    assert aws.run("get-function-event-invoke-config", "--function-name", f"{function}:GREEN").returncode != 0
