"""The first command of the README: Copier with this template and what its extensions need.

``uvx git+URL hosts/gpu01`` installs it from the repository, and it generates from there.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata

NAME = "copier-tensorflow-host"


def template(installed: str | None) -> list[str]:
    """Return where the template is, and its revision if one was asked for, as Copier takes them.

    Args:
        installed: ``direct_url.json`` of this command
            (https://packaging.python.org/en/latest/specifications/direct-url/).
    """
    source = json.loads(installed or "{}")
    if "vcs_info" not in source:
        sys.exit(f"{NAME}: this was not installed from a repository; run: uvx git+URL DIRECTORY")
    revision = source["vcs_info"].get("requested_revision")
    return [*([f"--vcs-ref={revision}"] if revision else []), f"git+{source['url']}"]


def main() -> None:
    """Generate a directory; the arguments are those of ``copier copy`` after the template."""
    installed = metadata.distribution(NAME).read_text("direct_url.json")
    command = [sys.executable, "-m", "copier", "copy", "--trust", *template(installed)]
    sys.exit(subprocess.call([*command, *sys.argv[1:]]))
