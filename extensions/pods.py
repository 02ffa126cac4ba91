"""What pods of a cluster ask for: GPUs under the name that nodes offer them, CPU and memory.

A reader takes an answer as it arrives and returns its value; it raises `RefusedError`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from .answers import RefusedError
from .gpus import GENERATIONS
from .reading import listed, number, parsed, shown, text, text_map

# https://kubernetes.io/docs/concepts/overview/working-with-objects/names and, for resources,
# https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/v1/helper/helpers.go
_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_RESOURCE = rf"{_LABEL}(\.{_LABEL})+/[A-Za-z0-9]([A-Za-z0-9._-]{{0,61}}[A-Za-z0-9])?"
_BINARY = {"Mi": 1, "Gi": 1024, "Ti": 1024**2}


@dataclass(frozen=True)
class GpuResource:
    """The extended resource that a GPU is, and those that a pod asks for beside it."""

    name: str
    others: tuple[tuple[str, str], ...]
    """Name and amount in each pod, such as HAMi's ``nvidia.com/gpumem``, in megabytes."""

    @property
    def pointer(self) -> str:
        """Its name in a JSON pointer: RFC 6901."""
        return self.name.replace("/", "~1")


def gpu_resource(answer: str) -> GpuResource:
    """Return the resource that was answered: a name, and others behind it as ``name=amount``."""
    name, *others = answer.split(" ")
    pairs = [other.partition("=") for other in others]
    return GpuResource(name, tuple((other, amount) for other, _, amount in pairs))


def read_gpu_resource(answer: Any) -> str:
    """Return an answer of which `gpu_resource` can be made."""
    example = "nvidia.com/gpu, nvidia.com/mig-1g.10gb or 'nvidia.com/gpu nvidia.com/gpumem=8000'"
    resource = gpu_resource(text(answer))
    names = [resource.name, *(name for name, _ in resource.others)]
    for name in names:
        if not re.fullmatch(_RESOURCE, name) or len(name) > 253:
            raise RefusedError(f"{shown(name)} is not an extended resource; write it as {example}")
        if names.count(name) > 1:
            raise RefusedError(f"{shown(name)} appears twice; remove one")
    for name, amount in resource.others:
        if not re.fullmatch("[1-9][0-9]{0,8}", amount):
            raise RefusedError(f"{shown(name)} has no amount; write it as {name}=8000")
    return text(answer)


def read_gpus_per_pod(answer: Any) -> int | dict[str, int]:
    """Return how many GPUs a pod asks for: one number, or one by version or person."""
    value = parsed(answer)
    if not isinstance(value, Mapping):
        return _count(value, "GPUs of a pod", 16)
    return {str(k): _count(v, f"GPUs of {shown(k)}", 16) for k, v in value.items()}


def _count(answer: Any, what: str, highest: int) -> int:
    value = number(answer)
    if not value or value > highest:
        raise RefusedError(
            f"{shown(answer)} is not a number of {what}; write one from 1 to {highest}"
        )
    return value


def read_gpus_per_person(answer: Any) -> int:
    """Return how many GPUs a person may hold at the same time."""
    return _count(answer, "GPUs of a person", 1024)


def read_queue(answer: Any) -> str:
    """Return the name of the queue, empty where there is none."""
    name = text(answer)
    if name and (not re.fullmatch(_LABEL, name) or len(name) > 30):
        raise RefusedError(
            f"{shown(name)} is not a name of Kubernetes; use up to 30 lower-case letters, digits "
            "and hyphens, such as lab, or '' for no queue"
        )
    return name


def read_cluster_gpus(answer: Any) -> dict[str, int]:
    """Return how many GPUs of each generation the cluster has."""
    value = text_map(answer)
    if value is None:
        raise RefusedError(
            f"{shown(answer)} is not a map of generation to number; write it as "
            "{ampere: 8, turing: 2}"
        )
    for generation in value:
        if generation not in GENERATIONS:
            raise RefusedError(
                f"{shown(generation)} is not a known GPU generation; choose from "
                f"{listed(GENERATIONS)}"
            )
    return {g: _count(value[g], f"{g} GPUs", 4096) for g in GENERATIONS if g in value}


def read_limit(unit: str, highest: int, answer: Any) -> int:
    """Return a length of time, 0 where there is no limit."""
    value = number(answer)
    if value is None or value > highest:
        raise RefusedError(
            f"{shown(answer)} is not a number of {unit}; write one from 1 to {highest}, or 0 for "
            "no limit"
        )
    return value


@dataclass(frozen=True)
class PodResources:
    """CPU and memory of a pod, as Kubernetes itself would write them.

    Kubernetes writes ``0.5`` as ``500m`` and then sees a change in every apply.
    """

    cpu: str = "2"
    """Cores that its node keeps for it."""
    memory: str = "8Gi"
    """Memory that its node keeps for it."""
    max_cpu: str = "16"
    """Cores that it may use where the node has them free."""
    max_memory: str = "64Gi"
    """Memory above which processes are killed: all of them with version 2 of cgroups, the
    largest with version 1. What lies in shm counts."""
    shm: str = "8Gi"
    """Size of /dev/shm, where data loaders pass batches."""


def _millicores(written: str) -> int | None:
    if re.fullmatch("[1-9][0-9]{0,6}m", written):
        return int(written[:-1])
    number = re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,3})?", written)
    return round(float(written) * 1000) or None if number else None


def _mebibytes(written: str) -> int | None:
    number = re.fullmatch("([1-9][0-9]{0,6})(Mi|Gi|Ti)", written)
    return int(number[1]) * _BINARY[number[2]] if number else None


def _cpu(millicores: int) -> str:
    return f"{millicores}m" if millicores % 1000 else str(millicores // 1000)


def _memory(mebibytes: int) -> str:
    unit = max((u for u in _BINARY if not mebibytes % _BINARY[u]), key=lambda u: _BINARY[u])
    return f"{mebibytes // _BINARY[unit]}{unit}"


def read_pod_resources(answer: Any) -> dict[str, str]:
    """Return the `PodResources` that are answered, in the form in which Kubernetes stores them."""
    value = text_map(answer)
    if value is None:
        raise RefusedError(
            f"{shown(answer)} is not a map; write it as {{cpu: 4, memory: 16Gi}}, or {{}}"
        )
    known = [field.name for field in fields(PodResources)]
    for name in value:
        if name not in known:
            raise RefusedError(
                f"{shown(name)} is not a resource of a pod; choose from {listed(known)}"
            )
    amounts = {name: _amount(name, amount) for name, amount in value.items()}
    default = {name: _amount(name, amount) for name, amount in vars(PodResources()).items()}
    all_of_them = {**default, **amounts}
    for low, high in (("cpu", "max_cpu"), ("memory", "max_memory"), ("shm", "max_memory")):
        if all_of_them[low] > all_of_them[high]:
            raise RefusedError(f"{low} is more than {high}; raise {high}, or lower {low}")
    return {n: (_cpu if "cpu" in n else _memory)(amount) for n, amount in amounts.items()}


def _amount(name: str, written: str) -> int:
    amount = _millicores(written) if "cpu" in name else _mebibytes(written)
    if amount is None:
        example = "4 or 500m" if "cpu" in name else "16Gi or 500Mi"
        raise RefusedError(f"{shown(written)} is not an amount of {name}; write {example}")
    return amount
