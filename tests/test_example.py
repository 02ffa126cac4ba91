"""The committed example is what its answers give today."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import yaml

from tests.answers import EXAMPLE as ANSWERS
from tests.example import EXAMPLE
from tests.releases import ANSWERS_FILE, NEWEST
from tests.support import ROOT


def test_the_example_equals_its_answers(
    copier_template: Path, copier_command: Callable[..., str], tmp_path: Path
) -> None:
    """By the command of docs/update.md, from the working tree as the recorded release."""
    recorded = (EXAMPLE / ANSWERS_FILE).read_text()
    recorded = re.sub("(?m)^_commit: .*", f"_commit: {NEWEST}", recorded)
    recorded = re.sub("(?m)^_src_path: .*", f"_src_path: {copier_template}", recorded)
    (tmp_path / ANSWERS_FILE).write_text(recorded)
    recopy = "copier recopy --trust --force --quiet --vcs-ref :current:"
    assert f'\n{recopy} "$scratch"\n' in (ROOT / "docs/update.md").read_text()
    copier_command(*recopy.split()[1:], str(tmp_path))

    assert (tmp_path / ANSWERS_FILE).read_text() == recorded
    drift = subprocess.run(
        ["diff", "-r", "--exclude", ANSWERS_FILE, EXAMPLE, tmp_path], capture_output=True, text=True
    )
    assert drift.stdout == "", "run: uv run python -m tests.example"


def test_the_example_was_answered_as_its_answers_file_says() -> None:
    recorded = yaml.safe_load((EXAMPLE / ANSWERS_FILE).read_text())
    answers = {**ANSWERS, "tf_versions": ANSWERS["tf_versions"][::-1]}  # as Copier records them
    assert recorded.items() >= answers.items()
