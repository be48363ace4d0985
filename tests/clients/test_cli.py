"""The command line against a real server: every verb, how executions are named, exit codes."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from command_line import CommandLine
from deployment import FUNCTIONS, package_file
from everstep_server import EverstepServer, eventually
from executions import suspended_callbacks

DURABLE = "python-durable"


@pytest.fixture
def everstep(server: EverstepServer) -> CommandLine:
    return CommandLine(server)


@pytest.fixture
def name() -> str:
    return f"cli-{uuid.uuid4().hex}"


def payload(case: str, **members: Any) -> str:
    return json.dumps({"case": case, **members})


def test_invoke_prints_the_result_and_fails_with_the_function(everstep: CommandLine, tmp_path: Path, name: str):
    assert everstep("invoke", "python-plain", "--payload", '{"a": 1}') == '{"a": 1}\n'
    assert everstep("invoke", "python-plain:$LATEST", "--payload", "-", stdin="[2]") == "[2]\n"
    file = tmp_path / "payload.json"
    file.write_text('"from a file"')
    assert everstep("invoke", "python-plain", "--payload", f"@{file}") == '"from a file"\n'
    assert "plain broke" in everstep.error("invoke", "python-plain", "--payload", '{"do": "fail"}')
    assert everstep("invoke", "python-plain", "--async").startswith("accepted")
    greeted = everstep.json("invoke", DURABLE, "--name", name, "--payload", payload("step", name="Ada"))
    assert greeted["Payload"] == "Hello, Ada!"
    assert f"/{name}/" in greeted["DurableExecutionArn"]
    failed = everstep.run("invoke", DURABLE, "--payload", payload("step_fails"), "--json", code=1)
    assert json.loads(failed.stdout)["FunctionError"] == "Unhandled"


def test_invoke_follow_prints_each_event_once(everstep: CommandLine, name: str):
    text = everstep("invoke", DURABLE, "--name", name, "--payload", payload("step_wait_step", seconds=1), "--follow")
    numbers = [int(number) for number in re.findall(r"^ *(\d+)  ", text, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1)), text
    assert "WaitSucceeded" in text
    assert 'status  SUCCEEDED\nresult  ["before", "after"]' in text
    failed = everstep.run("invoke", DURABLE, "--payload", payload("step_fails"), "--follow", code=1)
    assert "error   " in failed.stdout
    assert "never" in failed.stdout
    assert "not durable" in everstep.error("invoke", "python-plain", "--follow")


def test_executions_are_named_by_arn_name_and_short_id(everstep: CommandLine, name: str):
    arn = everstep("invoke", DURABLE, "--name", name, "--payload", payload("step", name="Bo"), "--async").strip()
    execution_id = arn.rpartition("/")[2]
    for spelling in (arn, name, execution_id, execution_id[:13]):
        assert everstep.json("executions", "show", spelling)["Execution"]["DurableExecutionArn"] == arn
    assert "list them with `everstep executions list`" in everstep.error("executions", "show", "nobody-has-this")
    other = everstep("invoke", "python-long", "--name", name, "--payload", payload("step", name="Bo"), "--async")
    ambiguous = everstep.error("executions", "history", name)
    assert "2 executions match" in ambiguous
    for candidate in (arn, other.strip()):
        assert candidate.rpartition("/")[2][:8] in ambiguous


def test_executions_are_listed_by_filters(everstep: CommandLine, name: str):
    everstep("invoke", DURABLE, "--name", name, "--payload", payload("step", name="Cy"))
    table = everstep("executions", "list", "--name", name)
    assert re.fullmatch(rf"ID +FUNCTION +NAME +STATUS +STARTED\n\w+ +{DURABLE}:\$LATEST +{name} +SUCCEEDED .*Z\n", table)
    listed = ["executions", "list", "--name", name]
    for filters, count in (
        (["--function", DURABLE, "--status", "succeeded"], 1),
        (["--function", "python-long"], 0),
        (["--status", "FAILED"], 0),
        (["--started-after", "1h"], 1),
        (["--started-before", "1h"], 0),
        (["--started-after", "2999-01-01T00:00:00Z"], 0),
        (["--limit", "1"], 1),
    ):
        assert len(everstep.json(*listed, *filters)) == count, filters
    assert everstep("executions", "list", "--name", "nobody-has-this") == "no executions\n"
    assert "write 2026-" in everstep.error("executions", "list", "--started-after", "yesterday")


def test_executions_are_paused_resumed_stopped_and_deleted(everstep: CommandLine, client: Any, name: str):
    arn = everstep("invoke", DURABLE, "--name", name, "--payload", payload("callback"), "--async").strip()
    suspended_callbacks(client, arn)
    everstep("executions", "pause", name, "--reason", "lunch")
    eventually("it is paused", lambda: everstep.json("executions", "show", name)["Execution"]["Status"] == "PAUSED")
    everstep("executions", "resume", name)
    stopped = everstep.json("executions", "stop", name, "--error-type", "Cancelled", "--error-message", "changed my mind")
    assert stopped["DurableExecutionArn"] == arn
    shown = everstep("executions", "show", name)
    assert "STOPPED" in shown
    assert "Cancelled: changed my mind" in shown
    assert "ExecutionStopped" in everstep("executions", "history", name)
    assert everstep("executions", "delete", name) == f"deleted {arn}\n"
    eventually("it is gone", lambda: everstep.json("executions", "list", "--name", name) == [])
    assert "no execution" in everstep.error("executions", "show", name)


def test_callbacks_succeed_fail_and_beat(everstep: CommandLine, client: Any):
    for verb, arguments, status in (
        ("succeed", ["--result", '"yes"'], "SUCCEEDED"),
        ("fail", ["--error-type", "Refused", "--error-message", "no"], "FAILED"),
    ):
        arn = everstep("invoke", DURABLE, "--payload", payload("callback"), "--async").strip()
        (callback,) = suspended_callbacks(client, arn)
        assert "noted" in everstep("callback", "heartbeat", callback)
        assert everstep.json("callback", verb, callback, *arguments) == {}
        watched = everstep.run("executions", "show", arn, "--follow", code=0 if status == "SUCCEEDED" else 1)
        assert status in watched.stdout
    assert "everstep: " in everstep.error("callback", "succeed", "nonsense")


def test_functions_are_created_changed_and_deleted(everstep: CommandLine, tmp_path: Path, name: str):
    (tmp_path / "app.py").write_text("def handler(event, context):\n    return {'got': event}\n")
    create = ["functions", "create", name, "--runtime", "python3.11", "--handler", "app.handler"]
    assert name in everstep(*create, "--code", str(tmp_path), "--env", "NAME=secret", "--timeout", "9")
    assert everstep("invoke", name, "--payload", "1") == '{"got": 1}\n'
    shown = everstep("functions", "show", name)
    assert "Timeout       9 s" in shown
    assert "Environment   NAME\n" in shown
    assert "secret" not in shown
    assert re.search(rf"^{name} +python3.11 +app.handler +no ", everstep("functions", "list"), re.MULTILINE)
    updated = everstep.json("functions", "update", name, "--code", str(package_file("python")), "--handler", "plain.handler")
    assert updated["Handler"] == "plain.handler"
    assert everstep("invoke", name, "--payload", "2") == "2\n"
    assert "nothing to change" in everstep.error("functions", "update", name)
    assert "no zip file" in everstep.error("functions", "update", name, "--code", str(tmp_path / "app.py"))
    assert everstep("functions", "delete", name) == f"deleted {name}\n"
    assert "ResourceNotFoundException" in everstep.error("functions", "show", name)


def test_logs_of_a_function_and_of_one_execution(everstep: CommandLine, client: Any, name: str):
    # A function of its own: nobody else prints meanwhile.
    client.create_function(**FUNCTIONS["python-plain"].arguments(name))
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    everstep("invoke", name, "--payload", json.dumps({"do": "log", "text": f"line of {name}"}))
    eventually("the line is there", lambda: f"line of {name}" in everstep("logs", name, "--since", "5m"))
    assert everstep("logs", name, "--since", "0s") == ""
    logged = json.dumps({"of": name, "total": 120})
    everstep("invoke", name, "--payload", json.dumps({"do": "log", "text": logged}))
    eventually("the document is there", lambda: logged in everstep("logs", name, "--since", "5m"))
    for pattern, expected in (
        (f"{{ $.of = {name} && $.total > 100 }}", [logged]),
        (f"{{ $.of = {name} && $.total < 100 }}", []),
        (f'"line of {name}"', [f"line of {name}"]),
        (f'"line of {name}" -line', []),
    ):
        found = [line.split(maxsplit=2)[2] for line in everstep("logs", name, "--filter", pattern).splitlines()]
        assert found == expected, pattern
    assert "Invalid filter pattern" in everstep.error("logs", name, "--filter", "{ $.a = 1")
    for number in (1, 2):
        everstep("invoke", DURABLE, "--name", f"{name}-{number}", "--payload", payload("step_wait_step", seconds=1))
    history = everstep.json("executions", "history", f"{name}-1")
    details = [event["InvocationCompletedDetails"] for event in history if "InvocationCompletedDetails" in event]
    requests = [detail["RequestId"] for detail in details]
    assert len(requests) == 2
    # It ends once the last line of each invocation is there, so nothing is waited for.
    lines = everstep("logs", f"{name}-1", "--follow").splitlines()
    starts = [line.split()[4] for line in lines if " START RequestId: " in line]
    assert starts == requests
    assert sum(" REPORT RequestId: " in line for line in lines) == 2
    (first, *_) = [json.loads(line) for line in everstep("logs", f"{name}-2", "--json").splitlines()]
    assert set(first) >= {"timestamp", "message", "logStreamName"}
    assert "no function `nobody-has-this`" in everstep.error("logs", "nobody-has-this")


def test_keys_are_created_used_and_revoked(everstep: CommandLine, server: EverstepServer):
    key = everstep.json("keys", "create", "--description", "for a test")
    assert re.search(rf"^{key['AccessKeyId']} +20.*Z +for a test$", everstep("keys", "list"), re.MULTILINE)
    client = server.client(aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
    client.list_functions()
    assert everstep("keys", "revoke", key["AccessKeyId"]) == f"revoked {key['AccessKeyId']}\n"
    with pytest.raises(ClientError, match="security token .* is invalid"):
        client.list_functions()
    assert "last access key" in everstep.error("keys", "revoke", server.credentials()[0])
    assert "cannot be moved" in everstep.error("dev", "clock", "next")


def test_three_days_pass_at_once(own_server: Callable[..., EverstepServer]):
    server = own_server(arguments=("--movable-clock",))
    everstep = CommandLine(server)
    code = ["--code", str(package_file("python")), "--handler", "app.handler", "--runtime", "python3.11"]
    everstep("functions", "create", "patient", *code, "--execution-timeout", "30d", "--timeout", "60")
    three_days = payload("step_wait_step", seconds=259_200)
    arn = everstep("invoke", "patient", "--name", "first", "--payload", three_days, "--async").strip()
    # It waits by itself until the execution sleeps.
    woken = everstep("dev", "clock", "next")
    assert f"wakes {arn}\nit is 20" in woken
    assert "3 days 0 h ahead" in woken
    assert "SUCCEEDED" in everstep("executions", "show", "first", "--follow")
    history = everstep.json("executions", "history", "first")
    times = {event["EventType"]: event["EventTimestamp"] for event in history}
    assert times["ExecutionSucceeded"] - times["ExecutionStarted"] >= 259_200
    assert " START RequestId: " in everstep("logs", "first", "--follow")
    server.restart(kill=True)
    assert everstep.json("dev", "clock", "show")["AheadSeconds"] >= 259_190
    everstep("invoke", "patient", "--name", "second", "--payload", three_days, "--async")
    everstep("dev", "clock", "next")
    assert "6 days" in everstep("dev", "clock", "advance", "2h")
    assert "SUCCEEDED" in everstep("executions", "show", "second", "--follow")
    assert "nothing to wake up" in everstep.error("dev", "clock", "next")
    assert "write 90s" in everstep.error("dev", "clock", "advance", "soon")


def test_completion_and_usage(everstep: CommandLine):
    for shell in ("bash", "zsh", "fish"):
        assert "executions" in everstep("completion", shell)
    assert "Usage" in everstep.error("executions", code=2)
    assert "unexpected argument" in everstep.error("invoke", "f", "--nonsense", code=2)
    help_text = everstep("invoke", "--help")
    assert "Examples:" in help_text
    assert "Exit codes: 0 done, 1 failed, 2" in everstep("--help")
