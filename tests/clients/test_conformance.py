"""AWS's conformance runner passes as it is: the SAM CLI deploys handlers, the runner invokes them and compares.

One suite, the quickest; `cargo xtask conformance` runs them all.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from everstep_server import EverstepServer
from packages import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "tests" / "conformance"))

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
