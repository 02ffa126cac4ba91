"""How much of the server each container may use, in the units of Docker."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..answers import Answers, Kind, Question, RefusedError
from ..reading import listed, shown, text, text_map

_MB = {"mb": 1, "gb": 1024}


def megabytes(size: str) -> int:
    """Return a size such as ``8gb`` in MB of 1024² bytes, 0 where there is none."""
    return int(size[:-2]) * _MB[size[-2:]] if size else 0


def _read_size(example: str, lowest: int, answer: object) -> str:
    size = text(answer)
    if not re.fullmatch("[1-9][0-9]{0,5}(mb|gb)", size):
        raise RefusedError(
            f"{shown(size)} is not a size; write a whole number of mb or gb, such as {example}"
        )
    if megabytes(size) < lowest:
        raise RefusedError(
            f"{shown(size)} is too little; use at least {lowest}mb, such as {example}"
        )
    return size


def _read_shm_size(answer: object) -> str:
    return _read_size("8gb", 64, answer)


SHM_SIZE = Question("shm_size", (Kind.HOST,), _read_shm_size, unanswered="8gb")


def _read_memory(answer: object) -> str:
    return "" if answer == "" else _read_size("64gb", 1024, answer)


def _check_memory(memory: str, answers: Answers) -> None:
    if memory and megabytes(memory) < megabytes(answers[SHM_SIZE]):
        raise RefusedError(
            f"{shown(memory)} is less than shm_size {answers[SHM_SIZE]}, which counts as memory; "
            "use more, or a smaller shm_size"
        )


MEMORY = Question("memory", (Kind.HOST,), _read_memory, unanswered="", check=_check_memory)


def _read_cpus(answer: object) -> str:
    cpus = text(answer)
    if cpus and (not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,2})?", cpus) or float(cpus) == 0):
        raise RefusedError(
            f"{shown(cpus)} is not a number of CPUs; use one such as 16 or 1.5, or '' for no limit"
        )
    return cpus


CPUS = Question("cpus", (Kind.HOST,), _read_cpus, unanswered="")

# Those that programs run into; a container has the engine's own unless they are answered.
_ULIMITS = ("core", "memlock", "nofile", "stack")


def _read_ulimits(answer: object) -> Mapping[str, str]:
    ulimits = text_map(answer)
    if ulimits is None:
        raise RefusedError(
            f"{shown(answer)} is not a map of ulimits; write it as {{memlock: -1, "
            "stack: 67108864}, or {} for those of the engine"
        )
    for name, value in ulimits.items():
        if name not in _ULIMITS:
            raise RefusedError(f"{shown(name)} is not a ulimit; choose {listed(_ULIMITS, 'or')}")
        if not re.fullmatch("-1|[1-9][0-9]{0,14}", value):
            raise RefusedError(
                f"{shown(value)} for {name} is not a limit; write a number, or -1 for none"
            )
    return ulimits


ULIMITS = Question[Mapping[str, str]]("ulimits", (Kind.HOST,), _read_ulimits, unanswered={})
