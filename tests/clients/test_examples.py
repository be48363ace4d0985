"""The examples are deployed by the commands of their READMEs, and do what those say."""

from __future__ import annotations

import json
import os
import queue
import re
import shlex
import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dynamodb_server
import packages
import web
from command_line import CommandLine
from everstep_server import EverstepServer, eventually
from executions import ended, events_of, start
from history import read_history

PATIENCE = 1800
"""Seconds: the first example in Rust compiles all that it needs, and the others wait for that."""

pytestmark = pytest.mark.timeout(PATIENCE)

COMMAND = re.compile(r"^\$ everstep (.+)$", re.MULTILINE)

in_each_language = pytest.mark.parametrize(
    "language", ["python", "typescript", "rust", pytest.param("java", marks=pytest.mark.java)]
)


class Example:
    """A copy of an example, deployed by the command that its README names."""

    def __init__(self, server: EverstepServer, name: str, language: str, **parameters: str) -> None:
        """Build and deploy it; what was fetched to build it is kept for the next time."""
        self.server = server
        self.client = server.client()
        self.everstep = CommandLine(server, PATIENCE)
        source = packages.REPOSITORY / "examples" / name / language
        if language == "rust":
            # It names the SDK by where that lies, so it is built where it is.
            packages.build_rust(source)
            directory = source
        else:
            directory = packages.BUILT / "examples" / name / language
            built = shutil.ignore_patterns(".everstep", "node_modules", "target")
            shutil.copytree(source, directory, ignore=built, dirs_exist_ok=True)
        self.readme = (source / "README.md").read_text()
        deploy, self._invoke, *_ = (shlex.split(command) for command in COMMAND.findall(self.readme))
        assert deploy[:3] == ["deploy", "--stack-name", f"{name}-{language}"]
        given = [option for name, value in parameters.items() for option in ("--parameter", f"{name}={value}")]
        deployed = self.everstep.json(*deploy, *given, str(directory))
        self.outputs = deployed["Outputs"]
        self.function = self.outputs["Function"]

    def invoke(self, *options: str) -> str:
        """Invoke it by the command of its README; return what that prints."""
        command = [self.function if word == "FUNCTION" else word for word in self._invoke if word != "--follow"]
        return self.everstep(*command, *options).strip()

    def run(self, payload: Any) -> tuple[str, Any]:
        """Run it to its end; return the ARN and the result."""
        arn = start(self.client, self.function, payload)
        return arn, self.result(arn)

    def result(self, arn: str) -> Any:
        """Wait for the end of an execution; return the result."""
        return json.loads(ended(self.client, arn)["Result"])

    def names(self, arn: str, kind: str) -> list[str]:
        """Return the names of the operations with events of a type, in their order."""
        return [event["Name"] for event in read_history(self.client, arn) if event["EventType"] == kind]


@pytest.fixture(autouse=True)
def quick_builds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let cargo build as fast as it can, and all in one place."""
    for name, value in packages.CARGO.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def movable(own_server: Callable[..., EverstepServer]) -> EverstepServer:
    """Start a server whose clock can be moved."""
    return own_server(arguments=("--movable-clock",))


@in_each_language
def test_ai_workflow_never_pays_twice(language: str, tmp_path: Path):
    asked: queue.Queue[str] = queue.Queue()
    prompts: list[str] = []
    crashed = threading.Event()

    def model(request: Any) -> tuple[int, Any]:
        [message] = request["messages"]
        kind, _, rest = message["content"].partition(":")
        prompts.append(kind.split()[0])
        asked.put(prompts[-1])
        match prompts[-1]:
            case "Name" if prompts.count("Name") == 1:
                return 503, {"error": "busy"}
            case "Name":
                text = "light\n\n air \nthe eye\n"
            case "Write":
                text = f"{rest.strip()} matters"
            case "Answer":
                crashed.wait(60)
                text = rest.partition("\n\n")[2]
        return 200, {"choices": [{"message": {"content": text}}]}

    with web.service(model) as url, dynamodb_server.running(tmp_path / "dynamodb.log") as tables:
        config = tmp_path / "everstep.toml"
        config.write_text(dynamodb_server.forwarded(tables, tmp_path / "keys"))
        with EverstepServer(tmp_path / "data", "--movable-clock", "--config", str(config)) as server:
            example = Example(server, "ai-workflow", language, LlmUrl=f"{url}/v1")
            arn = example.invoke("--async")
            # The model is busy at first: the step is tried again later.
            example.everstep("dev", "clock", "next")
            assert [asked.get(timeout=60) for _ in range(6)] == ["Name", "Name", "Write", "Write", "Write", "Answer"]
            for process in server.function_processes():
                os.kill(process, signal.SIGKILL)
            crashed.set()
            result = example.result(arn)
            assert result["answer"] == "light matters\n\nair matters\n\nthe eye matters"
            # Only the call that the crash cut off is paid for again.
            assert (len(prompts), prompts.count("Answer")) == (7, 2)
            assert sorted(example.names(arn, "StepSucceeded")) == ["ask", "ask", "ask", "plan", "save", "summarise"]
            items = server.client(service="dynamodb").scan(TableName=example.outputs["Table"])["Items"]
            expected = {"id": result["id"], "question": "Why is the sky blue?", "answer": result["answer"]}
            assert items == [{name: {"S": value} for name, value in expected.items()}]


@in_each_language
def test_order_is_undone_as_far_as_it_went(own_server: Callable[..., EverstepServer], language: str):
    example = Example(own_server(), "order-payment", language)
    printed = example.invoke()
    assert json.loads(printed) == {"id": "o-1", "status": "CANCELLED", "undone": ["release"]}
    assert printed in example.readme
    order = {"id": "o-2", "items": ["tea"], "card": "4000-0001", "address": "here"}
    assert example.run(order)[1] == {"id": "o-2", "status": "SHIPPED", "parcel": "t-1"}
    arn, undone = example.run(order | {"address": ""})
    assert undone == {"id": "o-2", "status": "CANCELLED", "undone": ["refund", "release"]}
    calls = [f"ChainedInvoke{end}" for end in ("Started", "Succeeded", "Failed")]
    started, succeeded, failed = (example.names(arn, kind) for kind in calls)
    assert started == ["reserve", "charge", "ship", "refund", "release"]
    assert (succeeded, failed) == (["reserve", "charge", "refund", "release"], ["ship"])


@in_each_language
def test_expense_waits_for_a_person(movable: EverstepServer, language: str):
    told: queue.Queue[Any] = queue.Queue()

    def hook(message: Any) -> tuple[int, Any]:
        told.put(message)
        return 200, {}

    with web.service(hook) as url:
        example = Example(movable, "human-approval", language, NotifyUrl=url)
        assert example.run({"id": "e-0", "amount": 100})[1] == {"id": "e-0", "status": "BOOKED", "by": "the rules"}
        for approved, status in ((True, "BOOKED"), (False, "REJECTED")):
            arn = example.invoke("--async")
            message = told.get(timeout=60)
            assert message["expense"] == {"id": "e-1", "amount": 250}
            decision = json.dumps({"approved": approved, "by": "ada"})
            example.client.send_durable_execution_callback_success(CallbackId=message["callbackId"], Result=decision)
            assert example.result(arn) == {"id": "e-1", "status": status, "by": "ada"}
        arn = example.invoke("--async")
        callback_id = told.get(timeout=60)["callbackId"]
        eventually("the log has it too", lambda: callback_id in example.everstep("logs", example.function))
        assert "7 days" in example.everstep("dev", "clock", "next")
        assert example.result(arn) == {"id": "e-1", "status": "EXPIRED"}


@in_each_language
def test_report_is_written_each_day(movable: EverstepServer, language: str):
    example = Example(movable, "scheduled-report", language)
    arn = example.invoke("--async")
    # On each of two days it waits twice for the export, and then for the next day.
    for wake_up in range(6):
        if wake_up == 2:
            # It sleeps through a crash of the server.
            events_of(example.client, arn, "InvocationCompleted", 3)
            movable.restart(kill=True)
        example.everstep("dev", "clock", "next")
    execution = ended(example.client, arn)
    assert execution["Result"] in example.readme
    assert (execution["EndTimestamp"] - execution["StartTimestamp"]).days == 2
    assert example.names(arn, "WaitSucceeded") == ["night-0", "night-1"]
    assert example.names(arn, "ContextSucceeded") == ["day-0", "day-1"]
