"""Templates, and what becomes of stacks that are made of them."""

from __future__ import annotations

import json
from typing import Any

from everstep_server import ACCOUNT, eventually

ROLE = f"arn:aws:iam::{ACCOUNT}:role/everstep"
SOURCE = "import os\ndef handler(event, context):\n    return os.environ.get('GREETING', 'hello')\n"


def function(**properties: Any) -> dict[str, Any]:
    """Return a function as a resource; its code is in the template."""
    code = {"Code": {"ZipFile": SOURCE}, "Handler": "index.handler", "Runtime": "python3.11", "Role": ROLE}
    return {"Type": "AWS::Lambda::Function", "Properties": code | properties}


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    """Return a resource of AWS Lambda."""
    return {"Type": f"AWS::Lambda::{kind}", "Properties": properties}


def template(resources: dict[str, Any], **sections: Any) -> str:
    """Return a template's text."""
    return json.dumps({"Resources": resources} | sections)


def settled(stacks: Any, name: str, expected: str, timeout: float = 60) -> dict[str, Any]:
    """Wait until nothing is done about a stack any more, check its status and return it."""

    def poll() -> dict[str, Any] | None:
        stack = stacks.describe_stacks(StackName=name)["Stacks"][0]
        return None if stack["StackStatus"].endswith("IN_PROGRESS") else stack

    stack = eventually(f"{name} settles", poll, timeout)
    assert stack["StackStatus"] == expected, events(stacks, name)
    return stack


def create(stacks: Any, name: str, body: str, expected: str = "CREATE_COMPLETE", **arguments: Any) -> dict[str, Any]:
    """Create a stack and wait for it."""
    arn = stacks.create_stack(StackName=name, TemplateBody=body, **arguments)["StackId"]
    return settled(stacks, arn, expected)


def update(stacks: Any, name: str, body: str, expected: str = "UPDATE_COMPLETE", **arguments: Any) -> dict[str, Any]:
    """Update a stack and wait for it."""
    stacks.update_stack(StackName=name, TemplateBody=body, **arguments)
    return settled(stacks, name, expected)


def delete(stacks: Any, name: str) -> None:
    """Delete a stack and wait for it."""
    arn = stacks.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
    stacks.delete_stack(StackName=name)
    settled(stacks, arn, "DELETE_COMPLETE")


def events(stacks: Any, name: str) -> list[tuple[str, str, str]]:
    """Return what happened to a stack, the oldest first: to whom, the state, and why."""
    pages = stacks.get_paginator("describe_stack_events").paginate(StackName=name)
    found = [event for page in pages for event in page["StackEvents"]]
    times = [event["Timestamp"] for event in found]
    assert times == sorted(times, reverse=True)
    assert len(set(times)) == len(times)
    return [
        (event["LogicalResourceId"], event["ResourceStatus"], event.get("ResourceStatusReason", ""))
        for event in reversed(found)
    ]


def physical(stacks: Any, name: str) -> dict[str, str]:
    """Return what there is of a stack: physical ids by logical ids."""
    found = stacks.describe_stack_resources(StackName=name)["StackResources"]
    return {item["LogicalResourceId"]: item["PhysicalResourceId"] for item in found if "PhysicalResourceId" in item}
