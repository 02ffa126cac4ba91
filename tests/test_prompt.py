"""What a person sees in a terminal of 80x24: every question with its help, and every refusal."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path
from typing import Any

import pexpect
import pyte
import pytest
import yaml

from tests.answers import CLUSTER, EXAMPLE, asked, error
from tests.support import by_default
from tests.test_copier_yml import QUESTIONS
from tests.test_refusals import BAD, as_typed

GOOD: dict[str, Any] = {
    **{name: facts["default"] for name, facts in QUESTIONS.items()},
    "address": "gpu01",
    **EXAMPLE,
    **CLUSTER,
    "queue": "lab",
    "cluster_gpus": {"turing": 8},
    "proxy": "http://proxy.example.com:3128",
    "ports": {"1.15.5": 11522, "2.17.0": 21722},
}
"""What is typed after a bad answer was refused."""

GIVEN: dict[str, dict[str, Any]] = {
    "host": {"kind": "host", "advanced": True},
    "cluster": {"kind": "cluster", "advanced": True},
    "fleet": {"kind": "fleet"},
}
"""What decides which questions are asked."""


class Terminal:
    """Copier in a terminal of 80x24."""

    def __init__(self, template: Path, folder: Path, answers: dict[str, Any]) -> None:
        (folder / "answers.yml").write_text(yaml.safe_dump(answers))
        options = ["--trust", "--pretend", "--data-file=answers.yml"]
        self._process = pexpect.spawn(
            sys.executable, ["-m", "copier", "copy", *options, str(template), "gpu01"],
            cwd=folder, dimensions=(24, 80), encoding="utf-8",
            env={**os.environ, "TERM": "xterm", "PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        self._process.delaybeforesend = None
        self._screen = pyte.Screen(80, 24)
        # where the cursor is, when asked
        self._screen.write_process_input = self._process.send  # type: ignore[assignment,method-assign]
        self._stream = pyte.Stream(self._screen)

    def type(self, keys: str) -> None:
        self._process.send(keys)

    def rows(self) -> list[str]:
        return [row.rstrip() for row in self._screen.display]

    def rows_cut_off(self) -> list[str]:
        """Rows that go on to the edge, but Copier's own and those of test_versions.py."""
        others = ("(Use arrow keys", "Validation error for question", "○", "●")
        return [row for row in self.rows() if len(row) == 80 and not row.strip().startswith(others)]

    def shows(self, *texts: str) -> None:
        """Wait until the texts are on the screen in this order, wherever lines are broken."""
        end = time.monotonic() + 120  # of a machine that is busy
        wanted = re.compile(".*".join(re.escape(squeezed(text)) for text in texts))
        while not wanted.search(squeezed("".join(self.rows()))):
            assert time.monotonic() < end and self._process.isalive(), "\n".join(self.rows())
            try:
                self._stream.feed(self._process.read_nonblocking(4096, timeout=0.1))
            except pexpect.TIMEOUT:
                continue
            except pexpect.EOF:
                raise AssertionError("\n".join(self.rows())) from None

    def close(self) -> None:
        self._process.close(force=True)


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)


def bad_answer(name: str) -> str | None:
    """What is typed to be refused, None where nothing else than a valid answer can be typed."""
    facts, bad = QUESTIONS[name], BAD[name][0]
    typed = "choices" not in facts and facts["type"] != "bool"
    if not typed or (facts["type"] == "int" and not isinstance(bad, int)):
        return None
    return as_typed(bad)


@pytest.mark.parametrize("kind", by_default("host", "fleet", among=GIVEN))
def test_every_question_and_every_refusal_is_seen_whole(
    kind: str, copier_template: Path, tmp_path: Path
) -> None:
    given = GIVEN[kind]
    terminal = Terminal(copier_template, tmp_path, given)
    answers = dict(given)
    asks = [name for name in QUESTIONS if asked(name, kind) and name not in given]
    try:
        for name in asks:
            if QUESTIONS[name].get("ask") is False:
                continue
            question = re.split(r"\{\{.*\}\}", QUESTIONS[name]["help"])
            terminal.shows(*question)
            assert not terminal.rows_cut_off()
            if (bad := bad_answer(name)) is not None:
                terminal.type(f"\x01\x0b{bad}\r")
                refusal = error(name, {**GOOD, **answers, name: BAD[name][0]})
                terminal.shows(f"{name}: {refusal}", *question)
                terminal.type(f"\x01\x0b{as_typed(GOOD[name])}\r")
            else:
                terminal.type("\r")
            answers[name] = GOOD[name]
    finally:
        terminal.close()
