"""What editors ask of a container: a C library for their server, a Python for their extensions.

The facts about extensions stand in ``editors.yaml``.
"""

from __future__ import annotations

from dataclasses import dataclass

from packaging.version import Version

from . import data

GLIBC = Version("2.28")
"""Oldest glibc for the server of Visual Studio Code:
https://code.visualstudio.com/docs/remote/faq#_can-i-run-vs-code-server-on-older-linux-distributions"""

TODAY = "3.13"
"""A Python that the newest of all extensions take."""


@dataclass(frozen=True)
class Extensions:
    """Versions of extensions that work with a Python, None where the newest does."""

    debugger: str | None
    """Of Python Debugger."""
    debugpy: str | None
    """Of the package, for an environment where the newest debugger cannot start."""
    test_explorer: str | None
    """Of Python, where the test explorer is wanted: all else of the newest runs from 3.6 on."""

    @property
    def identifiers(self) -> tuple[str, ...]:
        """What Visual Studio Code installs, such as ``ms-python.debugpy@2024.0.1``."""
        debugger = f"@{self.debugger}" if self.debugger else ""
        return ("ms-python.python", f"ms-python.debugpy{debugger}", "ms-toolsai.jupyter")


def _row(name: str, python: str) -> dict[str, str | None]:
    """Return the last row of a table that begins with this Python or an older one."""
    table: list[dict[str, str | None]] = data.load("editors.yaml")[name]
    rows = [row for row in table if Version(str(row["python"])) <= Version(python)]
    return rows[-1]


def newest_takes(name: str) -> str:
    """Return the oldest Python that the newest ``debugger`` or ``test_explorer`` takes."""
    return str(data.load("editors.yaml")[name][-1]["python"])


def extensions_for(python: str) -> Extensions:
    """Return the versions of extensions that work with a Python, 3.5 or newer."""
    debugger, test_explorer = _row("debugger", python), _row("test_explorer", python)
    return Extensions(debugger["extension"], debugger["debugpy"], test_explorer["extension"])
