"""What is generated, and in which language."""

from __future__ import annotations

import re
from functools import partial

from .. import neighbours
from ..addresses import is_address, is_ip
from ..answers import Answers, Kind, Question, RefusedError
from ..reading import boolean, one_of, shown, text

ALL = tuple(Kind)
CONTAINERS = (Kind.HOST, Kind.CLUSTER)
"""The kinds that have containers."""


def _check_kind(kind: Kind, answers: Answers) -> None:
    recorded = answers.recorded[KIND] if answers.recorded else kind
    if kind != recorded:
        raise RefusedError(
            f"{shown(kind)} cannot replace the {recorded} in this directory; "
            f"generate into another directory, or answer {recorded}"
        )


KIND = Question(
    "kind",
    ALL,
    read=lambda answer: Kind(one_of(tuple(Kind), "a kind of directory", answer)),
    unanswered=Kind.HOST,
    check=_check_kind,
)


def _read_host(answer: object) -> str:
    name = text(answer)
    if re.fullmatch("[0-9]+|0x[0-9a-f]+", name):
        raise RefusedError(f"{shown(name)} is an IP address to ssh; add letters, as in gpu01")
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) or len(name) > 40:
        raise RefusedError(
            f"{shown(name)} is not valid for a Compose project and ssh aliases; use up to 40 "
            "lower-case letters, digits and single hyphens, such as gpu01"
        )
    return name


def _default_host(answers: Answers) -> str:
    folder = str(answers.of_copier("_folder_name")).lower()
    return re.sub("[^a-z0-9]+", "-", folder).strip("-")[:40] or "gpu01"


def _check_host(host: str, answers: Answers) -> None:
    conf = answers.of_copier("_copier_conf") or {}
    if other := neighbours.with_the_host(host, answers[KIND], conf):
        raise RefusedError(
            f"{shown(host)} is the host of {other} too, and the containers of one would replace "
            f"those of the other; choose another name, such as {_other_name(host)}"
        )
    new = not answers.recorded and answers[KIND] == Kind.HOST
    if new and (other := neighbours.started_from(host, conf)):
        raise RefusedError(
            f"{shown(host)} has containers on this server that were started from {other}, and "
            f"those of one would replace those of the other; choose another name, such as "
            f"{_other_name(host)}, and another port_offset"
        )


def _other_name(host: str) -> str:
    stem, digits = re.fullmatch(r"(.*?)(\d*)", host).groups()  # type: ignore[union-attr]
    return f"{stem}{int(digits) + 1:0{len(digits)}}" if digits else f"{host}-2"


HOST = Question(
    "host", CONTAINERS, _read_host, unanswered="", check=_check_host, default=_default_host
)


def _read_address(answer: object) -> str:
    address = text(answer)
    if not (is_address(address) or is_ip(address)) or "[" in address:
        raise RefusedError(
            f"{shown(address)} is not the name or address of a server; write it as laptops reach "
            "it, such as gpu01.example.com"
        )
    return address


ADDRESS = Question(
    "address", (Kind.HOST,), _read_address, unanswered="", default=lambda answers: answers[HOST]
)

ADVANCED = Question("advanced", CONTAINERS, boolean, unanswered=False)

LANGUAGE = Question(
    "language", ALL, partial(one_of, ("en", "zh"), "a supported language"), unanswered="en"
)
