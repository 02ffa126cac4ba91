"""The terminal of the README shows what its commands print today."""

from __future__ import annotations

from collections.abc import Callable

from tests.e2e.picture import BASES, FILES, Recorder, draw, read
from tests.e2e.support import Person


def test_the_terminal_of_the_readme_is_what_its_commands_print_today(
    arrive: Callable[[], Person], stand_in: Callable[..., None]
) -> None:
    """Where this fails: `uv run python -m tests.e2e.picture`."""
    for base in BASES:
        stand_in(base)
    recorder = Recorder(arrive())
    try:
        shown = recorder.record()
    finally:
        recorder.remove()
    for path, theme in FILES.items():
        drawn = draw(shown, theme)
        assert read(path.read_text()) == read(drawn)
        assert path.read_text() == drawn
