"""One durable function on each runtime, compiled packages, and a machine without a network."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

import packages
from deployment import DURABLE, Function
from everstep_server import BINARY, EverstepServer, eventually, is_alive
from executions import call, ended, events_of, start

PYTHONS = [runtime for runtime in packages.TESTED_RUNTIMES if runtime.startswith("python")]


def durable(runtime: str) -> Function:
    """Return the durable function for a runtime; AWS's SDK is in it, where there is one."""
    package = "python" if runtime in PYTHONS else "javascript" if runtime.startswith("nodejs") else "provided"
    return Function(package, "app.handler", DURABLE, {"Runtime": runtime})


def create(client: Any, name: str, arguments: dict[str, Any]) -> None:
    client.create_function(**arguments)
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})


@pytest.mark.parametrize("runtime", packages.TESTED_RUNTIMES)
def test_durable_function_runs_on(client: Any, runtime: str):
    name = f"on-{runtime.replace('.', '-')}"
    create(client, name, durable(runtime).arguments(name))
    arn = start(client, name, {"case": "interpreter"})
    execution = ended(client, arn)
    expected = "provided" if runtime.startswith("provided") else runtime
    assert (execution["Status"], json.loads(execution["Result"])) == ("SUCCEEDED", [expected, expected])
    steps, waits = events_of(client, arn, "StepSucceeded"), events_of(client, arn, "WaitSucceeded")
    assert ([step["Name"] for step in steps], [wait["Name"] for wait in waits]) == (["before"], ["pause"])
    assert len(events_of(client, arn, "InvocationCompleted", 2)) == 2


def test_rust_function_is_run_by_awss_own_runtime(client: Any):
    """It is a service of AWS's crate `lambda_runtime`, and not in the SDK's own loop."""
    function = Function("composed", "bootstrap", DURABLE, {"Runtime": "provided.al2023"})
    create(client, "composed", function.arguments("composed"))
    arn = start(client, "composed", "Ada")
    execution = ended(client, arn)
    assert (execution["Status"], json.loads(execution["Result"])) == ("SUCCEEDED", "Hello, Ada! And goodbye.")
    assert [step["Name"] for step in events_of(client, arn, "StepSucceeded", 2)] == ["greet", "part"]
    assert [wait["Name"] for wait in events_of(client, arn, "WaitSucceeded")] == ["pause"]
    assert len(events_of(client, arn, "InvocationCompleted", 2)) == 2


@pytest.mark.parametrize("runtime", PYTHONS)
def test_compiled_packages_load_on(client: Any, runtime: str):
    name = f"native-{runtime.replace('.', '-')}"
    function = {"FunctionName": name, "Runtime": runtime, "Handler": "app.handler", "Timeout": 60}
    code = packages.native_package(runtime).read_bytes()
    create(client, name, function | {"Role": "arn:aws:iam::123456789012:role/everstep", "Code": {"ZipFile": code}})
    answer = call(client, name, {"text": '{"a": [1, 2.5]}'})
    assert answer["Payload"] == [{"a": [1, 2.5]}, [3, int(runtime.removeprefix("python3."))]]


def test_machine_without_network_runs_what_a_bundle_brought(tmp_path: Path):
    bundle, there = tmp_path / "runtimes.tar.gz", tmp_path / "there"
    everstep("bundle", "python3.14", "--output", str(bundle), "--runtimes", str(packages.RUNTIMES))
    everstep("install", "--from", str(bundle), "--runtimes", str(there))
    listed = {line.split()[0]: line for line in everstep("list", "--runtimes", str(there)).splitlines()}
    assert "installed" in listed["python3.14"] and str(there) in listed["python3.14"]

    settings = tmp_path / "everstep.toml"
    settings.write_text("install = false\n")
    arguments = ("--config", str(settings), "--runtimes", str(there))
    with EverstepServer(tmp_path / "data", *arguments) as server:
        client = server.client()
        create(client, "carried", durable("python3.14").arguments("carried"))
        arn = start(client, "carried", {"case": "interpreter"})
        assert json.loads(ended(client, arn)["Result"]) == ["python3.14", "python3.14"]
        assert not list(there.glob("node-*"))


def test_interrupted_installation_leaves_nothing(tmp_path: Path):
    npm, started, there = tmp_path / "npm", tmp_path / "started", tmp_path / "there"
    npm.write_text(f"#!/bin/sh\necho $$ > {started}.new\nmv {started}.new {started}\nexec sleep 600\n")
    npm.chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    command = [str(BINARY), "runtimes", "install", "nodejs22.x", "--runtimes", str(there)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        eventually("npm runs", started.exists)
        process.send_signal(signal.SIGTERM)
        assert "interrupted" in process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert list(there.iterdir()) == []
    eventually("npm is gone", lambda: not is_alive(int(started.read_text())))


def everstep(*arguments: str) -> str:
    """Run a command on runtimes; return what it printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EVERSTEP_")}
    command = [str(BINARY), "runtimes", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
