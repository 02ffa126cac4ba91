"""Small things that several tests need."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).parents[1]


def git(repository: Path, *arguments: str) -> str:
    """Run git in a repository and return what it prints."""
    command = ["git", "-C", str(repository), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def missing(why: str) -> NoReturn:
    """Skip the test, or fail where nothing may be missing: in CI."""
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)
