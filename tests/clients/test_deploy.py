"""`everstep deploy` and `everstep dev DIR`: from a project to a stack, and again when a file is saved."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from command_line import CommandLine
from everstep_server import BINARY, EverstepServer, eventually
from executions import call
from packages import RUNTIMES

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Greeting: {Type: String, Default: hello}
Resources:
  Greeter:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src
      Handler: app.handler
      Runtime: python3.11
      Role: !Sub arn:aws:iam::${AWS::AccountId}:role/everstep
      Environment:
        Variables: {GREETING: !Ref Greeting}
Outputs:
  Function: {Value: !Ref Greeter}
"""
CODE = "import os\nimport six\n\n\ndef handler(event, context):\n    return os.environ['GREETING'] + six.text_type('!')\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make a project with a dependency; return its directory."""
    source = tmp_path / "greeter" / "src"
    source.mkdir(parents=True)
    (source.parent / "template.yaml").write_text(TEMPLATE)
    (source / "app.py").write_text(CODE)
    (source / "requirements.txt").write_text("six==1.17.0\n")
    return source.parent


def test_project_is_built_and_deployed_in_one_go(server: EverstepServer, project: Path):
    everstep, client = CommandLine(server), server.client()
    first = everstep.json("deploy", str(project))
    assert (first["StackStatus"], first["Changed"]) == ("CREATE_COMPLETE", True)
    function = first["Outputs"]["Function"]
    assert call(client, function, {})["Payload"] == "hello!"
    # The same again is no change, and a parameter stays what it was made.
    assert "is up to date" in everstep("deploy", str(project))
    told = everstep("deploy", str(project), "--parameter", "Greeting=moin")
    assert "Modify" in told
    assert "stack `greeter`: UPDATE_COMPLETE" in told
    (project / "src" / "app.py").write_text(CODE.replace("'!'", "'?'"))
    assert everstep.json("deploy", str(project))["Changed"] is True
    assert call(client, function, {})["Payload"] == "moin?"
    (project / "src" / "requirements.txt").write_text("six==0.0.0.0\n")
    assert "No matching distribution found for six==0.0.0.0" in everstep.error("deploy", str(project))
    assert "DELETE_COMPLETE" in everstep("deploy", str(project), "--delete")
    assert "there is no stack `greeter`" in everstep.error("deploy", str(project), "--delete")


def test_template_that_is_refused_leaves_no_stack(server: EverstepServer, project: Path):
    (project / "template.yaml").write_text("Resources: {Topic: {Type: AWS::SNS::Topic}}")
    everstep = CommandLine(server)
    assert "Topic (AWS::SNS::Topic)" in everstep.error("deploy", str(project), "--stack-name", "refused")
    assert "there is no stack `refused`" in everstep.error("deploy", "--stack-name", "refused", "--delete")
    accepted = everstep.json("deploy", str(project), "--stack-name", "refused", "--accept-not-served")
    assert accepted["StackStatus"] == "CREATE_COMPLETE"
    everstep("deploy", "--stack-name", "refused", "--delete")


def test_saved_file_is_deployed(project: Path, tmp_path: Path):
    log = tmp_path / "dev.log"
    data = tmp_path / "data"
    command = [BINARY, "dev", project, "--data", data, "--listen", "127.0.0.1:0", "--runtimes", RUNTIMES]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "EVERSTEP_"))}
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        eventually("it is deployed and watched", lambda: "watching" in log.read_text())
        server = EverstepServer(data)
        server.url = (data / "endpoint").read_text().strip()
        function = server.client().list_functions()["Functions"][0]["FunctionName"]
        (project / "src" / "app.py").write_text(CODE.replace("'!'", "'?'"))
        eventually("it is deployed again", lambda: log.read_text().count("deployed in") == 2)
        assert "src/app.py was saved" in log.read_text()
        assert call(server.client(), function, {})["Payload"] == "hello?"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
