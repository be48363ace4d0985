"""Parses by code that is compiled for one version of Python."""

from __future__ import annotations

import sys
from typing import Any

import pydantic_core


def handler(event: Any, context: Any) -> list[Any]:
    """Return what a compiled parser makes of a text, and who runs this."""
    return [pydantic_core.from_json(event["text"]), list(sys.version_info[:2])]
