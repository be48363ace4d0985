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
import tools


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


@pytest.mark.parametrize(
    ("maven", "error"),
    [
        (
            f"cat <<END\n\033[0m[ERROR] {UNREACHABLE} -> [Help 1]\nEND\nexit 1",
            f"cannot fetch what the handlers need: {UNREACHABLE}\nName a repository",
        ),
        ("echo 'JAVA_HOME is not defined correctly' >&2\nexit 1", "Maven does not run: JAVA_HOME is not defined"),
        (None, "no `mvn` in `PATH`"),
    ],
)
def test_what_java_needs_and_is_not_there_is_said(
    server: EverstepServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, maven: str | None, error: str
):
    monkeypatch.setattr(tools, "INSTALLED", tmp_path / "installed")
    path = str(tmp_path)
    if maven is not None:
        program = tmp_path / "mvn"
        program.write_text(f"#!/bin/sh\n{maven}\n")
        program.chmod(0o755)
        path += os.pathsep + os.environ["PATH"]
    monkeypatch.setenv("PATH", path)
    [outcome] = conformance.run_language(server, "java", None, [])
    assert outcome.failed
    assert error in str(outcome.error)


def test_the_runner_knows_every_suite_that_there_are_handlers_for():
    for language in handlers.LANGUAGES:
        suites = handlers.suites(REPOSITORY / "tests" / "conformance" / language)
        assert suites
        assert set(suites) <= runner.suites(), language
