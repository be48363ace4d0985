"""CloudWatch Logs as boto3 asks for it: what functions print."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from everstep_server import EverstepServer, eventually
from executions import call


@pytest.fixture
def logs(server: EverstepServer) -> Any:
    return server.client(service="logs")


def test_lines_are_found_by_group_and_stream(client: Any, logs: Any):
    call(client, "python-plain", "ready")
    group = "/aws/lambda/python-plain"
    pages = logs.get_paginator("filter_log_events")

    def report() -> dict[str, Any] | None:
        events = [event for page in pages.paginate(logGroupName=group) for event in page["events"]]
        return next((event for event in events if event["message"].startswith("REPORT RequestId: ")), None)

    found = eventually("the invocation is in the log", report)
    stream = found["logStreamName"]
    read = logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)
    assert found["message"] in [event["message"] for event in read["events"]]
    pattern = f'"{found["message"].split()[2]}" REPORT -START'
    matching = pages.paginate(logGroupName=group, filterPattern=pattern).build_full_result()
    assert [event["eventId"] for event in matching["events"]] == [found["eventId"]]
    streams = logs.get_paginator("describe_log_streams").paginate(logGroupName=group).build_full_result()
    assert stream in [known["logStreamName"] for known in streams["logStreams"]]
    groups = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=group).build_full_result()
    assert [known["logGroupName"] for known in groups["logGroups"]] == [group]


def test_errors_are_awss(logs: Any):
    with pytest.raises(logs.exceptions.ResourceNotFoundException, match="log group does not exist"):
        logs.filter_log_events(logGroupName="/aws/lambda/nobody")
    with pytest.raises(logs.exceptions.InvalidParameterException, match="Invalid filter pattern"):
        logs.filter_log_events(logGroupName="/aws/lambda/python-plain", filterPattern="{ $.a = 1")
    with pytest.raises(ClientError, match="does not serve CreateLogStream"):
        logs.create_log_stream(logGroupName="/aws/lambda/python-plain", logStreamName="own")


def test_groups_are_kept_for_so_long(logs: Any):
    group = "/own/group"
    logs.create_log_group(logGroupName=group, tags={"team": "orders"})
    with pytest.raises(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName=group)
    logs.put_retention_policy(logGroupName=group, retentionInDays=7)
    [known] = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert known["retentionInDays"] == 7
    logs.delete_retention_policy(logGroupName=group)
    logs.delete_log_group(logGroupName=group)
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"] == []
