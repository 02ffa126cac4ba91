"""What pods of a cluster ask for."""

from __future__ import annotations

from .. import sharing
from ..answers import Answers, Kind, Question, RefusedError
from ..pods import (
    read_gpu_resource,
    read_gpus_per_person,
    read_gpus_per_pod,
    read_pod_resources,
)
from ..reading import listed, shown
from .people import PEOPLE, USER
from .tensorflow import IMAGES, SHARING, TF_VERSIONS

_CLUSTER = (Kind.CLUSTER,)

GPU_RESOURCE = Question("gpu_resource", _CLUSTER, read_gpu_resource, unanswered="")

GPUS_PER_PERSON = Question("gpus_per_person", _CLUSTER, read_gpus_per_person, unanswered=0)

POD_RESOURCES = Question[dict[str, str]](
    "pod_resources", _CLUSTER, read_pod_resources, unanswered={}
)


def _check_gpus_per_pod(numbers: int | dict[str, int], answers: Answers) -> None:
    if isinstance(numbers, int):
        numbers = {"each pod": numbers}
    elif TF_VERSIONS in answers:
        people = [answers[USER], *(person.name for person in answers[PEOPLE])]
        groups = sharing.groups(answers[TF_VERSIONS], answers[SHARING], answers[IMAGES])
        entries = [group.entry for group in groups]
        known = dict.fromkeys([*answers[TF_VERSIONS], *entries, *people])
        if unknown := [name for name in numbers if name not in known]:
            raise RefusedError(
                f"{shown(unknown[0])} is neither a version nor a person; choose from "
                f"{listed(known)}"
            )
    limit = answers[GPUS_PER_PERSON]
    for name, number in numbers.items():
        if limit and number > limit:
            raise RefusedError(
                f"{number} of {name} are more than the {limit} that a person may hold; raise "
                "gpus_per_person, or lower the number"
            )


GPUS_PER_POD = Question[int | dict[str, int]](
    "gpus_per_pod", _CLUSTER, read_gpus_per_pod, unanswered=1, check=_check_gpus_per_pod
)
