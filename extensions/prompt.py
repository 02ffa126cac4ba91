"""What is shown while Copier waits for an answer."""

from __future__ import annotations

import textwrap

from prompt_toolkit.application import get_app_or_none, run_in_terminal

_shown: list[str] = []
"""The refusal that stands above the prompt, at most one."""


def show_refusal(message: str) -> None:
    """Print a refusal above the prompt, whose own line for it ends at the edge of the terminal.

    Nothing is printed where nobody is asked, or where the same refusal stands there already.
    """
    app = get_app_or_none()
    if app is not None and app.is_running and message not in _shown:
        _shown[:] = [message]
        width = app.output.get_size().columns - 1
        lines = textwrap.fill(message, width, break_on_hyphens=False)
        run_in_terminal(lambda: print(lines))
