"""Mirror, proxy, and the servers that are named by an answer."""

from __future__ import annotations

import re
from functools import partial

from .. import mirrors
from ..addresses import is_address, is_url
from ..answers import Answers, Kind, Question, RefusedError
from ..reading import boolean, listed, one_of, shown, text
from .general import CONTAINERS, KIND


def read_url(answer: object, example: str) -> str:
    """Return a URL.

    Raises:
        RefusedError: it is none, or has a user name or password in it.
    """
    address = text(answer)
    if "@" in address:
        # The value is not repeated: it contains a secret.
        raise RefusedError(
            "the URL contains a user name or password, which would be committed to git; "
            f"give one without, such as {example}"
        )
    if not is_url(address):
        raise RefusedError(f"{shown(address)} is not a valid URL; write it as {example}")
    return address


def _read_mirror(answer: object) -> str:
    name = text(answer)
    if name in ("none", *mirrors.KNOWN):
        return name
    if "://" not in name:
        known = listed(["none", *mirrors.KNOWN, "the base URL of one"], "or")
        raise RefusedError(f"{shown(name)} is not a known mirror; use {known}")
    return read_url(name, "https://mirror.example.com")


MIRROR = Question("mirror", CONTAINERS, _read_mirror, unanswered="none")


def _read_proxy(answer: object) -> str:
    return "" if answer == "" else read_url(answer, "http://proxy.example.com:3128")


PROXY = Question("proxy", CONTAINERS, _read_proxy, unanswered="")


def _read_no_proxy(answer: object) -> str:
    hosts = text(answer)
    if not re.fullmatch(r"([A-Za-z0-9.*_:/\[\]-]+(,[A-Za-z0-9.*_:/\[\]-]+)*)?", hosts):
        raise RefusedError(
            f"{shown(hosts)} is not a list of hosts; write them with commas and no spaces, such as "
            "localhost,.example.com,10.0.0.0/8"
        )
    return hosts


NO_PROXY = Question("no_proxy", CONTAINERS, _read_no_proxy, unanswered="")

STORAGE = Question(
    "storage",
    (Kind.CLUSTER,),
    partial(one_of, ("nfs", "hostPath"), "a type of storage"),
    unanswered="",
)


def _check_nfs_server(name: str, answers: Answers) -> None:
    if name == "" and answers[STORAGE] != "nfs":
        return
    if not is_address(name):
        raise RefusedError(
            f"{shown(name)} is not the name or address of an NFS server; give it as the nodes know "
            "it, such as nas.example.com, or answer storage with hostPath"
        )


NFS_SERVER = Question(
    "nfs_server",
    (Kind.CLUSTER,),
    text,
    unanswered="",
    check=_check_nfs_server,
    default=lambda _: "",
)


def _check_ssh(ssh: bool, answers: Answers) -> None:
    if not ssh and answers[KIND] == Kind.CLUSTER:
        raise RefusedError(f"{shown(ssh)} leaves kubectl as the only way into a pod; answer true")


SSH = Question("ssh", (Kind.HOST,), boolean, unanswered=True, check=_check_ssh)
