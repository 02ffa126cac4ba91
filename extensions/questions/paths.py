"""The directories of the server that containers mount, and where a fleet deploys to."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping

from .. import machine
from ..answers import Answers, Kind, Question, RefusedError
from ..reading import shown, text
from .general import CONTAINERS

HOME = "/AI"
"""Home of the user in every container: the project directory is mounted there."""

# Mounting over one of these, or inside one of the trees, would hide what a container runs from.
_SYSTEM_PATHS = "/ /home /media /mnt /opt /root /srv /tmp /usr /usr/local /var".split()
_SYSTEM_TREES = """/AI /bin /boot /dev /etc /lib /lib32 /lib64 /libx32 /opt/nvidia /proc /run /sbin
    /sys /usr/bin /usr/include /usr/lib /usr/libexec /usr/local/bin /usr/local/etc
    /usr/local/include /usr/local/lib /usr/local/nvidia /usr/local/sbin /usr/local/share /usr/sbin
    /usr/share /var/cache /var/lib /var/log /var/mail /var/run /var/spool /var/tmp""".split()


def read_path(answer: object) -> str:
    """Return an absolute path in its plain form, without what YAML, Compose or a shell would read.

    Raises:
        RefusedError: it is none.
    """
    path = text(answer)
    if not path.startswith("/"):
        raise RefusedError(f"{shown(path)} is not absolute; write the full path, such as /home/ai")
    if bad := sorted({c for c in path if c in ":$#\"'`\\"}):
        raise RefusedError(
            f"{shown(path)} contains {' '.join(bad)}; use a path without : $ # \" ' ` \\"
        )
    if path != (clean := "/" + posixpath.normpath(path).lstrip("/")) or path != path.strip():
        raise RefusedError(f"{shown(path)} is not normalized; write {shown(clean.strip())}")
    if len(path) > 1000:
        raise RefusedError(f"{shown(path)} is longer than 1000 characters; use a shorter path")
    return path


def read_mounted_path(answer: object) -> str:
    """Return a path that is mounted at the same place in the containers.

    Raises:
        RefusedError: it is no path, or one that a container runs from.
    """
    path = read_path(answer)
    if is_system(path) or path.startswith("/usr/local/cuda"):
        raise RefusedError(
            f"{shown(path)} would hide a system directory of the containers; "
            "use a path such as /home/ai or /data/ai"
        )
    return path


def is_system(path: str, but: str = "") -> bool:
    """Return whether a path belongs to the system, with one tree left out."""
    trees = (tree for tree in _SYSTEM_TREES if tree != but)
    return path in _SYSTEM_PATHS or any(covers(tree, path) for tree in trees)


def covers(outer: str, inner: str) -> bool:
    """Return whether a path is another one, or lies above it."""
    return f"{inner}/".startswith(f"{outer}/")


HOST_HOME = Question(
    "host_home", CONTAINERS, read_mounted_path, unanswered="", default=lambda _: machine.home()
)


def _check_conda_path(path: str, answers: Answers) -> None:
    home = answers[HOST_HOME]
    if home and covers(path, home):
        raise RefusedError(
            f"{shown(path)} would make the read-only home {home} writable; give the directory of "
            f"conda itself, such as {posixpath.join(home, 'miniconda3')}"
        )


CONDA_PATH = Question(
    "conda_path",
    CONTAINERS,
    read_mounted_path,
    unanswered="",
    check=_check_conda_path,
    default=lambda answers: machine.conda_path(answers[HOST_HOME]),
)


def read_project_path(answer: object) -> str:
    """Return the directory that a container has as its home.

    Raises:
        RefusedError: it is no path, or one of the system.
    """
    path = read_path(answer)
    if is_system(path, but=HOME):
        raise RefusedError(
            f"{shown(path)} is a system directory of the server, which would be writable in the "
            "containers; use a path such as /data/ai"
        )
    return path


def check_project_path(path: str, others: Mapping[str, str]) -> None:
    """Refuse a project directory that would make another directory writable.

    Args:
        path: The directory.
        others: What the other directories are called, and their paths; the home comes first.

    Raises:
        RefusedError: it is one of them, or lies above it.
    """
    home, *_ = others.values()
    for name, other in others.items():
        if other and covers(path, other):
            example = posixpath.join(home or "/data", "tensorflow_volume")
            raise RefusedError(
                f"{shown(path)} would make {name} {other} writable under {HOME}; "
                f"give a directory of its own, such as {example}"
            )


PROJECT_PATH = Question(
    "project_path",
    CONTAINERS,
    read_project_path,
    unanswered="",
    check=lambda path, answers: check_project_path(
        path, {question.name: answers[question] for question in (HOST_HOME, CONDA_PATH)}
    ),
    default=lambda answers: f"{answers[HOST_HOME]}/tensorflow_volume",
)


def _read_deploy_path(answer: object) -> str:
    """Refuse a path whose folders have other owners: what is too much in one is deleted."""
    path = read_path(answer)
    if not re.fullmatch(r"[A-Za-z0-9._/-]+", path):
        raise RefusedError(
            f"{shown(path)} contains more than letters, digits, . _ and -; remove the others"
        )
    if is_system(path):
        raise RefusedError(
            f"{shown(path)} belongs to the system; use a directory of its own, such as /srv/hosts"
        )
    return path


DEPLOY_PATH = Question("deploy_path", (Kind.FLEET,), _read_deploy_path, unanswered="")
