"""What more of the server every container has: directories, and the groups that own data."""

from __future__ import annotations

from collections.abc import Mapping

from ..answers import Answers, Kind, Question, RefusedError
from ..reading import shown, text_map, texts
from .general import CONTAINERS, KIND
from .paths import CONDA_PATH, HOST_HOME, covers, read_mounted_path
from .people import check_id, everybody, read_id

_OURS = ("/environments", "/scripts")
"""Where the containers and the pods find files of the generated directory."""


def _read_mounts(answer: object) -> Mapping[str, str]:
    """Return directory to mode, ``ro`` or ``rw``."""
    mounts = text_map(answer)
    if mounts is None:
        raise RefusedError(
            f"{shown(answer)} is not a map of directory to ro or rw; write it as "
            "{/data/imagenet: ro, /models: rw}, or {} for none"
        )
    for path, mode in mounts.items():
        plain = read_mounted_path(path)
        if any(covers(ours, plain) for ours in _OURS):
            raise RefusedError(f"{shown(path)} is used by the containers; use another path")
        if mode not in ("ro", "rw"):
            raise RefusedError(
                f"{shown(mode)} for {path} is neither ro nor rw; use ro to read, rw to write too"
            )
    return mounts


def _check_mounts(mounts: Mapping[str, str], answers: Answers) -> None:
    homes = [person.home for person in everybody(answers) if person.home]
    for path, mode in mounts.items():
        for question in (HOST_HOME, CONDA_PATH):
            if path == answers[question]:
                raise RefusedError(f"{shown(path)} is mounted as {question.name}; remove it here")
        for home in homes:
            if mode == "rw" and covers(path, home):
                raise RefusedError(
                    f"{shown(path)} would make the read-only home {home} writable; use ro, or a "
                    "directory beside it"
                )
            if answers[KIND] == Kind.CLUSTER and covers(home, path):
                raise RefusedError(
                    f"{shown(path)} is in the home {home}, and on a cluster each person has "
                    "another; use a directory outside"
                )


MOUNTS = Question[Mapping[str, str]](
    "mounts", CONTAINERS, _read_mounts, unanswered={}, check=_check_mounts
)

_GROUP = "getent group NAME"
"""The command that prints a GID."""


def _read_groups(answer: object) -> tuple[int, ...]:
    groups = texts(answer)
    if groups is None:
        raise RefusedError(
            f"{shown(answer)} is not a list of GIDs; write it as [2000, 2001], or [] for none"
        )
    if twice := [group for group in groups if groups.count(group) > 1]:
        raise RefusedError(f"{shown(twice[0])} is in the list twice; name each GID once")
    if "0" in groups:
        raise RefusedError("'0' is root's group; use the GID of a group that owns data")
    return tuple(read_id("GID", _GROUP, group) for group in groups)


def _check_groups(groups: tuple[int, ...], answers: Answers) -> None:
    for group in groups:
        check_id(_GROUP, group, answers)


GROUPS = Question[tuple[int, ...]](
    "groups", CONTAINERS, _read_groups, unanswered=(), check=_check_groups
)
