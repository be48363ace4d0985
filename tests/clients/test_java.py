"""A durable function in Java, by AWS's runtime client and AWS SDK for Java: built by Maven, deployed, run.

AWS's durable SDK for Java is not in it: the function speaks the API itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from command_line import CommandLine
from everstep_server import EverstepServer, is_alive
from executions import ended, events_of, start
from projects import copy


def test_function_in_java_is_durable(own_server: Callable[..., EverstepServer]):
    server = own_server(arguments=("--movable-clock",))
    client, everstep = server.client(), CommandLine(server)
    function = everstep.json("deploy", str(copy("java")))["Outputs"]["Function"]
    arn = start(client, function, "Ada")
    events_of(client, arn, "InvocationCompleted")
    [process] = server.function_processes()
    assert "3 days" in everstep("dev", "clock", "next")
    assert json.loads(ended(client, arn)["Result"]) == {"hello": "Ada"}
    steps, waits = events_of(client, arn, "StepSucceeded"), events_of(client, arn, "WaitSucceeded")
    assert ([step["Name"] for step in steps], [wait["Name"] for wait in waits]) == (["greet"], ["sleep"])
    assert len(events_of(client, arn, "InvocationCompleted", 2)) == 2
    # The step is not run again, and the same virtual machine goes on.
    assert everstep("logs", function).count("greets") == 1
    assert is_alive(process)
