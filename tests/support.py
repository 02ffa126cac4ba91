"""Small things that several tests need."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

import pytest

ROOT = Path(__file__).parents[1]

ON_DISK = "/tmp"
"""Where folders are whose paths are answers."""


def git(repository: Path, *arguments: str) -> str:
    """Run git in a repository and return what it prints."""
    command = ["git", "-C", str(repository), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def missing(why: str) -> NoReturn:
    """Skip the test, or fail where nothing may be missing: in CI."""
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


def by_default(*chosen: str, among: Iterable[str]) -> list[Any]:
    """Return parameters for a test; all but the chosen ones run in the full profile only."""
    full = pytest.mark.full
    return [name if name in chosen else pytest.param(name, marks=full) for name in among]
