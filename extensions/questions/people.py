"""Who uses the containers, and who sets the servers up."""

from __future__ import annotations

import re
from functools import partial

from .. import machine
from ..answers import Answers, Kind, Question, RefusedError
from ..reading import boolean, listed, number, shown, text
from .general import CONTAINERS, KIND

MAX_ID = 2**32 - 2
"""Highest UID and GID: the one above means "unchanged" to chown(2)."""

MAX_ID_OF_PODS = 2**31 - 1
"""Highest UID and GID that Kubernetes takes:
https://github.com/kubernetes/apimachinery/blob/master/pkg/util/validation/validation.go"""

NOBODY = (65534, 65535)
"""UIDs and GIDs that mean nobody."""

# Debian's base-passwd and the packages that an image installs create these.
_SYSTEM_USERS = frozenset(
    """_apt backup bin daemon games gnats irc list lp mail man messagebus news nobody proxy
    root sshd sync sys systemd-network systemd-resolve systemd-timesync uucp www-data""".split()
)


def _read_id(what: str, command: str, answer: object) -> int:
    value = number(answer)
    if value is None:
        raise RefusedError(f"{shown(answer)} is not a {what}; use the number '{command}' prints")
    if value == 0:
        raise RefusedError(
            f"{shown(answer)} is root's {what}; use that of the ordinary user who owns the home, "
            f"as '{command}' prints it"
        )
    return value


def _check_id(command: str, value: int, answers: Answers) -> None:
    highest = MAX_ID_OF_PODS if answers[KIND] == Kind.CLUSTER else MAX_ID
    if value in NOBODY or value > highest:
        raise RefusedError(
            f"{shown(value)} is reserved; use a number from 1 to {highest} other than "
            f"{listed(map(str, NOBODY))}, as '{command}' prints it"
        )


UID = Question(
    "uid",
    CONTAINERS,
    partial(_read_id, "UID", "id -u"),
    unanswered=0,
    check=partial(_check_id, "id -u"),
    default=lambda _: machine.uid(),
)

GID = Question(
    "gid",
    CONTAINERS,
    partial(_read_id, "GID", "id -g"),
    unanswered=0,
    check=partial(_check_id, "id -g"),
    default=lambda _: machine.gid(),
)


def namespace_of(user: str) -> str:
    """Return the namespace of a user on a cluster, with which names of Services can begin."""
    name = user.replace("_", "-").strip("-")
    return name if name[:1].isalpha() else f"user-{name}".rstrip("-")


def _read_user(answer: object) -> str:
    name = text(answer)
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", name):
        raise RefusedError(
            f"{shown(name)} is not a user name that useradd accepts; use up to 32 lower-case "
            "letters, digits, - and _, beginning with a letter or _"
        )
    if name in _SYSTEM_USERS:
        raise RefusedError(
            f"{shown(name)} is a system account of the images; use another name, such as ai"
        )
    return name


def _check_user(name: str, answers: Answers) -> None:
    if answers[KIND] == Kind.CLUSTER and re.match("kube-|default$", namespace_of(name)):
        raise RefusedError(
            f"{shown(name)} is a namespace of Kubernetes; use another name, such as ai"
        )


USER = Question("user", CONTAINERS, _read_user, unanswered="ai", check=_check_user)


def _check_sudo(sudo: bool, answers: Answers) -> None:
    if sudo and answers[KIND] == Kind.CLUSTER:
        raise RefusedError(f"{shown(sudo)} is for hosts: no pod may become root; answer false")


SUDO = Question("sudo", (Kind.HOST,), boolean, unanswered=False, check=_check_sudo)


def _read_admin(answer: object) -> str:
    name = text(answer)
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}", name):
        raise RefusedError(
            f"{shown(name)} is not a login name; use up to 32 letters, digits, . - and _, "
            "such as ubuntu"
        )
    return name


ADMIN = Question("admin", (Kind.FLEET,), _read_admin, unanswered="")
