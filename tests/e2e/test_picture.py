"""The terminal of the README shows what its commands print today."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from tests.e2e.conftest import JAMMY, RELEASES, official
from tests.e2e.picture import (
    BASES,
    FILES,
    SESSION,
    TENSORFLOW,
    Command,
    Login,
    Recorder,
    draw,
    read,
)
from tests.e2e.support import Person


@pytest.fixture
def recorder(arrive: Callable[[], Person]) -> Iterator[Recorder]:
    recorder = Recorder(arrive())
    yield recorder
    recorder.remove()


def test_the_terminal_of_the_readme_is_what_its_commands_print_today(
    recorder: Recorder, stand_in: Callable[..., None]
) -> None:
    """Where this fails: `uv run python -m tests.e2e.picture`."""
    for base in (official(RELEASES["bionic"]), JAMMY):  # as other tests have them
        stand_in(base)
    shown = recorder.record([_without_tensorflow(step) for step in SESSION])
    for path, theme in FILES.items():
        lines = read(path.read_text())
        of_tensorflow = [n for n, line in enumerate(lines) if TENSORFLOW in line]
        rest = [line for n, line in enumerate(lines) if not {n, n - 1} & {*of_tensorflow}]
        assert len(of_tensorflow) == len(BASES)
        assert rest == read(draw(shown, theme))


@pytest.mark.full
def test_tensorflow_prints_what_the_terminal_of_the_readme_shows(
    recorder: Recorder, stand_in: Callable[..., None]
) -> None:
    """The whole picture, with 1 GB of wheels."""
    for base in BASES:
        stand_in(base)
    shown = recorder.record()
    for path, theme in FILES.items():
        assert path.read_text() == draw(shown, theme)


def _without_tensorflow(step: Command | Login) -> Command | Login:
    if isinstance(step, Login):
        return replace(step, typed=tuple(line for line in step.typed if line != TENSORFLOW))
    return step
