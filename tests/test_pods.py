"""What pods ask for: what is read from an answer, and what is refused with why."""

from __future__ import annotations

from typing import Any

import pytest

from extensions.pods import PodResources, read_gpus_per_pod, read_pod_resources
from tests.answers import ARTICLE, CLUSTER, error

OTHERS = {**ARTICLE, **CLUSTER, "user": "ai", "uid": 1000, "gpus_per_person": 2, "queue": "lab"}


REFUSED: list[tuple[str, Any, str]] = [
    (
        "cluster_gpus",
        {},
        "the queue lab needs the GPUs of the cluster; write them as {ampere: 8, turing: 2}",
    ),
    (
        "cluster_gpus",
        {"ampere": 8},
        "1.15.5 runs on pascal, volta or turing, and the cluster has none of them; add its GPUs,",
    ),
    (
        "cluster_gpus",
        {"turing": 0},
        "'0' is not a number of turing GPUs; write one from 1 to 4096",
    ),
    ("gpu_resource", "gpu", "'gpu' is not an extended resource; write it as nvidia.com/gpu,"),
    ("gpu_resource", "", "'' is not an extended resource; write it as nvidia.com/gpu,"),
    (
        "gpu_resource",
        "nvidia.com/gpu nvidia.com/gpumem",
        "'nvidia.com/gpumem' has no amount; write it as nvidia.com/gpumem=8000",
    ),
    ("gpu_resource", "a.b/c a.b/c=1", "'a.b/c' appears twice; remove one"),
    ("gpus_per_pod", "many", "'many' is not a number of GPUs of a pod; write one from 1 to 16"),
    (
        "gpus_per_pod",
        {"2.17.0": 0},
        "'0' is not a number of GPUs of '2.17.0'; write one from 1 to 16",
    ),
    (
        "gpus_per_pod",
        {"2.9.1": 2},
        "'2.9.1' is neither a version nor a person; choose from 1.15.5, 2.17.0 and ai",
    ),
    (
        "gpus_per_pod",
        {"2.17.0": 3},
        "3 of 2.17.0 are more than the 2 that a person may hold; raise gpus_per_person, or lower",
    ),
    ("pod_resources", {"cpu": "all"}, "'all' is not an amount of cpu; write 4 or 500m"),
    ("pod_resources", {"memory": "16G"}, "'16G' is not an amount of memory; write 16Gi or 500Mi"),
    ("pod_resources", {"cpu": 0}, "'0' is not an amount of cpu; write 4 or 500m"),
    ("pod_resources", {"cpu": 17}, "cpu is more than max_cpu; raise max_cpu, or lower cpu"),
    ("pod_resources", {"shm": "65Gi"}, "shm is more than max_memory; raise max_memory, or lower"),
]


@pytest.mark.parametrize(("question", "answer", "sentence"), REFUSED, ids=str)
def test_refused(question: str, answer: Any, sentence: str) -> None:
    assert error(question, {**OTHERS, question: answer}).startswith(sentence)


@pytest.mark.parametrize(
    ("answer", "written"),
    [
        ({}, {}),
        ({"cpu": 0.5, "max_cpu": 4}, {"cpu": "500m", "max_cpu": "4"}),
        ("{cpu: 4000m, memory: 2048Mi}", {"cpu": "4", "memory": "2Gi"}),
        ({"shm": "1025Mi", "max_memory": "1024Gi"}, {"shm": "1025Mi", "max_memory": "1Ti"}),
    ],
)
def test_amounts_are_written_as_kubernetes_stores_them(answer: Any, written: Any) -> None:
    assert read_pod_resources(answer) == written


def test_the_defaults_of_the_question_are_those_that_it_names() -> None:
    default = PodResources()
    assert list(vars(default).values()) == ["2", "8Gi", "16", "64Gi", "8Gi"]


def test_numbers_of_gpus_are_one_or_a_map() -> None:
    assert read_gpus_per_pod("2") == read_gpus_per_pod(2) == 2
    assert read_gpus_per_pod("{2.17.0: 2, alice: 4}") == {"2.17.0": 2, "alice": 4}
