"""Requirements that the release of AWS's conformance runner does not carry yet.

The public list of requirements is ahead of the release 1.0.0: 10-8 to 10-23 are only there. These files say the same in
our words, as an extension of the runner in the way that it provides for. Each goes when a release carries it.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path

from aws_durable_execution_conformance_tests.extensions import RequirementSuite


class Extension:
    """What the runner asks an extension for."""

    name = "everstep"
    requires_core = "==1.0.0"

    def requirement_suites(self) -> Sequence[RequirementSuite]:
        """Return the additional suites."""
        return [RequirementSuite("plugin-additions", Path(__file__).with_name("plugin"))]

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add no arguments."""

    def validate_configuration(self, arguments: Namespace) -> None:
        """Refuse nothing."""

    def deployment_parameters(self, arguments: Namespace) -> Mapping[str, str]:
        """Give the templates no parameters."""
        return {}
