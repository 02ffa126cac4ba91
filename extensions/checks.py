"""What an answer may be, and the sentence that refuses it.

Every check takes the answer and the other answers, as far as they are known,
and returns one sentence without the question's name, or an empty string. An
answer may arrive raw (``-d uid=5`` is the text ``'5'``), so each check reads it.
"""

from __future__ import annotations

import difflib
import ipaddress
import posixpath
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import yaml
from packaging.version import Version

from . import catalogue, holds, machine, mirrors, ports

Answers = Mapping[str, Any]

HOME = "/AI"
"""Home of the user in every container: the project directory is mounted there."""

MAX_ID = 2**32 - 2
"""Highest UID and GID: the one above means "unchanged" to chown(2)."""

_NOBODY = (65534, 65535)

# Debian's base-passwd and the packages that an image installs create these.
_SYSTEM_USERS = frozenset(
    "_apt backup bin daemon games gnats irc list lp mail man messagebus news nobody proxy root "
    "sshd sync sys systemd-network systemd-resolve systemd-timesync uucp www-data".split()
)

# Mounting over one of these would hide what a container runs from.
_SYSTEM_TREES = ("/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc")
_SYSTEM_TREES += ("/run", "/sbin", "/sys", "/usr/bin", "/usr/lib", "/usr/sbin", "/usr/share", HOME)
_SYSTEM_PATHS = ("/", "/opt", "/root", "/tmp", "/usr", "/usr/local", "/usr/local/cuda", "/var")
_SYSTEM_PATHS += ("/var/cache", "/var/lib", "/var/log", "/var/run", "/var/tmp")

_YAML = ("tf_versions", "gpus", "ports", "packages")

_BOOLEANS = ("true", "false", "yes", "no", "y", "n", "on", "off", "1", "0", "t", "f")


def shown(value: Any) -> str:
    """Return the value as a refusal prints it: quoted, on one line, not too long."""
    text = value if isinstance(value, str) else str(value)
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return f"'{text[:60]}…'" if len(text) > 61 else f"'{text}'"


def listed(values: Iterable[str]) -> str:
    """Return the values as a person writes a list."""
    *most, last = values
    return f"{', '.join(most)} and {last}" if most else last


def read_yaml(answer: Any) -> Any:
    """Return a YAML answer parsed, every scalar in it as text, or as it came when it is no text.

    Raises:
        yaml.YAMLError: the text is not YAML.
    """
    return yaml.load(answer, Loader=yaml.BaseLoader) if isinstance(answer, str) else answer


def read_list(answer: Any) -> list[str]:
    """Return a list answer as a list of text, empty when it is no list."""
    try:
        value = read_yaml(answer)
    except yaml.YAMLError:
        return []
    return [str(item) for item in value] if isinstance(value, list) else []


def _known_list(answers: Answers, question: str) -> list[str]:
    return read_list(answers.get(question) or [])


def _is_control(character: str) -> bool:
    return not character.isprintable() and character != " "


def _number(answer: Any) -> int | None:
    text = str(answer)
    if isinstance(answer, bool) or not (text.isascii() and text.isdigit()) or len(text) > 12:
        return None
    return int(text)


# --- TensorFlow, driver, GPUs -----------------------------------------------------------------


def _suggested(version: str) -> str:
    known = list(catalogue.releases())
    minor = ".".join(version.split(".")[:2])
    same = [v for v in known if v.startswith(f"{minor}.")]
    return listed(same or difflib.get_close_matches(version, known, 3, 0.3) or known[-3:])


def _too_old(driver: Any, versions: Iterable[str]) -> tuple[str, str] | None:
    """Return the first version that needs a newer driver, and the driver it needs."""
    for version in versions:
        needed = catalogue.releases()[version].toolkit.driver
        if Version(str(driver)) < Version(needed):
            return version, needed
    return None


def _cannot_run(gpus: Iterable[str], versions: Iterable[str]) -> str | None:
    """Return the first version that runs on none of the generations."""
    for version in versions:
        if not set(gpus) & set(catalogue.releases()[version].gpus.possible):
            return version
    return None


def _why_not(gpus: Iterable[str], version: str) -> str:
    """Return why the GPUs cannot run a version, and what to choose instead."""
    why = catalogue.releases()[version].gpus.why
    runs = [
        other
        for other, release in catalogue.releases().items()
        if set(gpus) & set(release.gpus.possible)
    ]
    major = f"{version.split('.')[0]}."
    best = [v for v in runs if v.startswith(major)][-1:] or runs[-1:]
    way_out = f"choose {best[0]} or another that does" if best else "no release offered here does"
    return f"does not run on {listed(gpus)} ({why}); {way_out}"


def gpus_of(answers: Answers) -> list[str]:
    """Return the GPU generations of the host as answered, before that as nvidia-smi tells."""
    return _known_list(answers, "gpus") if "gpus" in answers else machine.gpus()


def tf_versions(answer: Any, answers: Answers) -> str:
    chosen = read_list(answer)
    if not chosen:
        return f"{shown(answer)} names no version; choose at least one, for example ['2.17.0']"
    for version in chosen:
        if version not in catalogue.releases():
            return f"{shown(version)} is not offered; choose {_suggested(version)} instead"
    present_driver = answers.get("driver", machine.driver())
    if present_driver and not _driver_form(present_driver):
        if old := _too_old(present_driver, chosen):
            return (
                f"{shown(old[0])} needs NVIDIA driver {old[1]} or newer and the host has "
                f"{present_driver}; upgrade it and answer driver anew, or leave that version out"
            )
    present = gpus_of(answers)
    if present and not _gpus_form(present) and (version := _cannot_run(present, chosen)):
        return f"{shown(version)} {_why_not(present, version)}"
    return ""


def _driver_form(answer: Any) -> str:
    if isinstance(answer, float):
        return f"{shown(answer)} is a number; write it in quotes, as nvidia-smi prints it"
    if answer != "" and not re.fullmatch(r"[0-9]{2,4}(\.[0-9]{1,4}){1,2}", str(answer)):
        return f"{shown(answer)} is no driver version; write it as nvidia-smi prints it, such as 550.54.15, or leave it empty"
    return ""


def driver(answer: Any, answers: Answers) -> str:
    if sentence := _driver_form(answer):
        return sentence
    chosen = [r.version for r in catalogue.chosen(_known_list(answers, "tf_versions"))]
    if answer != "" and (old := _too_old(answer, chosen)):
        return (
            f"{shown(answer)} is too old for TensorFlow {old[0]}, which needs {old[1]} or newer; "
            "upgrade the driver, or leave that version out"
        )
    return ""


def gpus(answer: Any, answers: Answers) -> str:
    present = read_list(answer)
    if not present and answer not in ([], "[]"):
        return f"{shown(answer)} is no list; write it as [ampere, ada], or [] for not checked"
    if sentence := _gpus_form(present):
        return sentence
    chosen = [r.version for r in catalogue.chosen(_known_list(answers, "tf_versions"))]
    if present and (version := _cannot_run(present, chosen)):
        return f"TensorFlow {version} {_why_not(present, version)}"
    return ""


def _gpus_form(generations: Iterable[str]) -> str:
    for generation in generations:
        if generation not in catalogue.GENERATIONS:
            known = listed(catalogue.GENERATIONS)
            return f"{shown(generation)} is no GPU generation that we know; choose from {known}"
    return ""


# --- host, people, paths ----------------------------------------------------------------------


def host(answer: Any, answers: Answers) -> str:
    if re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", str(answer)) and len(str(answer)) <= 40:
        return ""
    return (
        f"{shown(answer)} is no name for a Compose project and ssh aliases; use up to 40 "
        "lower-case letters and digits with single hyphens between, such as gpu01"
    )


def _id(answer: Any, kind: str) -> str:
    number = _number(answer)
    if number is None:
        return f"{shown(answer)} is no number; write the one that 'id -{kind}' prints"
    if number == 0:
        return f"{shown(answer)} is root's; give that of the ordinary user who owns the home, as 'id -{kind}' prints it"
    if number in _NOBODY or number > MAX_ID:
        return f"{shown(answer)} belongs to nobody; give one from 1 to {MAX_ID} other than 65534 and 65535, as 'id -{kind}' prints it"
    return ""


def uid(answer: Any, answers: Answers) -> str:
    return _id(answer, "u")


def gid(answer: Any, answers: Answers) -> str:
    return _id(answer, "g")


def _path(answer: Any) -> str:
    path = str(answer)
    if not path.startswith("/"):
        return f"{shown(path)} is not absolute; write the whole path, such as /home/ai"
    if bad := sorted({c for c in path if c in ":$\"'`\\"}):
        return f"{shown(path)} has {' '.join(bad)} in it; use a path without : $ \" ' ` \\"
    if path != (clean := "/" + posixpath.normpath(path).lstrip("/")) or path != path.strip():
        return f"{shown(path)} is not in its plain form; write {shown(clean.strip())}"
    if len(path) > 1000:
        return f"{shown(path)} is too long; use a path of at most 1000 characters"
    trees = [tree for tree in _SYSTEM_TREES if f"{path}/".startswith(f"{tree}/")]
    if trees or path in _SYSTEM_PATHS:
        return f"{shown(path)} would hide a system directory of the containers; use one such as /home/ai or /data/ai"
    return ""


def _covers(outer: str, inner: Any) -> bool:
    """Return whether a path is another one, or lies above it."""
    return f"{inner}/".startswith(f"{outer}/")


def host_home(answer: Any, answers: Answers) -> str:
    return _path(answer)


def conda_path(answer: Any, answers: Answers) -> str:
    if sentence := _path(answer):
        return sentence
    if _covers(str(answer), answers.get("host_home")):
        return (
            f"{shown(answer)} would make the read-only home {answers['host_home']} writable; "
            "give the directory of conda itself, such as "
            f"{posixpath.join(str(answers['host_home']), 'miniconda3')}"
        )
    return ""


def project_path(answer: Any, answers: Answers) -> str:
    if sentence := _path(answer):
        return sentence
    for question in ("host_home", "conda_path"):
        if _covers(str(answer), answers.get(question)):
            return (
                f"{shown(answer)} would make {question} {answers[question]} writable under {HOME}; "
                "give a directory of its own, such as "
                f"{posixpath.join(str(answers['host_home']), 'projects')}"
            )
    return ""


def user(answer: Any, answers: Answers) -> str:
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", str(answer)):
        return (
            f"{shown(answer)} is no user name that useradd accepts; use up to 32 lower-case "
            "letters, digits, - and _, beginning with a letter"
        )
    if str(answer) in _SYSTEM_USERS:
        return f"{shown(answer)} is a system account of the images; use another name, such as ai"
    return ""


# --- ports ------------------------------------------------------------------------------------


def port_offset(answer: Any, answers: Answers) -> str:
    number = _number(answer)
    if number is None or number > 30000:
        return f"{shown(answer)} is no offset; give a number from 0 to 30000, such as 10"
    return ""


def port_ledger(answer: Any, answers: Answers, recorded: Mapping[str, int]) -> str:
    """Refuse a ledger that lacks a port, has one twice, or changes one that was given before."""
    wanted = ports.allot(
        [r.version for r in catalogue.chosen(_known_list(answers, "tf_versions"))],
        recorded,
        _number(answers.get("port_offset", 0)) or 0,
    )
    try:
        ledger = read_yaml(answer)
    except yaml.YAMLError:
        ledger = None
    if not isinstance(ledger, Mapping):
        return f"{shown(answer)} is no map of version to port; write it as {_map(wanted)}"
    owners: dict[int, str] = {}
    for version, port in ledger.items():
        number = _number(port)
        if number is None or not ports.LOWEST <= number <= ports.HIGHEST:
            return (
                f"{shown(port)} for {shown(version)} is no port from {ports.LOWEST} to "
                f"{ports.HIGHEST}; give it one, such as {ports.default_port('2.17.0')}"
            )
        if number in owners:
            return f"{shown(port)} is given to both {owners[number]} and {version}; give each its own"
        owners[number] = str(version)
    given = ports.read_ledger(ledger)
    for version, port in recorded.items():
        if given.get(version) != port:
            return (
                f"{shown(_map(given))} takes away {port}, which {version} was given for ever; "
                f"keep it, as in {_map({**wanted, **given, **recorded})}"
            )
    for version in wanted:
        if version not in given:
            complete = ports.allot(wanted, given)
            return f"{shown(_map(given))} has no port for {version}; add one, as in {_map(complete)}"
    return ""


def _map(ledger: Mapping[str, int]) -> str:
    return "{" + ", ".join(f"{version}: {port}" for version, port in ledger.items()) + "}"


def bind_address(answer: Any, answers: Answers) -> str:
    try:
        address = ipaddress.ip_address(str(answer))
        if not getattr(address, "scope_id", None):
            return ""
    except ValueError:
        pass
    return f"{shown(answer)} is no IP address; use 0.0.0.0 for all, 127.0.0.1 for this host alone, or one of its own"


# --- network ----------------------------------------------------------------------------------

_URL = re.compile(
    r"https?://([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?"
)


def _url(answer: Any, example: str) -> str:
    text = str(answer)
    if "@" in text:
        # The value is not repeated: what it holds is a secret.
        return f"the URL has a user name or password in it, which would go into git; give one without, such as {example}"
    if not _URL.fullmatch(text):
        return f"{shown(text)} is no URL that we can use; write it as {example}"
    return ""


def mirror(answer: Any, answers: Answers) -> str:
    if str(answer) == "none" or str(answer) in mirrors.KNOWN:
        return ""
    if "://" not in str(answer):
        return f"{shown(answer)} is no mirror that we know; use none, {listed(mirrors.KNOWN)}, or the base URL of one"
    return _url(answer, "https://mirror.example.com")


def proxy(answer: Any, answers: Answers) -> str:
    return "" if answer == "" else _url(answer, "http://proxy.example.com:3128")


def no_proxy(answer: Any, answers: Answers) -> str:
    if re.fullmatch(r"([A-Za-z0-9.*_:/\[\]-]+(,[A-Za-z0-9.*_:/\[\]-]+)*)?", str(answer)):
        return ""
    return f"{shown(answer)} is no list of hosts; write them with commas and no spaces, such as localhost,.example.com,10.0.0.0/8"


def registry(answer: Any, answers: Answers) -> str:
    name = r"[a-z0-9]+([._-][a-z0-9]+)*"
    if re.fullmatch(rf"({name}(:[0-9]{{1,5}})?(/{name})*)?", str(answer)):
        return ""
    return f"{shown(answer)} is no prefix of image names; write host, port and path without https:// and without a last slash, such as registry.example.com:5000/hub"


# --- image ------------------------------------------------------------------------------------


def packages(answer: Any, answers: Answers) -> str:
    try:
        names = read_yaml(answer)
    except yaml.YAMLError:
        names = None
    if not isinstance(names, list):
        return f"{shown(answer)} is no list; write it as [vim, net-tools], or [] for none"
    for name in names:
        if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9][a-z0-9+.-]*[a-z0-9+.]", name):
            return f"{shown(name)} is no name of an apt package; use lower-case letters, digits, + - and ., such as net-tools"
        if holds.is_cuda(name):
            return f"{shown(name)} is a CUDA package, and those are held at the versions of the image; leave it out"
    return ""


def gpu_devices(answer: Any, answers: Answers) -> str:
    text = str(answer)
    device = r"([0-9]{1,3}|(GPU|MIG)-[0-9A-Za-z/-]+)"
    if text == "all":
        return ""
    if not re.fullmatch(rf"{device}(,{device})*", text):
        return f"{shown(answer)} names no GPU; use all, or indexes or UUIDs as nvidia-smi -L prints them, such as 0,1"
    if len(devices := text.split(",")) != len(set(devices)):
        return f"{shown(answer)} names a GPU twice; name each once"
    return ""


def _boolean(answer: Any, answers: Answers) -> str:
    if isinstance(answer, bool) or str(answer).lower() in _BOOLEANS:
        return ""
    return f"{shown(answer)} is neither yes nor no; answer true or false"


def language(answer: Any, answers: Answers) -> str:
    if answer in ("en", "zh"):
        return ""
    return f"{shown(answer)} is no language that we speak; use en or zh"


_CHECKS: dict[str, Callable[[Any, Answers], str]] = {
    "host": host,
    "tf_versions": tf_versions,
    "driver": driver,
    "gpus": gpus,
    "uid": uid,
    "gid": gid,
    "host_home": host_home,
    "conda_path": conda_path,
    "project_path": project_path,
    "mirror": mirror,
    "ssh": _boolean,
    "advanced": _boolean,
    "user": user,
    "sudo": _boolean,
    "port_offset": port_offset,
    "bind_address": bind_address,
    "gpu_devices": gpu_devices,
    "packages": packages,
    "registry": registry,
    "proxy": proxy,
    "no_proxy": no_proxy,
    "language": language,
}


def refusal(question: str, answers: Answers, recorded_ports: Mapping[str, int]) -> str:
    """Return the sentence that refuses an answer: question, value and the way out.

    Args:
        question: Name of the question.
        answers: All answers known so far, the one to judge among them, raw or cast.
        recorded_ports: The ledger as an earlier generation recorded it.

    Returns:
        The sentence, empty when the answer is accepted.
    """
    answer = answers[question]
    if isinstance(answer, str) and question not in _YAML and any(map(_is_control, answer)):
        sentence = f"{shown(answer)} has a control character in it; type it without"
    elif question == "ports":
        sentence = port_ledger(answer, answers, recorded_ports)
    else:
        sentence = _CHECKS[question](answer, answers)
    return f"{question}: {sentence}" if sentence else ""
