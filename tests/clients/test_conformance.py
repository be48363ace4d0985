"""AWS's conformance runner passes as it is: the SAM CLI deploys handlers, the runner invokes them and compares.

One suite, the quickest; `cargo xtask conformance` runs them all.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from everstep_server import EverstepServer
from packages import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "tests" / "conformance"))

import conformance
import handlers
import runner


@pytest.mark.timeout(600)  # The first time the runner is installed.
@pytest.mark.parametrize("language", ["python", "rust"])
def test_a_suite_passes_by_the_whole_way(server: EverstepServer, tmp_path: Path, language: str):
    template = handlers.prepared(language, None) / "template_wait.yaml"
    outcome = runner.run(server, language, "wait", template, tmp_path)
    printed = (tmp_path / "runner.log").read_text()
    assert not outcome.failed, printed
    assert outcome.count("PASSED") == 5, printed


@pytest.mark.parametrize("place", [".", "conformance-tests", "packages/conformance-tests"])
def test_the_handlers_of_a_checkout_are_found(tmp_path: Path, place: str):
    add_template(tmp_path / place)
    assert handlers.prepared("python", tmp_path) == tmp_path / place


@pytest.mark.parametrize(
    ("places", "error"),
    [
        ([], "no template `template_SUITE.yaml` in "),
        (["too/far/down"], "no template `template_SUITE.yaml` in "),
        (["packages/one", "packages/other"], "several directories have templates, name one of them: "),
    ],
)
def test_where_handlers_lie_is_not_guessed(tmp_path: Path, places: list[str], error: str):
    for place in places:
        add_template(tmp_path / place)
    with pytest.raises(SystemExit, match=error):
        handlers.prepared("python", tmp_path)


def add_template(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "template_wait.yaml").touch()


UNREACHABLE = (
    "Could not find artifact software.amazon.lambda.durable:aws-durable-execution-sdk-java:jar:0"
    " in central (https://repo.example/maven2)"
)


def test_what_maven_cannot_fetch_is_said_and_fails(
    server: EverstepServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    maven = tmp_path / "mvn"
    maven.write_text(f"#!/bin/sh\ncat <<END\n\033[0m[ERROR] {UNREACHABLE} -> [Help 1]\nEND\nexit 1\n")
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    [outcome] = conformance.run_language(server, "java", None, [])
    assert outcome.failed
    assert outcome.error is not None
    assert f"cannot fetch what the handlers need: {UNREACHABLE}\nName a repository" in outcome.error


def test_without_maven_java_is_said_to_need_it(server: EverstepServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    [outcome] = conformance.run_language(server, "java", None, [])
    assert outcome.failed
    assert "no `mvn` in `PATH`" in str(outcome.error)
