"""Which facts of the catalogue a program read, and which a person took from a text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from extensions import catalogue

from .check import READS

SECTIONS = ("gpus", "libraries", "toolkits", "constraints", "releases")
_ABOUT_FACTS = ("sources", "doubts", "evidence", "read")


def _facts(record: Mapping[str, Any], kind: str) -> Iterator[bool]:
    """Yield for each fact of a record whether a program read it."""
    for name, value in record.items():
        if name in _ABOUT_FACTS:
            continue
        if isinstance(value, Mapping):
            yield from _facts(value, name)
        else:
            yield "read" in record and name in READS[kind]


def count() -> tuple[int, int]:
    """Return how many facts a program read, and how many come from texts."""
    read = [
        fact
        for section in SECTIONS
        for record in catalogue.load()[section].values()
        for fact in _facts(record, section)
    ]
    return sum(read), len(read) - sum(read)
