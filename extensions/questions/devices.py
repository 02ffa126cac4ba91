"""Which of the server's GPUs a container sees: the same for all, or by person or version."""

from __future__ import annotations

import re

from .. import sharing
from ..answers import Answers, Kind, Question, RefusedError
from ..reading import listed, shown, text_or_map
from .people import everybody
from .ports import PORTS
from .tensorflow import IMAGES, SHARING, TF_VERSIONS

ALL = "all"
"""Every GPU of the server."""

_DEVICE = r"([0-9]{1,3}|(GPU|MIG)-[0-9A-Za-z/-]+)"


def _check_names(devices: str) -> None:
    if devices == ALL:
        return
    if not re.fullmatch(rf"{_DEVICE}(,{_DEVICE})*", devices):
        raise RefusedError(
            f"{shown(devices)} does not name a GPU; use all, or indexes or UUIDs as nvidia-smi -L "
            "prints them, such as 0,1"
        )
    named = devices.split(",")
    if len(named) != len(set(named)):
        raise RefusedError(f"{shown(devices)} names a GPU twice; name each once")


def _read_gpu_devices(answer: object) -> str | dict[str, str]:
    """Return the GPUs of all containers, or those by person or version."""
    devices = text_or_map(answer)
    if isinstance(devices, str):
        _check_names(devices)
        return devices
    if not devices:
        raise RefusedError("'{}' names no GPU; use all, or a map such as {alice: '0,1'}")
    for name, few in devices.items():
        if not few:
            raise RefusedError(f"{shown(name)} has no GPU; quote a list, as in {{alice: '0,1'}}")
        try:
            _check_names(few)
        except RefusedError as refused:
            raise RefusedError(f"{shown(name)}: {refused}") from None
    return devices


def _known(answers: Answers) -> dict[str, None]:
    """Return the names of all who have containers, and of all versions and containers."""
    groups = sharing.groups(answers[TF_VERSIONS], answers[SHARING], answers[IMAGES])
    people = [person.name for person in everybody(answers)]
    return dict.fromkeys([*people, *answers[TF_VERSIONS], *(group.entry for group in groups)])


def _check_gpu_devices(devices: str | dict[str, str], answers: Answers) -> None:
    """Refuse the name of nobody; who has left keeps hers, as her ports."""
    if isinstance(devices, str) or TF_VERSIONS not in answers:
        return
    known = _known(answers)
    left = {part for entry in answers[PORTS] for part in entry.split("/")}
    for name in devices:
        if name not in known and name not in left:
            raise RefusedError(
                f"{shown(name)} is neither a person nor a version; choose from {listed(known)}"
            )


GPU_DEVICES = Question[str | dict[str, str]](
    "gpu_devices", (Kind.HOST,), _read_gpu_devices, unanswered=ALL, check=_check_gpu_devices
)


def gpus_of_nobody(answers: Answers) -> list[str]:
    """Return the names of `GPU_DEVICES` that have no container any more.

    So that one command removes a person or version, it does not refuse what is recorded of them.
    """
    devices = answers[GPU_DEVICES]
    return [] if isinstance(devices, str) else [n for n in devices if n not in _known(answers)]
