"""The allotment of ssh ports: readable, and for ever.

TensorFlow M.m has port ``M mm 22`` (1.15 is 11522, 2.9 is 20922); a second
release of the same minor takes the next free number. The ledger that records
them only grows, so a version keeps its port however often it is removed and
added again. All default ports stay below 32768, where Linux' ephemeral range
begins (``net.ipv4.ip_local_port_range``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

LOWEST, HIGHEST = 1024, 65535
"""Ports that a person may give: below the first, a port belongs to the system."""

MAX_OFFSET = 9999
"""Highest offset with which the default ports of 1.x and 2.x stay below 32768."""


def read_ledger(answer: Any) -> dict[str, int]:
    """Return the answer as version to port; entries that are none are left out."""
    if not isinstance(answer, Mapping):
        return {}
    return {
        str(version): int(port)
        for version, port in answer.items()
        if str(port).isascii() and str(port).isdigit()
    }


def default_port(version: str, offset: int = 0) -> int:
    """Return the port that the rule gives to the first release of a minor version."""
    major, minor = version.split(".")[:2]
    return int(major) * 10000 + int(minor) * 100 + 22 + offset


def allot(versions: Iterable[str], ledger: Mapping[str, int], offset: int = 0) -> dict[str, int]:
    """Return the ledger with a port for every version.

    Args:
        versions: The versions that need a port.
        ledger: Version to port, as allotted before. No entry is dropped or changed.
        offset: Added to the default port of a version that is not in the ledger.
    """
    allotted = dict(ledger)
    for version in versions:
        if version not in allotted:
            port = default_port(version, offset)
            while port in allotted.values():
                port += 1
            allotted[version] = port
    return allotted
