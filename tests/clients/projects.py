"""Small projects that `everstep deploy` builds, one for each tool."""

from __future__ import annotations

import shutil
from pathlib import Path

import packages

PROJECTS = packages.REPOSITORY / "tests" / "projects"


def copy(name: str) -> Path:
    """Copy a project to where what is built and fetched for it is kept; return the directory."""
    return shutil.copytree(PROJECTS / name, packages.BUILT / "projects" / name, dirs_exist_ok=True)
