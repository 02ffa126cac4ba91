"""The committed example is what its answers give today."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pytest_copier.plugin import CopierProject

from tests.support import ROOT

# Copier records from where and from which version; everything else must be equal.
RECORDS = ("_commit: ", "_src_path: ")


def lines(folder: Path) -> dict[str, list[str]]:
    return {
        str(path.relative_to(folder)): [
            line for line in path.read_text().splitlines() if not line.startswith(RECORDS)
        ]
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_example_is_what_its_answers_give(generate: Callable[..., CopierProject]) -> None:
    # To renew it: copier copy --trust -fr HEAD --data-file example/answers.yml . example/gpu01
    assert lines(ROOT / "example/gpu01") == lines(generate().path)
