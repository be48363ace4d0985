"""Runs AWS's conformance runner, unmodified, on one SAM template: build, deploy, invoke, compare, delete."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import packages
import tools
from everstep_server import REGION, EverstepServer

ADDITIONS = {"plugin": "plugin-additions"}
"""Suites to which we add requirements that the runner's release does not carry, and the names of the additions."""


@dataclass(frozen=True)
class Outcome:
    """What the runner said about one suite."""

    language: str
    suite: str
    results: list[dict[str, Any]] = field(default_factory=list)
    error: str | None = None
    """Why there are no results: the deployment failed."""

    def count(self, *statuses: str) -> int:
        """Return how many requirements have one of these statuses."""
        return len(self.of(*statuses))

    def of(self, *statuses: str) -> list[dict[str, Any]]:
        """Return the requirements that have one of these statuses."""
        return [result for result in self.results if result["status"] in statuses]

    @property
    def failed(self) -> bool:
        """Say whether anything is wrong."""
        return self.error is not None or bool(self.of("FAILED", "OPTIONAL_FAILED"))


def suites() -> set[str]:
    """Return the suites that the runner has requirements for, and its word for all of them."""
    return {"all"} | {suite.name for requirements in tools.core_requirements() for suite in requirements.iterdir()}


def run(server: EverstepServer, language: str, suite: str, template: Path, work: Path) -> Outcome:
    """Run one suite; what it printed and the histories that it saw are kept in `work`."""
    work.mkdir(parents=True, exist_ok=True)
    command = [
        str(tools.runner()),
        *("-m", "aws_durable_execution_conformance_tests.app"),
        *("--template", str(template)),
        *("--language", language),
        *("--suite", suite, *([ADDITIONS[suite]] if suite in ADDITIONS else [])),
        *("--name", f"{language}-{suite.replace('_', '-')}"),
        *("--region", REGION),
        *("--history-dir", str(work / "histories")),
        *("--report", "console", "json"),
        *("--report-file", str(work / "report")),
    ]
    report = work / "report.json"
    report.unlink(missing_ok=True)
    log = work / "runner.log"
    with log.open("wb") as output:
        # The runner builds in its working directory.
        subprocess.run(command, cwd=work, env=_environment(server), stdout=output, stderr=output, check=False)
    if not report.is_file():
        return Outcome(language, suite, error=f"no report; see {log}")
    return Outcome(language, suite, json.loads(report.read_text())["results"])


def _environment(server: EverstepServer) -> dict[str, str]:
    environment = server.environment()
    # `sam build` wants the Python that the templates name: the one that the server runs them on.
    python = packages.RUNTIMES / "python-3.13" / "bin"
    return environment | {
        "PATH": os.pathsep.join([str(tools.SAM_CLI), str(python), environment["PATH"]]),
        "AWS_EC2_METADATA_DISABLED": "true",
        "SAM_CLI_POLL_DELAY": "0.5",
        "SAM_CLI_TELEMETRY": "0",
        "PYTHONUNBUFFERED": "1",
    }
