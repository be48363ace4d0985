"""`everstep deploy` builds by the tools of each language: a small project for each is deployed, and answers."""

from __future__ import annotations

import pytest

from command_line import CommandLine
from everstep_server import EverstepServer
from executions import call
from projects import copy


@pytest.mark.parametrize(
    ("tool", "greeting"),
    [
        ("npm", "hello Ada, see you in 1 minute"),
        ("maven", "hello Ada, from Java"),
        ("cargo", "hello Ada, from Rust"),
        ("make", "hello Ada, from make"),
    ],
)
def test_project_is_built_by(tool: str, greeting: str, server: EverstepServer):
    everstep = CommandLine(server)
    project, name = str(copy(tool)), f"built-by-{tool}"
    deployed = everstep.json("deploy", project, "--stack-name", name)
    assert call(server.client(), deployed["Outputs"]["Function"], {"name": "Ada"})["Payload"] == greeting
    # The same code makes the same package.
    assert "is up to date" in everstep("deploy", project, "--stack-name", name)
    everstep("deploy", "--stack-name", name, "--delete")
