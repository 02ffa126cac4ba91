"""The allotment of ssh ports: readable, and for ever.

TensorFlow M.m has port ``M mm 22`` (1.15 is 11522, 2.9 is 20922), the shared
container of CUDA MM.m has ``3 MM m 2`` (11.2 is 31122), and that of all has 30022; a second
release of the same minor takes the next free number. The first person with containers of their own
adds 1, the second 2 (alice's 1.15 is 11523). The ledger that records them only grows, so
a container keeps its port however often it is removed and added again. All default
ports stay below 32768, where Linux' ephemeral range begins
(``net.ipv4.ip_local_port_range``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

LOWEST, HIGHEST = 1024, 65535
"""Ports that a person may give: below the first, a port belongs to the system."""

MAX_OFFSET = 999
"""Highest offset with which the default ports stay below 32768, up to CUDA 17."""


NAME = re.compile(
    r"(?:([a-z_][a-z0-9_-]*)/)?"
    r"(?:tensorflow|(?:(cuda)|[a-z][a-z0-9]*-)?([0-9]+)\.([0-9]+)([.-][0-9a-z.-]+)?)"
)
"""An entry of the ledger: a TensorFlow version, one with a word before it (an own image), the CUDA
of a shared container, or the container of all, and before it the person who has a container of
it, such as ``alice/2.17.0``."""


def default_port(name: str, offset: int) -> int:
    """Return the port that the rule gives to the first container of that name.

    Args:
        name: An entry of the ledger, as `NAME` has it.
        offset: Added to the port.
    """
    _, cuda, major, minor, _ = NAME.fullmatch(name).groups()  # type: ignore[union-attr]
    if not major:
        return 30022 + offset
    if cuda:
        return 30000 + int(major) * 100 + int(minor) * 10 + 2 + offset
    return int(major) * 10000 + int(minor) * 100 + 22 + offset


def _number(name: str, entries: Iterable[str]) -> int:
    """Return which person an entry is of, counted in the order of the ledger; 0 is nobody."""
    person, slash, _ = name.partition("/")
    if not slash:
        return 0
    people = dict.fromkeys(entry.partition("/")[0] for entry in entries if "/" in entry)
    return list(people).index(person) + 1


def allot(names: Iterable[str], ledger: Mapping[str, int], offset: int = 0) -> dict[str, int]:
    """Return the ledger with a port for every container.

    Args:
        names: The containers that need a port, as `NAME` has them.
        ledger: Name to port, as allotted before. No entry is dropped or changed.
        offset: Added to the default port of a container that is not in the ledger.
    """
    allotted = dict(ledger)
    for name in names:
        if name not in allotted:
            port = default_port(name, offset + _number(name, [*allotted, name]))
            while port in allotted.values():
                port += 1
            allotted[name] = port
    return allotted
