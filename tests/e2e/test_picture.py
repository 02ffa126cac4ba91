"""The terminal of the README shows what its commands print today."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.e2e.conftest import JAMMY, RELEASES, official
from tests.e2e.picture import BASES, FILES, GPU, TENSORFLOW, Recorder, draw, read, without
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
    compare(recorder, TENSORFLOW, GPU)


@pytest.mark.full
def test_tensorflow_prints_what_the_terminal_of_the_readme_shows(
    recorder: Recorder, stand_in: Callable[..., None]
) -> None:
    """With 1 GB of wheels."""
    for base in BASES:
        stand_in(base)
    compare(recorder, GPU)


def compare(recorder: Recorder, *left_out: str) -> None:
    """Compare the README's terminal with a session, without some commands and their output."""
    shown = recorder.record(without(*left_out))
    for path, theme in FILES.items():
        picture = read(path.read_text())
        assert sum(line.endswith(TENSORFLOW) for line in picture) == len(BASES)
        assert list(lines_without(picture, left_out)) == read(draw(shown, theme))


def lines_without(lines: list[str], commands: tuple[str, ...]) -> Iterator[str]:
    """Leave out commands, each up to the next prompt."""
    left_out = False
    for line in lines:
        if "$ " in line:
            left_out = line.endswith(tuple(f"$ {command}" for command in commands))
        if not left_out:
            yield line
