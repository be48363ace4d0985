"""The functions that the tests deploy, and how."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import packages

PYTHON = "python3.11"
NODE = "nodejs22.x"
ROLE = "arn:aws:iam::123456789012:role/everstep"

LANGUAGES = ("python", "python1", "javascript")
"""Each is a code package: the Python SDK 3.x, the Python SDK 1.x, the JavaScript SDK 2.x."""


@dataclass(frozen=True)
class Function:
    """One function: its package, its entry point, and what else it is created with."""

    package: str
    handler: str
    durable: dict[str, int] | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def arguments(self, name: str) -> dict[str, Any]:
        """Return the arguments of CreateFunction."""
        arguments: dict[str, Any] = {
            "FunctionName": name,
            "Runtime": NODE if self.package.startswith("javascript") else PYTHON,
            "Handler": self.handler,
            "Role": ROLE,
            "Timeout": 60,
            "Code": {"ZipFile": package_file(self.package).read_bytes()},
        }
        if self.durable is not None:
            arguments["DurableConfig"] = self.durable
        return arguments | self.options


DURABLE = {"ExecutionTimeout": 300, "RetentionPeriodInDays": 1}


def _functions() -> dict[str, Function]:
    functions: dict[str, Function] = {}
    for package in LANGUAGES:
        functions |= {
            f"{package}-durable": Function(package, "app.handler", DURABLE),
            f"{package}-impatient": Function(package, "app.handler", DURABLE, {"Timeout": 6}),
            f"{package}-expiring": Function(package, "app.handler", DURABLE | {"ExecutionTimeout": 3}),
            f"{package}-long": Function(package, "app.handler", DURABLE | {"ExecutionTimeout": 3600}),
            f"{package}-plain": Function(package, "plain.handler"),
            f"{package}-unaware": Function(package, "plain.handler", DURABLE),
        }
    return functions | {
        "held": Function("python", "held.handler", DURABLE),
        "bundled-sdk": Function("javascript-plain", "plain.handler"),
    }


FUNCTIONS = _functions()


def package_file(name: str) -> Path:
    """Return the zip of a package, built if need be."""
    match name:
        case "javascript":
            return packages.javascript_package()
        case "javascript-plain":
            return packages.javascript_plain_package()
        case "provided":
            return packages.provided_package()
        case "composed":
            return packages.rust_package("composed")
        case _:
            return packages.python_package(name)


def deploy(client: Any, names: Iterable[str] = FUNCTIONS) -> None:
    """Create functions of the table above."""
    for name in names:
        client.create_function(**FUNCTIONS[name].arguments(name))
    waiter = client.get_waiter("function_active_v2")
    for name in names:
        waiter.wait(FunctionName=name, WaiterConfig={"Delay": 1})
