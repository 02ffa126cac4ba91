"""Mirror, proxy, and the servers that are named by an answer."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from functools import partial
from urllib.parse import urlsplit

from .. import mirrors, sharing
from ..addresses import is_address, is_loopback, is_url
from ..answers import Answers, Kind, Question, RefusedError
from ..reading import boolean, listed, one_of, shown, text, text_or_map
from .general import CONTAINERS, KIND
from .people import everybody
from .tensorflow import IMAGES, SHARING, TF_VERSIONS


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


def _read_url_for_containers(answer: object, example: str) -> str:
    """Return a URL that builds and containers can reach.

    Raises:
        RefusedError: as `read_url`, or it is a loopback address.
    """
    url = read_url(answer, example)
    if is_loopback(url):
        port = urlsplit(url).port
        end = f":{port}" if port else ""
        raise RefusedError(
            f"{shown(url)} is a loopback address, which leads a container to itself; let that "
            "server listen on the LAN address of its host or on Docker's bridge, and answer with "
            f"that address, such as http://192.168.1.10{end} or http://172.17.0.1{end}"
        )
    return url


def _read_mirror(answer: object) -> str | Mapping[str, str]:
    parts = text_or_map(answer)
    if isinstance(parts, str):
        return _read_one_mirror(parts)
    for part, mirror in parts.items():
        if part not in mirrors.PARTS:
            raise RefusedError(
                f"{shown(part)} is not a part of a mirror; use {listed(mirrors.PARTS, 'or')}"
            )
        if mirror in mirrors.known():
            if not mirrors.url_of(part, mirror):
                raise RefusedError(f"{mirror} has no {part}; give the URL of a server that has it")
        elif "://" not in mirror:
            names = listed([*mirrors.known(), "a URL"], "or")
            raise RefusedError(f"{shown(mirror)} is not a known mirror for {part}; use {names}")
        else:
            _read_url_for_containers(mirror, f"{{{part}: https://mirror.example.com/{part}}}")
    return parts


def _read_one_mirror(name: str) -> str:
    if name in ("none", *mirrors.known()):
        return name
    if "://" not in name:
        names = listed(["none", *mirrors.known(), "the base URL of one", "a map"], "or")
        raise RefusedError(f"{shown(name)} is not a known mirror; use {names}")
    return _read_url_for_containers(name, "https://mirror.example.com")


MIRROR: Question[str | Mapping[str, str]] = Question(
    "mirror", CONTAINERS, _read_mirror, unanswered="none"
)


def _read_proxy(answer: object) -> str:
    return "" if answer == "" else _read_url_for_containers(answer, "http://proxy.example.com:3128")


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

# https://www.rfc-editor.org/rfc/rfc1918
PRIVATE = [ipaddress.IPv4Network(n) for n in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
LARGEST_SUBNET, SMALLEST_SUBNET = 16, 28


def _read_subnet(answer: object) -> str:
    """Return a private IPv4 network, or an empty text for the one that Docker chooses."""
    subnet = text(answer)
    if subnet == "":
        return ""
    try:
        network = ipaddress.IPv4Network(subnet, strict=False)
    except ValueError:
        message = f"{shown(subnet)} is not an IPv4 network; write it as 10.213.0.0/24"
        raise RefusedError(message) from None
    if subnet != str(network):
        raise RefusedError(f"{shown(subnet)} is not the start of a network; write {network}")
    if not any(network.subnet_of(private) for private in PRIVATE):
        raise RefusedError(
            f"{shown(subnet)} is not a private network; choose one that your network does not use "
            f"in {listed(map(str, PRIVATE), 'or')}"
        )
    if not LARGEST_SUBNET <= network.prefixlen <= SMALLEST_SUBNET:
        raise RefusedError(
            f"{shown(subnet)} has the wrong size; choose a prefix from /{LARGEST_SUBNET} to "
            f"/{SMALLEST_SUBNET}, such as {network.network_address}/24"
        )
    return subnet


def _check_subnet(subnet: str, answers: Answers) -> None:
    if subnet == "":
        return
    # Compose gives an address to each container; the network's own, its gateway and the
    # broadcast address are taken.
    room = ipaddress.IPv4Network(subnet).num_addresses - 3
    groups = sharing.groups(answers[TF_VERSIONS], answers[SHARING], answers[IMAGES])
    containers = len(groups) * len(everybody(answers))
    if containers > room:
        raise RefusedError(
            f"{shown(subnet)} has {room} addresses for {containers} containers; "
            "choose a larger network"
        )


SUBNET = Question("subnet", (Kind.HOST,), _read_subnet, unanswered="", check=_check_subnet)

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
        raise RefusedError(
            f"{shown(ssh)} is not possible on a cluster, whose pods need sshd; answer true"
        )


SSH = Question("ssh", (Kind.HOST,), boolean, unanswered=True, check=_check_ssh)
