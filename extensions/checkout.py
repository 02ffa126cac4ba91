"""What the checkout of the template must be able to do."""

from __future__ import annotations

from pathlib import Path

TEMPLATE = Path(__file__).resolve().parents[1] / "template"
LINKS = ("cluster/base/environments", "cluster/images")
"""Folders of one kind that are links to those of another."""


def problem(kind: str) -> str:
    """Return why a kind cannot be generated from this checkout, empty where it can.

    Kinds share folders by symbolic links. Git writes a link as a text file where links are
    switched off or the file system has none.
    """
    for link in LINKS:
        if link.startswith(f"{kind}/") and not (TEMPLATE / link).is_dir():
            return (
                f"'{kind}' needs symbolic links, and git wrote template/{link} as a file; "
                "run: git config --global core.symlinks true"
            )
    return ""
