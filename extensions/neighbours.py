"""The other generated directories of a repository and of a machine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

_DEPTH = 3
"""How many folders below the root of the repository a directory is looked for."""


def _repository(folder: Path) -> Path | None:
    """Return the root of the git repository around a folder, None where there is none.

    That of a template is none: what it has generated are examples.
    """
    root = next((parent for parent in folder.parents if (parent / ".git").exists()), None)
    return root if root and not (root / "copier.yml").exists() else None


def _directories(root: Path, answers_file: str) -> Iterator[Path]:
    """Yield the generated directories of a repository, without those in hidden folders."""
    for folder, names, files in os.walk(root):
        here = Path(folder)
        deep = len(here.relative_to(root).parts) >= _DEPTH
        names[:] = [] if deep else sorted(n for n in names if not n.startswith("."))
        if answers_file in files:
            yield here


def with_the_host(host: str, kind: str, conf: Mapping[str, Any]) -> str:
    """Return another directory of the repository and of a kind that has the host.

    Args:
        host: An answer to the question ``host``.
        kind: The kind of directory that is generated.
        conf: Copier's own settings, nothing outside of Copier.

    Returns:
        Its path from the root of the repository, empty where there is none.
    """
    here = Path(conf["dst_path"]).absolute() if conf else None
    root = _repository(here) if here else None
    for folder in _directories(root, str(conf["answers_file"])) if root else ():
        if folder != here and _answered(folder / conf["answers_file"], host) == kind:
            return str(folder.relative_to(root))  # type: ignore[arg-type]
    return ""


def _answered(answers_file: Path, host: str) -> str:
    """Return the kind of directory of an answers file that has the host, else nothing."""
    try:
        text = answers_file.read_text(encoding="utf-8")
        if host not in text:  # a repository may have hundreds, and YAML is slow
            return ""
        answers = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return ""
    if not isinstance(answers, dict) or str(answers.get("host")) != host:
        return ""
    return str(answers.get("kind", "host"))


def started_from(host: str, conf: Mapping[str, Any]) -> str:
    """Return another directory of this machine whose containers have the host's name.

    Args:
        host: An answer to the question ``host``.
        conf: Copier's own settings, nothing outside of Copier. An update renders elsewhere too,
            quietly, where this directory itself would be another.

    Returns:
        Its path, empty where there is none or nobody can say.
    """
    if not conf or conf["quiet"]:
        return ""
    here = os.path.realpath(conf["dst_path"])
    others = (path for path in _working_directories(host) if os.path.realpath(path) != here)
    return next(filter(_exists, others), "")


def _exists(path: str) -> bool:
    """Return whether something is there, also where it is closed to this person."""
    try:
        Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


@cache
def _working_directories(project: str) -> list[str]:
    """Return where the containers of a Compose project were started, as Docker knows it."""
    label = "com.docker.compose.project"
    command = ["docker", "ps", "--all", f"--filter=label={label}={project}",
               "--format", f'{{{{.Label "{label}.working_dir"}}}}']  # fmt: skip
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603 (a checked name)
    except (OSError, subprocess.SubprocessError):
        return []
    return sorted(set(run.stdout.splitlines()) - {""})
