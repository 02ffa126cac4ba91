"""Who uses the containers, and who sets the servers up."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

import yaml

from .. import machine
from ..answers import Answers, Kind, Question, RefusedError
from ..reading import boolean, listed, number, parsed, shown, text
from .general import CONTAINERS, KIND
from .paths import (
    CONDA_PATH,
    HOST_HOME,
    PROJECT_PATH,
    check_project_path,
    covers,
    read_mounted_path,
    read_project_path,
)

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


def read_id(what: str, command: str, answer: object) -> int:
    """Return the UID or GID that a command prints.

    Raises:
        RefusedError: it is none, or root's.
    """
    value = number(answer)
    if value is None:
        raise RefusedError(f"{shown(answer)} is not a {what}; use the number '{command}' prints")
    if value == 0:
        raise RefusedError(
            f"{shown(answer)} is root's {what}; use that of the ordinary user who owns the home, "
            f"as '{command}' prints it"
        )
    return value


def check_id(command: str, value: int, answers: Answers) -> None:
    """Refuse what means nobody, or is beyond what the kind of directory can have."""
    highest = MAX_ID_OF_PODS if answers[KIND] == Kind.CLUSTER else MAX_ID
    if value in NOBODY or value > highest:
        raise RefusedError(
            f"{shown(value)} is reserved; use a number from 1 to {highest} other than "
            f"{listed(map(str, NOBODY))}, as '{command}' prints it"
        )


UID = Question(
    "uid",
    CONTAINERS,
    partial(read_id, "UID", "id -u"),
    unanswered=0,
    check=partial(check_id, "id -u"),
    default=lambda _: machine.uid(),
)

GID = Question(
    "gid",
    CONTAINERS,
    partial(read_id, "GID", "id -g"),
    unanswered=0,
    check=partial(check_id, "id -g"),
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
        raise RefusedError(
            f"{shown(sudo)} is not possible on a cluster, whose pods cannot become root; "
            "answer false"
        )


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


@dataclass(frozen=True)
class Person:
    """Somebody with containers, IDs and directories of their own."""

    name: str
    """Their login name in the containers, and what their containers' names begin with."""
    uid: int
    gid: int
    """By default the UID, as useradd makes it."""
    home: str
    """Their home directory, by default ``/home/<name>``; it has their ``.ssh/authorized_keys``."""
    project: str
    """Their project directory, by default ``tensorflow_volume`` in their home."""

    @property
    def namespace(self) -> str:
        """Their namespace on a cluster."""
        return namespace_of(self.name)


def _read_person(name: str, parts: object) -> Person:
    if not isinstance(parts, Mapping):
        raise RefusedError(f"{shown(parts)} is not a map; write it as {{uid: 1001}}")
    known = ("uid", "gid", "home", "project")
    for part in parts:
        if part not in known:
            raise RefusedError(
                f"{shown(part)} is not a part of a person; use {listed(known, 'or')}"
            )
    user = _read_user(name)
    if "uid" not in parts:
        raise RefusedError(f"uid is missing; write {{{machine.ids_of(user)}}}")
    home = read_mounted_path(parts.get("home", f"/home/{name}"))
    return Person(
        user,
        read_id("UID", f"id -u {name}", parts["uid"]),
        read_id("GID", f"id -g {name}", parts.get("gid", parts["uid"])),
        home,
        read_project_path(parts.get("project", posixpath.join(home, "tensorflow_volume"))),
    )


def _read_people(answer: object) -> tuple[Person, ...]:
    """Return the people in the order in which they were answered."""
    people = parsed(answer)
    if not isinstance(people, Mapping):
        raise RefusedError(
            f"{shown(answer)} is not a map of people; write it as "
            "{alice: {uid: 1001}, bob: {uid: 1002, home: /data/bob}}, or {} for none"
        )
    read = []
    for name, parts in people.items():
        try:
            read.append(_read_person(str(name), parts))
        except RefusedError as refused:
            raise RefusedError(f"{shown(name)}: {refused}") from None
    return tuple(read)


def _check_people(people: tuple[Person, ...], answers: Answers) -> None:
    """Refuse people who could not exist beside each other."""
    for one, other in combinations((shared_account(answers), *people), 2):
        for mine, theirs in ((one.uid, other.uid), (one.namespace, other.namespace)):
            if mine == theirs:
                raise RefusedError(
                    f"{one.name} and {other.name} both have {shown(mine)}; give each their own"
                )
        if covers(one.project, other.project) or covers(other.project, one.project):
            raise RefusedError(
                f"{shown(other.project)} of {other.name} and {shown(one.project)} of {one.name} "
                "overlap; give each a directory of their own"
            )
    for person in people:
        try:
            _check_user(person.name, answers)
            check_id(f"id -u {person.name}", person.uid, answers)
            check_id(f"id -g {person.name}", person.gid, answers)
            homes = {"home": person.home, CONDA_PATH.name: answers[CONDA_PATH]}
            check_project_path(person.project, homes)
        except RefusedError as refused:
            raise RefusedError(f"{shown(person.name)}: {refused}") from None


PEOPLE = Question[tuple[Person, ...]](
    "people", CONTAINERS, _read_people, unanswered=(), check=_check_people
)


def shared_account(answers: Answers) -> Person:
    """Return the account that all share who have none of their own."""
    return Person(
        answers[USER], answers[UID], answers[GID], answers[HOST_HOME], answers[PROJECT_PATH]
    )


def people_to_give(answers: Answers) -> str:
    """Return the people as ``-d`` of Copier takes them, without what is the default."""
    given = {}
    for person in answers[PEOPLE]:
        of_default = _read_person(person.name, {"uid": person.uid, "home": person.home})
        parts: dict[str, Any] = {"uid": person.uid}
        for part in ("gid", "project"):
            if getattr(person, part) != getattr(of_default, part):
                parts[part] = getattr(person, part)
        if person.home != f"/home/{person.name}":
            parts["home"] = person.home
        given[person.name] = parts
    flow = yaml.safe_dump(
        given, default_flow_style=True, allow_unicode=True, width=2**20, sort_keys=False
    )
    return f"people={flow.strip()}"


def everybody(answers: Answers) -> list[Person]:
    """Return all who have containers: the shared account, and then the people."""
    return [shared_account(answers), *answers[PEOPLE]]
