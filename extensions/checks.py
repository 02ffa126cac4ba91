"""What an answer may be, and the sentence that refuses it.

A check takes the answer, and the other answers where it needs them, and returns one
sentence without the question's name, or an empty string. An answer may arrive raw
(``-d uid=5`` is the text ``'5'``), so each check reads it.
"""

from __future__ import annotations

import difflib
import ipaddress
import posixpath
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import yaml
from packaging.version import Version

from . import catalogue, holds, kinds, machine, mirrors, ports, sharing

Answers = Mapping[str, Any]

HOME = "/AI"
"""Home of the user in every container: the project directory is mounted there."""

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

# Mounting over one of these, or inside one of the trees, would hide what a container runs from.
_SYSTEM_PATHS = "/ /home /media /mnt /opt /root /srv /tmp /usr /usr/local /var".split()
_SYSTEM_TREES = """/AI /bin /boot /dev /etc /lib /lib32 /lib64 /libx32 /opt/nvidia /proc /run /sbin
    /sys /usr/bin /usr/include /usr/lib /usr/libexec /usr/local/bin /usr/local/etc
    /usr/local/include /usr/local/lib /usr/local/nvidia /usr/local/sbin /usr/local/share /usr/sbin
    /usr/share /var/cache /var/lib /var/log /var/mail /var/run /var/spool /var/tmp""".split()

_LISTS_AND_MAPS = ("tf_versions", "gpus", "ports", "packages", "digests")

_YES, _NO = "true yes y on 1 t".split(), "false no n off 0 f".split()


def shown(value: Any) -> str:
    """Return the value as a refusal prints it: quoted, on one line, not too long."""
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(value))
    return f"'{text[:60]}…'" if len(text) > 61 else f"'{text}'"


def listed(values: Iterable[str], conjunction: str = "and") -> str:
    """Return the values as a person writes a list."""
    *most, last = values
    return f"{', '.join(most)} {conjunction} {last}" if most else last


def read_yaml(answer: Any) -> Any:
    """Return a YAML answer parsed, every scalar in it as text, or as it came when it is no text.

    Raises:
        yaml.YAMLError: the text is not YAML.
    """
    if not isinstance(answer, str):
        return answer
    return yaml.load(answer, Loader=yaml.BaseLoader)  # noqa: S506 (makes nothing but text)


def read_list(answer: Any) -> list[str]:
    """Return a list answer as a list of text, empty when it is no list."""
    try:
        value = read_yaml(answer)
    except yaml.YAMLError:
        return []
    return [str(item) for item in value] if isinstance(value, list) else []


def read_digests(answer: Any) -> dict[str, str]:
    """Return base image to digest as answered, empty when the answer is no map."""
    try:
        value = read_yaml(answer)
    except yaml.YAMLError:
        return {}
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, Mapping) else {}


def _number(answer: Any) -> int | None:
    text = str(answer)
    if isinstance(answer, bool) or not (text.isascii() and text.isdigit()) or len(text) > 12:
        return None
    return int(text)


# --- TensorFlow, driver, GPUs -----------------------------------------------------------------


def _of_this_machine(answers: Answers) -> bool:
    """Return whether the containers will run on the machine that is read for defaults."""
    return bool(answers.get("kind", kinds.HOST) == kinds.HOST)


def gpus_of(answers: Answers) -> list[str]:
    """Return the GPU generations of the host as answered, before that as nvidia-smi tells."""
    if not _of_this_machine(answers):
        return []
    return read_list(answers["gpus"]) if "gpus" in answers else machine.gpus()


def driver_of(answers: Answers) -> str:
    """Return the NVIDIA driver of the host as answered, before that as nvidia-smi tells."""
    if not _of_this_machine(answers):
        return ""
    return str(answers["driver"]) if "driver" in answers else machine.driver()


def _chosen(answers: Answers) -> list[str]:
    return [r.version for r in catalogue.chosen(read_list(answers.get("tf_versions", [])))]


def _suggested(version: str) -> str:
    known = list(catalogue.releases())
    minor = ".".join(version.split(".")[:2])
    same = [v for v in known if v.startswith(f"{minor}.")]
    return listed(same or difflib.get_close_matches(version, known, 3, 0.3) or known[-3:], "or")


def _too_old(driver: Any, versions: Iterable[str]) -> tuple[str, str] | None:
    """Return the first version that needs a newer driver, and the driver it needs."""
    for version in versions:
        needed = catalogue.releases()[version].toolkit.driver
        if Version(str(driver)) < Version(needed):
            return version, needed
    return None


def _cannot_run(
    gpus: Iterable[str], versions: Iterable[str], driver: Any
) -> tuple[str, str] | None:
    """Return the first version that runs on none of the generations, and why with a way out."""
    present = set(gpus)

    def runs(version: str) -> bool:
        return not present.isdisjoint(catalogue.releases()[version].gpus.possible)

    for version in versions:
        if runs(version):
            continue
        fitting = (v for v in catalogue.releases() if not driver or not _too_old(driver, [v]))
        others = [v for v in fitting if runs(v)]
        same_major = [v for v in others if v.split(".")[0] == version.split(".")[0]]
        best = (same_major or others)[-1:]
        way_out = f"choose {best[0]} or another that does" if best else "no release offered does"
        why = catalogue.releases()[version].gpus.why
        return version, f"does not run on {listed(gpus)} ({why}); {way_out}"
    return None


def _tf_versions(answer: Any, answers: Answers) -> str:
    chosen = read_list(answer)
    if isinstance(answer, list) and (numbers := [v for v in answer if isinstance(v, float)]):
        return f"{shown(numbers[0])} is a number; write every version in quotes, such as '2.10.1'"
    if not chosen:
        return f"{shown(answer)} is no list of versions; choose at least one, such as ['2.17.0']"
    if gone := [version for version in chosen if version not in catalogue.releases()]:
        instead = listed([_suggested(version) for version in gone])
        verb = "is" if len(gone) == 1 else "are"
        return f"{listed(map(shown, gone))} {verb} not offered; choose {instead} instead"
    if not _of_this_machine(answers):
        return ""
    driver = _usable_driver(answers.get("driver", ""))
    if driver and (old := _too_old(driver, chosen)):
        return (
            f"{shown(old[0])} needs NVIDIA driver {old[1]} or newer and the host has {driver}; "
            "upgrade it and answer driver anew, or leave that version out"
        )
    gpus = read_list(answers.get("gpus", []))
    if gpus and not _gpus_form(gpus) and (cannot := _cannot_run(gpus, chosen, driver)):
        return f"{shown(cannot[0])} {cannot[1]}"
    return ""


def _driver_form(answer: Any) -> str:
    if isinstance(answer, float):
        return f"{shown(answer)} is a number; write it in quotes, as nvidia-smi prints it"
    if answer != "" and not re.fullmatch(r"[0-9]{2,4}(\.[0-9]{1,4}){1,2}", str(answer)):
        return (
            f"{shown(answer)} is no driver version; write it as nvidia-smi prints it, such as "
            "550.54.15, or leave it empty"
        )
    return ""


def _usable_driver(answer: Any) -> str:
    """Return the driver if it has the form of one, else an empty text: not checked."""
    return "" if _driver_form(answer) else str(answer)


def _driver(answer: Any, answers: Answers) -> str:
    if sentence := _driver_form(answer):
        return sentence
    if answer != "" and (old := _too_old(answer, _chosen(answers))):
        return (
            f"{shown(answer)} is too old for TensorFlow {old[0]}, which needs {old[1]} or newer; "
            "upgrade the driver, or leave that version out"
        )
    return ""


def _gpus_form(generations: Iterable[str]) -> str:
    for generation in generations:
        if generation not in catalogue.GENERATIONS:
            known = listed(catalogue.GENERATIONS, "or")
            return f"{shown(generation)} is no GPU generation that we know; choose from {known}"
    return ""


def _gpus(answer: Any, answers: Answers) -> str:
    present = read_list(answer)
    if not present and answer not in ([], "[]"):
        return f"{shown(answer)} is no list; write it as [ampere, ada], or [] for not checked"
    if sentence := _gpus_form(present):
        return sentence
    driver = _usable_driver(answers.get("driver", ""))
    if present and (cannot := _cannot_run(present, _chosen(answers), driver)):
        return f"TensorFlow {cannot[0]} {cannot[1]}"
    return ""


# --- host, people, paths ----------------------------------------------------------------------


def _host(answer: Any) -> str:
    if re.fullmatch("[0-9]+|0x[0-9a-f]+", str(answer)):
        return f"{shown(answer)} is an IP address to ssh; put letters before it, such as gpu01"
    if re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", str(answer)) and len(str(answer)) <= 40:
        return ""
    return (
        f"{shown(answer)} is no name for a Compose project and ssh aliases; use up to 40 "
        "lower-case letters and digits with single hyphens between, such as gpu01"
    )


def _id(answer: Any, command: str, answers: Answers) -> str:
    number = _number(answer)
    if number is None:
        return f"{shown(answer)} is no number; write the one that '{command}' prints"
    if number == 0:
        return (
            f"{shown(answer)} is root's; give that of the ordinary user who owns the home, "
            f"as '{command}' prints it"
        )
    highest = MAX_ID_OF_PODS if answers.get("kind") == kinds.CLUSTER else MAX_ID
    if number in NOBODY or number > highest:
        return (
            f"{shown(answer)} is nobody's; give one from 1 to {highest} other than "
            f"{listed(map(str, NOBODY))}, as '{command}' prints it"
        )
    return ""


def _path(answer: Any) -> str:
    path = str(answer)
    if not path.startswith("/"):
        return f"{shown(path)} is not absolute; write the whole path, such as /home/ai"
    if bad := sorted({c for c in path if c in ":$#\"'`\\"}):
        return f"{shown(path)} has {' '.join(bad)} in it; use a path without : $ # \" ' ` \\"
    if path != (clean := "/" + posixpath.normpath(path).lstrip("/")) or path != path.strip():
        return f"{shown(path)} is not in its plain form; write {shown(clean.strip())}"
    if len(path) > 1000:
        return f"{shown(path)} is too long; use a path of at most 1000 characters"
    return ""


def _mounted_path(answer: Any) -> str:
    """Refuse a path that is mounted at the same place in the containers."""
    if sentence := _path(answer):
        return sentence
    path = str(answer)
    system = path in _SYSTEM_PATHS or any(_covers(tree, path) for tree in _SYSTEM_TREES)
    if system or path.startswith("/usr/local/cuda"):
        return (
            f"{shown(path)} would hide a system directory of the containers; "
            "use one such as /home/ai or /data/ai"
        )
    return ""


def _covers(outer: str, inner: Any) -> bool:
    """Return whether a path is another one, or lies above it."""
    return f"{inner}/".startswith(f"{outer}/")


def _conda_path(answer: Any, answers: Answers) -> str:
    if sentence := _mounted_path(answer):
        return sentence
    if _covers(str(answer), answers.get("host_home")):
        example = posixpath.join(str(answers["host_home"]), "miniconda3")
        return (
            f"{shown(answer)} would make the read-only home {answers['host_home']} writable; "
            f"give the directory of conda itself, such as {example}"
        )
    return ""


def _project_path(answer: Any, answers: Answers) -> str:
    if sentence := _path(answer):
        return sentence
    system = [tree for tree in _SYSTEM_TREES if tree != HOME]
    if answer in _SYSTEM_PATHS or any(_covers(tree, str(answer)) for tree in system):
        return (
            f"{shown(answer)} is a system directory of the host, which would be writable in the "
            "containers; use one such as /data/ai"
        )
    for question in ("host_home", "conda_path"):
        if _covers(str(answer), answers.get(question)):
            example = posixpath.join(str(answers["host_home"]), "tensorflow_volume")
            return (
                f"{shown(answer)} would make {question} {answers[question]} writable under {HOME}; "
                f"give a directory of its own, such as {example}"
            )
    return ""


def _user(answer: Any, answers: Answers) -> str:
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", str(answer)):
        return (
            f"{shown(answer)} is no user name that useradd accepts; use up to 32 lower-case "
            "letters, digits, - and _, beginning with a letter or _"
        )
    if str(answer) in _SYSTEM_USERS:
        return f"{shown(answer)} is a system account of the images; use another name, such as ai"
    if answers.get("kind") == kinds.CLUSTER and re.match(
        "kube-|default$", namespace_of(str(answer))
    ):
        return f"{shown(answer)} is a namespace of Kubernetes; use another name, such as ai"
    return ""


def namespace_of(user: str) -> str:
    """Return the namespace of a user on a cluster, with which names of Services can begin."""
    name = user.replace("_", "-").strip("-")
    return name if name[:1].isalpha() else f"user-{name}".rstrip("-")


# --- ports ------------------------------------------------------------------------------------


def _port_offset(answer: Any) -> str:
    number = _number(answer)
    if number is None or number > ports.MAX_OFFSET:
        return f"{shown(answer)} is no offset; give one from 0 to {ports.MAX_OFFSET}, such as 10"
    return ""


def _map(ledger: Mapping[str, int]) -> str:
    return "{" + ", ".join(f"{version}: {port}" for version, port in ledger.items()) + "}"


def needed(answers: Answers) -> list[str]:
    """Return the entries that the ledger of ports must have, oldest release first."""
    versions = read_list(answers.get("tf_versions", []))
    way = str(answers.get("containers", sharing.PER_VERSION))
    return [group.name for group in sharing.groups(versions, way)]


def _free(version: str, ledger: Mapping[Any, Any]) -> int:
    """Return a port for a version that no other entry of the ledger has."""
    others = {v: port for v, port in ports.read_ledger(ledger).items() if v != version}
    return ports.allot([version], others)[version]


def _completed(
    recorded: Mapping[str, int], given: Mapping[str, int], wanted: Iterable[str]
) -> dict[str, int]:
    """Return a ledger that would be accepted: of what was given, what is not yet taken."""
    ledger = dict(recorded)
    for version, port in given.items():
        if version not in ledger and port not in ledger.values():
            ledger[version] = port
    return ports.allot([*wanted, *given], ledger)


def _ports(answer: Any, answers: Answers, recorded_answers: Answers) -> str:
    """Refuse a ledger that lacks a port, has one twice, or changes one that was given before."""
    recorded = ports.read_ledger(recorded_answers.get("ports") or {})
    wanted = ports.allot(needed(answers), recorded, _number(answers.get("port_offset", 0)) or 0)
    try:
        ledger = read_yaml(answer)
    except yaml.YAMLError:
        ledger = None
    if not isinstance(ledger, Mapping):
        return f"{shown(answer)} is no map of version to port; write it as {_map(wanted)}"
    owners: dict[int, str] = {}
    for version, port in ledger.items():
        if not ports.NAME.fullmatch(str(version)):
            return f"{shown(version)} is no version; write it as in {_map(wanted)}"
        number = _number(port)
        if number is None or not ports.LOWEST <= number <= ports.HIGHEST:
            return (
                f"{shown(port)} for {version} is no port from {ports.LOWEST} to {ports.HIGHEST}; "
                f"give it one, such as {_free(str(version), ledger)}"
            )
        if number in owners:
            return f"{shown(port)} is given to {owners[number]} and {version}; give each its own"
        owners[number] = str(version)
    given = ports.read_ledger(ledger)
    for version, port in recorded.items():
        if given.get(version) != port:
            return (
                f"{shown(_map(given))} takes away {port}, which {version} was given for ever; "
                f"keep it, as in {_map(_completed(recorded, given, wanted))}"
            )
    for version in wanted:
        if version not in given:
            whole = _map(_completed(recorded, given, wanted))
            return f"{shown(_map(given))} has no port for {version}; add one, as in {whole}"
    return ""


def _bind_address(answer: Any) -> str:
    try:
        address = ipaddress.ip_address(str(answer))
        if not getattr(address, "scope_id", None):
            return ""
    except ValueError:
        pass
    return (
        f"{shown(answer)} is no IP address; use 0.0.0.0 for all, 127.0.0.1 for this host alone, "
        "or one of its own"
    )


# --- network ----------------------------------------------------------------------------------

_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = rf"({_LABEL}(\.{_LABEL})*|\[[0-9A-Fa-f:]+\])"
_URL = re.compile(rf"https?://{_HOST}(:[0-9]{{1,5}})?(/[A-Za-z0-9._~/-]*)?")


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return bool(_URL.fullmatch(text)) and parts.port != 0 and len(parts.hostname or "") <= 253
    except ValueError:  # a port above 65535, or no IPv6 address
        return False


def _url(answer: Any, example: str) -> str:
    text = str(answer)
    if "@" in text:
        # The value is not repeated: what it holds is a secret.
        return (
            "the URL has a user name or password in it, which would go into git; "
            f"give one without, such as {example}"
        )
    if not _is_url(text):
        return f"{shown(text)} is no URL that we can use; write it as {example}"
    return ""


def _mirror(answer: Any) -> str:
    if str(answer) in ("none", *mirrors.KNOWN):
        return ""
    if "://" not in str(answer):
        known = listed(["none", *mirrors.KNOWN, "the base URL of one"], "or")
        return f"{shown(answer)} is no mirror that we know; use {known}"
    return _url(answer, "https://mirror.example.com")


def _proxy(answer: Any) -> str:
    return "" if answer == "" else _url(answer, "http://proxy.example.com:3128")


def _no_proxy(answer: Any) -> str:
    if re.fullmatch(r"([A-Za-z0-9.*_:/\[\]-]+(,[A-Za-z0-9.*_:/\[\]-]+)*)?", str(answer)):
        return ""
    return (
        f"{shown(answer)} is no list of hosts; write them with commas and no spaces, such as "
        "localhost,.example.com,10.0.0.0/8"
    )


def _registry(answer: Any) -> str:
    host, _, _ = str(answer).partition("/")
    if re.fullmatch("[a-z0-9_-]+", host) and host != "localhost":
        return (
            f"{shown(answer)} would be a part of Docker Hub, since its host has neither dot nor "
            "port; write its whole name, such as registry.example.com/hub, or registry:443/hub"
        )
    return _image_prefix(answer)


def _image_prefix(answer: Any) -> str:
    """Refuse what https://github.com/distribution/reference does not take before an image."""
    name = r"[a-z0-9]+([._-][a-z0-9]+)*"
    host, _, _ = str(answer).partition("/")
    is_host = "." in host or ":" in host  # else a part of a path, on Docker Hub
    if len(str(answer)) > 200:
        return f"{shown(answer)} is too long for images; use at most 200 characters"
    if re.fullmatch(rf"({name}(:[0-9]{{1,5}})?(/{name})*)?", str(answer)) and (
        not is_host or _is_url(f"https://{host}")
    ):
        return ""
    return (
        f"{shown(answer)} is no prefix of image names; write host, port and path without https:// "
        "and without a last slash, such as registry.example.com:5000/hub"
    )


def _image_registry(answer: Any) -> str:
    if answer == "":
        return (
            "'' is no registry; name the one that all nodes pull from, such as "
            "registry.example.com/lab"
        )
    return _image_prefix(answer)


def _image_tag(answer: Any) -> str:
    if isinstance(answer, float):
        return f"{shown(answer)} is a number; write it in quotes, or use a tag such as v2"
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", str(answer)):
        return f"{shown(answer)} is no tag of an image; use letters, digits, . _ and -, such as v2"
    if answer == "latest":
        return "'latest' does not tell one build from the next; use a tag that rises, such as v2"
    return ""


def _nfs_server(answer: Any, answers: Answers) -> str:
    if answer == "" and answers.get("storage") != "nfs":
        return ""
    if re.fullmatch(_HOST, str(answer)) and _is_url(f"https://{answer}"):
        return ""
    return (
        f"{shown(answer)} is no name or address of an NFS server; give it as the nodes know it, "
        "such as nas.example.com, or answer hostPath to storage"
    )


def _digests(answer: Any) -> str:
    digests = read_digests(answer)
    example = "{tensorflow/tensorflow:2.17.0-gpu: sha256:4f3c...}"
    if not digests and answer not in ({}, "{}"):
        return f"{shown(answer)} is no map of image to digest; write it as {example}, or {{}}"
    known = sorted({release.image for release in catalogue.releases().values()})
    for image, digest in digests.items():
        if image not in known:
            near = difflib.get_close_matches(image, known, 1, 0) or known[-1:]
            return f"{shown(image)} is no base image of ours; write it as in {near[0]}"
        if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
            return (
                f"{shown(digest)} is no digest of {image}; write sha256: and 64 digits, as "
                f"'docker buildx imagetools inspect {image}' prints it"
            )
    return ""


# --- image ------------------------------------------------------------------------------------


def _packages(answer: Any) -> str:
    try:
        names = read_yaml(answer)
    except yaml.YAMLError:
        names = None
    if not isinstance(names, list):
        return f"{shown(answer)} is no list; write it as [vim, net-tools], or [] for none"
    for name in names:
        if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9][a-z0-9+.-]*[a-z0-9+.]", name):
            return (
                f"{shown(name)} is no name of an apt package; use lower-case letters, digits, "
                "+ - and ., such as net-tools"
            )
        if holds.is_cuda(name):
            return (
                f"{shown(name)} is a CUDA package, and those are held at the versions of the "
                "image; leave it out"
            )
    return ""


def _gpu_devices(answer: Any) -> str:
    text = str(answer)
    device = r"([0-9]{1,3}|(GPU|MIG)-[0-9A-Za-z/-]+)"
    if text == "all":
        return ""
    if not re.fullmatch(rf"{device}(,{device})*", text):
        return (
            f"{shown(answer)} names no GPU; use all, or indexes or UUIDs as nvidia-smi -L prints "
            "them, such as 0,1"
        )
    if len(devices := text.split(",")) != len(set(devices)):
        return f"{shown(answer)} names a GPU twice; name each once"
    return ""


def _boolean(answer: Any) -> str:
    if isinstance(answer, bool) or str(answer).lower() in _YES + _NO:
        return ""
    return f"{shown(answer)} is neither yes nor no; answer true or false"


def _of_a_cluster(question: str, answer: Any) -> str:
    """Refuse what pods cannot have, where an answers file of a host brings it."""
    value = str(answer).lower()
    if question == "sudo" and value in _YES:
        return f"{shown(answer)} gives root, which no pod of ours may become; answer false"
    if question == "ssh" and value in _NO:
        return f"{shown(answer)} leaves no way into a pod but kubectl; answer true"
    return ""


def _one_of(choices: Collection[str], what: str, answer: Any) -> str:
    return "" if answer in choices else f"{shown(answer)} is no {what}; use {listed(choices, 'or')}"


def _kind(answer: Any, recorded_answers: Answers) -> str:
    if sentence := _one_of(kinds.KINDS, "kind that we know", answer):
        return sentence
    recorded = recorded_answers.get("kind", kinds.HOST) if recorded_answers else answer
    if answer != recorded:
        return (
            f"{shown(answer)} cannot replace the {recorded} that is in this directory; "
            f"generate it into another one, or answer {recorded}"
        )
    return ""


def _deploy_path(answer: Any) -> str:
    """Refuse a path whose folders have other owners: what is too much in one is deleted."""
    path = str(answer)
    if sentence := _path(path):
        return sentence
    if not re.fullmatch(r"[A-Za-z0-9._/-]+", path):
        return f"{shown(path)} has more than letters, digits, . _ and - in it; leave them out"
    if path in _SYSTEM_PATHS or any(_covers(tree, path) for tree in _SYSTEM_TREES):
        return f"{shown(path)} belongs to the system; use a folder of its own, such as /srv/hosts"
    return ""


def _admin(answer: Any) -> str:
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}", str(answer)):
        return ""
    return (
        f"{shown(answer)} is no name to log in with; use up to 32 letters, digits, . - and _, "
        "such as ubuntu"
    )


_ALONE: dict[str, Callable[[Any], str]] = {
    "admin": _admin,
    "deploy_path": _deploy_path,
    "host": _host,
    "host_home": _mounted_path,
    "mirror": _mirror,
    "ssh": _boolean,
    "advanced": _boolean,
    "containers": partial(_one_of, sharing.WAYS, "way to share containers"),
    "sudo": _boolean,
    "port_offset": _port_offset,
    "bind_address": _bind_address,
    "gpu_devices": _gpu_devices,
    "packages": _packages,
    "image_registry": _image_registry,
    "image_tag": _image_tag,
    "storage": partial(_one_of, ("nfs", "hostPath"), "storage that we know"),
    "registry": _registry,
    "digests": _digests,
    "proxy": _proxy,
    "no_proxy": _no_proxy,
    "language": partial(_one_of, ("en", "zh"), "language that we speak"),
}

_AMONG_OTHERS: dict[str, Callable[[Any, Answers], str]] = {
    "tf_versions": _tf_versions,
    "driver": _driver,
    "gpus": _gpus,
    "uid": lambda answer, answers: _id(answer, "id -u", answers),
    "gid": lambda answer, answers: _id(answer, "id -g", answers),
    "conda_path": _conda_path,
    "project_path": _project_path,
    "user": _user,
    "nfs_server": _nfs_server,
}

AFTER_WHAT_WAS_RECORDED: dict[str, Callable[[Any, Answers, Answers], str]] = {
    "kind": lambda answer, _, recorded: _kind(answer, recorded),
    "ports": _ports,
}
"""The questions whose answers are judged in sight of those recorded before."""

QUESTIONS = (*_ALONE, *_AMONG_OTHERS, *AFTER_WHAT_WAS_RECORDED)
"""The questions whose answers are checked: all of copier.yml."""


def _sentence(question: str, answers: Answers, recorded: Answers) -> str:
    answer = answers[question]
    kind = answers.get("kind", kinds.HOST)
    if kind in kinds.KINDS and not kinds.asks(kind, question):
        # As in the answers file of another kind: Copier reads it, so it is judged by itself.
        answers = {question: answer}
        recorded = {}
        if kind == kinds.CLUSTER and (sentence := _of_a_cluster(question, answer)):
            return sentence
    if question not in _LISTS_AND_MAPS:
        if answer is None:
            return "it has no value; write '' for an empty one, or leave the line out"
        if isinstance(answer, list | Mapping):
            return f"{shown(answer)} is not one value; give one"
        if not isinstance(answer, str | int | float):
            return f"{shown(answer)} is neither text nor a number; write it in quotes"
        if isinstance(answer, str) and not answer.isprintable():
            return f"{shown(answer)} has a control character in it; type it without"
    if question in AFTER_WHAT_WAS_RECORDED:
        return AFTER_WHAT_WAS_RECORDED[question](answer, answers, recorded)
    if question in _AMONG_OTHERS:
        return _AMONG_OTHERS[question](answer, answers)
    return _ALONE[question](answer)


def misspelt(given: Iterable[str]) -> str:
    """Return the sentence that refuses a name that no question has, empty when all are known.

    Names that begin with `_` are Copier's own.
    """
    for name in given:
        if name not in QUESTIONS and not name.startswith("_"):
            near = difflib.get_close_matches(name, QUESTIONS, 1, 0)[0]
            return f"{shown(name)} is no question of this template; the nearest is {near}"
    return ""


def refusal(question: str, answers: Answers, recorded: Answers = MappingProxyType({})) -> str:
    """Return the sentence that refuses an answer: question, value and the way out.

    Args:
        question: Name of the question.
        answers: All answers known so far, the one to judge among them, raw or cast.
        recorded: The answers as an earlier generation recorded them, empty on a first copy.

    Returns:
        The sentence, empty when the answer is accepted.
    """
    sentence = _sentence(question, answers, recorded)
    return f"{question}: {sentence}" if sentence else ""
