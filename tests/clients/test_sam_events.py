"""What invokes a function of a SAM template and is not served: named, and left out if the deployer accepts it."""

from __future__ import annotations

from typing import Any

from everstep_server import EverstepServer
from executions import call
from stacks import ROLE, SOURCE, delete, events, physical, settled, template

EVENTS = {
    "Nightly": {"Type": "Schedule", "Properties": {"Schedule": "rate(1 day)"}},
    "Later": {"Type": "ScheduleV2", "Properties": {"ScheduleExpression": "rate(1 day)", "RoleArn": ROLE}},
    "Matched": {"Type": "EventBridgeRule", "Properties": {"Pattern": {"source": ["shop"]}}},
    "Queued": {"Type": "SQS", "Properties": {"Queue": "arn:aws:sqs:us-east-1:123456789012:orders"}},
    "Get": {"Type": "Api", "Properties": {"Path": "/", "Method": "get"}},
    "Post": {"Type": "HttpApi", "Properties": {"Path": "/", "Method": "post"}},
    "Said": {"Type": "SNS", "Properties": {"Topic": "arn:aws:sns:us-east-1:123456789012:orders"}},
}
NOT_SERVED = {
    "FnNightly": "AWS::Events::Rule",
    "FnLater": "AWS::Scheduler::Schedule",
    "FnMatched": "AWS::Events::Rule",
    "FnQueued": "AWS::Lambda::EventSourceMapping",
    "FnGet": "Everstep::NotServed::Api",
    "FnPost": "Everstep::NotServed::HttpApi",
    "FnSaid": "Everstep::NotServed::SNS",
    "ServerlessRestApi": "AWS::Serverless::Api",
    "ServerlessHttpApi": "AWS::Serverless::HttpApi",
}


def test_events_are_named_and_left_out_if_accepted(server: EverstepServer, client: Any):
    stacks, name = server.client(service="cloudformation"), "sam-events"
    code = {"InlineCode": SOURCE, "Handler": "index.handler", "Runtime": "python3.11", "Role": ROLE}
    outputs = {"Address": {"Value": {"Fn::Sub": "https://${ServerlessRestApi}.example/${AWS::Region}"}}}
    body = template(
        {"Fn": {"Type": "AWS::Serverless::Function", "Properties": code | {"Events": EVENTS}}},
        Transform="AWS::Serverless-2016-10-31",
        Outputs=outputs,
    )
    arguments = {"StackName": name, "ChangeSetType": "CREATE", "TemplateBody": body}
    stacks.create_change_set(ChangeSetName="refused", **arguments)
    refused = stacks.describe_change_set(StackName=name, ChangeSetName="refused")
    assert refused["Status"] == "FAILED"
    for logical_id, kind in NOT_SERVED.items():
        assert f"{logical_id} ({kind})" in refused["StatusReason"]

    accept = [{"Key": "EverstepAcceptNotServed", "Value": "true"}]
    stacks.create_change_set(ChangeSetName="accepted", Tags=accept, **arguments)
    stacks.execute_change_set(StackName=name, ChangeSetName="accepted")
    settled(stacks, name, "CREATE_COMPLETE")
    warned = {who for who, _, why in events(stacks, name) if why.startswith("WARNING: Everstep does not serve")}
    assert warned == NOT_SERVED.keys()
    assert call(client, physical(stacks, name)["Fn"], {})["Payload"] == "hello"
    delete(stacks, name)
