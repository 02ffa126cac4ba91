"""The committed example. ``uv run python -m tests.example`` renews it from the working tree."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

import copier

from tests.answers import EXAMPLE as ANSWERS
from tests.releases import ANSWERS_FILE, NEWEST, working_tree
from tests.support import ROOT

EXAMPLE = ROOT / "example/gpu01"


def renew() -> None:
    """Replace the example by what its answers give now; it keeps its release and address."""
    kept = re.findall(r"(?m)^_(?:commit|src_path): .*\n", (EXAMPLE / ANSWERS_FILE).read_text())
    with tempfile.TemporaryDirectory() as folder:
        template, target = working_tree(Path(folder, "template")), Path(folder, EXAMPLE.name)
        copier.run_copy(
            str(template), target, data=ANSWERS, vcs_ref=NEWEST, defaults=True, unsafe=True,
            quiet=True,
        )  # fmt: skip
        recorded = target / ANSWERS_FILE
        text = re.sub(
            r"(?m)^_(?:commit|src_path): .*\n", lambda _: kept.pop(0), recorded.read_text()
        )
        recorded.write_text(text)
        shutil.rmtree(EXAMPLE)
        shutil.copytree(target, EXAMPLE)


if __name__ == "__main__":
    renew()
