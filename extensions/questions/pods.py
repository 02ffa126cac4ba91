"""What pods of a cluster ask for."""

from __future__ import annotations

from functools import partial

from .. import sharing
from ..answers import Answers, Kind, Question, RefusedError
from ..pods import (
    read_cluster_gpus,
    read_gpu_resource,
    read_gpus_per_person,
    read_gpus_per_pod,
    read_limit,
    read_pod_resources,
    read_queue,
)
from ..reading import listed, shown
from .people import PEOPLE, USER
from .tensorflow import IMAGES, SHARING, TF_VERSIONS, chosen

_CLUSTER = (Kind.CLUSTER,)

GPU_RESOURCE = Question("gpu_resource", _CLUSTER, read_gpu_resource, unanswered="")

GPUS_PER_PERSON = Question("gpus_per_person", _CLUSTER, read_gpus_per_person, unanswered=0)

POD_RESOURCES = Question[dict[str, str]](
    "pod_resources", _CLUSTER, read_pod_resources, unanswered={}
)


QUEUE = Question("queue", _CLUSTER, read_queue, unanswered="")


def _check_cluster_gpus(gpus: dict[str, int], answers: Answers) -> None:
    if not answers[QUEUE]:
        return
    if not gpus:
        raise RefusedError(
            f"the queue {answers[QUEUE]} needs the GPUs of the cluster; write them as "
            "{ampere: 8, turing: 2}"
        )
    for release in chosen(answers):
        possible = release.gpus.possible
        if not set(gpus) & set(possible):
            raise RefusedError(
                f"{release.version} runs on {listed(possible, 'or')}, and the cluster has none of "
                "them; add its GPUs, or leave that version out"
            )


CLUSTER_GPUS = Question[dict[str, int]](
    "cluster_gpus",
    _CLUSTER,
    read_cluster_gpus,
    unanswered={},
    check=_check_cluster_gpus,
    default=lambda _: {},
)

SESSION_HOURS = Question("session_hours", _CLUSTER, partial(read_limit, "hours", 720), unanswered=0)

IDLE_MINUTES = Question(
    "idle_minutes", _CLUSTER, partial(read_limit, "minutes", 1440), unanswered=0
)


def _check_gpus_per_pod(numbers: int | dict[str, int], answers: Answers) -> None:
    if isinstance(numbers, int):
        numbers = {"each pod": numbers}
    elif TF_VERSIONS in answers:
        people = [answers[USER], *(person.name for person in answers[PEOPLE])]
        groups = sharing.groups(answers[TF_VERSIONS], answers[SHARING], answers[IMAGES])
        entries = [group.entry for group in groups]
        versions = [release.version for release in chosen(answers)]
        known = dict.fromkeys([*versions, *entries, *people])
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
