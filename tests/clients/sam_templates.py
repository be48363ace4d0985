"""SAM templates drawn at random from values that mean something to the transform, some of them wrong."""

from __future__ import annotations

import json
from random import Random
from typing import Any

NO_VALUE = {"Ref": "AWS::NoValue"}
INTRINSICS = [
    {"Ref": "Name"},
    {"Ref": "Layer"},
    {"Ref": "Function.Alias"},
    {"Fn::Sub": "${Name}-${Function.Alias}-${Layer}-${!Name}-${AWS::Region}-${AWS::AccountId}"},
    {"Fn::Sub": ["${Name}${x}", {"x": {"Ref": "Given"}}]},
    {"Fn::GetAtt": ["Function", "Alias.Arn"]},
    {"Fn::If": ["Wanted", "a", {"Ref": "Given"}]},
    {"Fn::Join": ["", ["a", {"Ref": "Name"}]]},
]
TEXTS = ["", "a-b", "12", "é😀", "arn:aws:iam::123456789012:policy/own", *INTRINSICS]
WRONG = [3, [3], {"A": 1, "B": 2}, True, "wrong"]
MISTAKES = {
    "AutoPublishAlias": ["12", {"Fn::GetAtt": ["Topic", "TopicName"]}],
    "CodeUri": ["./src", {}],
    "CompatibleArchitectures": [["mips"]],
    "DeadLetterQueue": [{"Type": "SES", "TargetArn": "arn"}],
    "EventInvokeConfig": [
        {"DestinationConfig": {"OnFailure": {"Type": "Lambda"}}},
        {"DestinationConfig": {"OnSuccess": {"Destination": "arn"}}},
    ],
    "Events": [
        {"Event": {"Type": "Schedule", "Properties": {"Schedule": "rate(1 day)", "State": "x", "Enabled": True}}},
        {"Event": {"Type": "DynamoDB", "Properties": {"Stream": "arn"}}},
        {"Event": {"Type": "Pigeon", "Properties": {}}},
    ],
    "FunctionUrlConfig": [{"AuthType": "ANY"}],
    "PackageType": ["Image"],
    "Policies": [
        [{"SQSPollerPolicy": {}}],
        [{"NoSuchPolicy": {}}],
        {"Fn::If": ["Wanted", "AmazonS3FullAccess", {"Statement": []}]},
    ],
    "PrimaryKey": [{"Name": "a"}],
    "RetentionPolicy": ["keep"],
}
DESTINATIONS = [
    {"Type": "SQS"},
    {"Type": "SNS", "Destination": {"Ref": "Name"}},
    {"Type": "SQS", "Destination": {"Fn::If": ["Wanted", NO_VALUE, "arn"]}},
    {"Type": "SNS", "Destination": {"Fn::If": ["Wanted", "arn", NO_VALUE]}},
    {"Type": "S3Bucket", "Destination": "arn"},
]
POLICIES = [
    "AmazonS3FullAccess",
    "AWSLambdaRole",
    "arn:aws:iam::123456789012:policy/own",
    {"Ref": "Name"},
    {"Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]},
    {"S3ReadPolicy": {"BucketName": {"Ref": "Name"}}},
    {"Fn::If": ["Wanted", {"Statement": []}, NO_VALUE]},
    {"Fn::If": ["Wanted", NO_VALUE, {"SQSPollerPolicy": {"QueueName": "q"}}]},
]
EVENTS = [
    {
        "Type": "Schedule",
        "Properties": {"Schedule": "rate(1 day)", "Enabled": False, "DeadLetterConfig": {"Type": "SQS"}},
    },
    {"Type": "Schedule", "Properties": {"Schedule": "rate(1 day)", "State": "ENABLED", "Input": {"Ref": "Name"}}},
    {"Type": "ScheduleV2", "Properties": {"ScheduleExpression": "rate(1 day)", "DeadLetterConfig": {"Arn": "arn"}}},
    {"Type": "EventBridgeRule", "Properties": {"Pattern": {"source": ["x"]}, "Target": {"Id": "id"}}},
    {"Type": "SQS", "Properties": {"Queue": {"Ref": "Name"}, "BatchSize": 5}},
    {"Type": "Kinesis", "Properties": {"Stream": "arn", "StartingPosition": "LATEST"}},
]
FUNCTION = {
    "AssumeRolePolicyDocument": [{"Statement": []}],
    "AutoPublishAlias": ["live", "a-b_c", {"Ref": "Name"}, {"Ref": "Given"}],
    "AutoPublishAliasAllProperties": [True, False],
    "AutoPublishCodeSha256": ["0123456789abcdef", {"Ref": "Name"}],
    "CodeUri": ["s3://b/k?versionId=1", {"Bucket": {"Fn::Sub": "${Name}"}, "Key": {"Ref": "Given"}}],
    "DeadLetterQueue": [{"Type": "SQS", "TargetArn": {"Ref": "Name"}}, {"Type": "SNS", "TargetArn": "arn"}],
    "Description": TEXTS,
    "DurableConfig": [{"ExecutionTimeout": 5}, {}],
    "Environment": [{"Variables": {"A": {"Ref": "Name"}}}, {"Ref": "Name"}],
    "FunctionName": TEXTS,
    "FunctionUrlConfig": [{"AuthType": "NONE"}, {"AuthType": "AWS_IAM", "Cors": {"MaxAge": 3}}],
    "InlineCode": ["x", ""],
    "Layers": [[{"Ref": "Layer"}, "arn"], [], ["arn"]],
    "MemorySize": [128, 0, {"Ref": "Name"}],
    "PackageType": ["Zip"],
    "PermissionsBoundary": TEXTS,
    "PropagateTags": [True, False],
    "Role": ["arn", {"Fn::If": ["Wanted", "arn", NO_VALUE]}, {"Fn::If": ["Wanted", NO_VALUE, {"Ref": "Name"}]}],
    "SnapStart": [{"ApplyOn": "PublishedVersions"}, {"ApplyOn": "None"}],
    "Tags": [{"a": {"Ref": "Name"}, "b": "1"}, {}, {"Ref": "Name"}],
    "Tracing": ["Active", "Disabled", {"Ref": "Given"}, {"Ref": "Name"}],
    "VersionDescription": ["x"],
    "VpcConfig": [{"SubnetIds": ["s"]}, {}],
}
LAYER = {
    "CompatibleArchitectures": [["arm64"], {"Ref": "Name"}],
    "CompatibleRuntimes": [["nodejs22.x", {"Ref": "Name"}]],
    "Description": TEXTS,
    "LayerName": TEXTS,
    "PublishLambdaVersion": [True],
    "RetentionPolicy": ["Retain", "delete"],
}
TABLE = {
    "PrimaryKey": [{"Name": "a", "Type": "Number"}],
    "ProvisionedThroughput": [{"ReadCapacityUnits": 1}],
    "Tags": FUNCTION["Tags"],
}
ATTRIBUTES = {
    "Condition": ["Wanted"],
    "DeletionPolicy": ["Retain", "Delete"],
    "DependsOn": ["Layer", ["Layer", "Topic"], []],
    "Metadata": [{"SamResourceId": "x"}],
    "UpdateReplacePolicy": ["Retain"],
}
NOT_GLOBAL = {
    "AutoPublishCodeSha256",
    "Description",
    "FunctionName",
    "InlineCode",
    "PackageType",
    "Role",
    "VersionDescription",
}
"""Not in Globals. Of a Description that is, AWS's translator carries what it did to one function over to the next."""


def template(random: Random) -> dict[str, Any]:
    """Return a template."""

    def some(table: dict[str, list[Any]], most: int) -> dict[str, Any]:
        names = random.sample(sorted(table), random.randint(0, most))
        return {name: random.choice(table[name]) for name in names}

    def one(kind: str, properties: dict[str, Any]) -> dict[str, Any]:
        for name in sorted(properties):
            if random.random() < 0.02:
                properties[name] = random.choice(MISTAKES.get(name, WRONG))
        return {"Type": f"AWS::Serverless::{kind}", "Properties": properties} | some(ATTRIBUTES, 2)

    def function() -> dict[str, Any]:
        properties = {"Runtime": "python3.13", "Handler": "app.handler", "CodeUri": "s3://b/k"} | some(FUNCTION, 6)
        if random.random() < 0.4:
            properties["Policies"] = random.choice([random.choice(POLICIES), random.sample(POLICIES, 3)])
        if random.random() < 0.4:
            properties["Events"] = {f"Event{number}": random.choice(EVENTS) for number in range(2)}
        if random.random() < 0.3:
            destinations = {"OnSuccess": random.choice(DESTINATIONS), "OnFailure": random.choice(DESTINATIONS)}
            properties["EventInvokeConfig"] = {"DestinationConfig": destinations}
        return one("Function", properties)

    resources = {
        "Function": function(),
        "Other": function(),
        "Layer": one("LayerVersion", {"ContentUri": "s3://b/k"} | some(LAYER, 3)),
        "Table": one("SimpleTable", some(TABLE, 2)),
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": random.choice(INTRINSICS)}},
    }
    common = {name: values for name, values in FUNCTION.items() if name not in NOT_GLOBAL}
    drawn = {
        "Transform": "AWS::Serverless-2016-10-31",
        "Globals": {"Function": some(common, 3)},
        "Parameters": {"Name": {"Type": "String", "Default": "default"}, "Given": {"Type": "String"}},
        "Conditions": {"Wanted": {"Fn::Equals": ["a", "a"]}},
        "Resources": resources,
        "Outputs": {"Output": {"Value": random.choice(INTRINSICS)}},
    }
    return json.loads(json.dumps(drawn))
