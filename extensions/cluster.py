"""What Kubernetes calls the containers, and where it may run them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256

from .answers import Answers
from .containers import Container, service_name
from .pods import GpuResource, PodResources, gpu_resource
from .questions.images import IMAGE_REGISTRY, IMAGE_TAG
from .questions.mounts import MOUNTS
from .questions.paths import CONDA_PATH, HOST_HOME, PROJECT_PATH
from .questions.people import Person
from .questions.pods import (
    CLUSTER_GPUS,
    GPU_RESOURCE,
    GPUS_PER_POD,
    IDLE_MINUTES,
    POD_RESOURCES,
    QUEUE,
    SESSION_HOURS,
)

_FAMILIES = {"ada": "ada-lovelace"}
"""Generations that NVIDIA's GPU feature discovery calls otherwise than the catalogue:
https://github.com/NVIDIA/k8s-device-plugin/blob/main/internal/lm/resource.go
It knows Ada since v0.17.0 (before: ampere, issue 943) and Blackwell since v0.17.2
(before: undefined, pull request 1237)."""


_SCARCE = ("pascal", "volta", "turing")
"""Generations that are no longer sold for servers, and that alone run CUDA 10."""

DRIVER_LABELS = ("nvidia.com/cuda.driver-version.major", "nvidia.com/cuda.driver.major")
"""Labels with the major version of a node's driver: today's, and the deprecated one:
https://github.com/NVIDIA/k8s-device-plugin/blob/main/docs/gpu-feature-discovery/README.md"""


def object_name(container: Container) -> str:
    """Return the name of a container's objects, a label as Services need it (RFC 1035)."""
    return container.name.replace(".", "-")


def built_image(answers: Answers, container: Container) -> str:
    """Return the image that is built for a container, as the nodes pull it."""
    return f"{answers[IMAGE_REGISTRY]}/{container.name}:{answers[IMAGE_TAG]}"


def gpu_families(container: Container) -> list[str]:
    """Return the GPU generations that all releases of a container run on, as nodes are labelled."""
    first, *others = (release.gpus.possible for release in container.releases)
    return [_FAMILIES.get(g, g) for g in first if all(g in possible for possible in others)]


def scarce_families(container: Container) -> list[str]:
    """Return the generations that a container can run on and should leave to others.

    Empty where it runs on no others.
    """
    families = gpu_families(container)
    scarce = [family for family in families if family in _SCARCE]
    return scarce if len(scarce) < len(families) else []


def driver_above(container: Container) -> str:
    """Return the newest major version of NVIDIA's driver that is too old.

    `DRIVER_LABELS` have it as a number of its own, and node affinity compares numbers; it
    cannot compare 450.80.02 with 450.51 beyond that.
    """
    return str(int(container.toolkit.driver.split(".")[0]) - 1)


def conda_in_home(answers: Answers) -> str:
    """Return where in the home conda is mounted, empty where it is not.

    A mount point must be there in a home that is read-only.
    """
    home = f"{answers[HOST_HOME]}/"
    conda = answers[CONDA_PATH]
    return conda.removeprefix(home) if conda.startswith(home) else ""


@dataclass(frozen=True)
class Volume:
    """A directory that all pods mount."""

    name: str
    path: str
    """Where it is on the NFS server, or on the node: those of the first person."""
    access: str
    """Its access mode, as Kubernetes calls it."""
    own: bool
    """Whether each person has one of their own."""
    answered: bool = False
    """Whether it is one of the answer ``mounts``, at its own path."""


def volumes(answers: Answers) -> list[Volume]:
    """Return the directories that all pods mount."""
    return [
        Volume("home", answers[HOST_HOME], "ReadOnlyMany", own=True),
        Volume("conda", answers[CONDA_PATH], "ReadWriteMany", own=False),
        Volume("project", answers[PROJECT_PATH], "ReadWriteMany", own=True),
        *(
            Volume(
                _volume_name(path),
                path,
                "ReadOnlyMany" if mode == "ro" else "ReadWriteMany",
                own=False,
                answered=True,
            )
            for path, mode in answers[MOUNTS].items()
        ),
    ]


def _volume_name(path: str) -> str:
    """Return a name for the volume of a path, which no other path has."""
    words = re.sub("[^a-z0-9]+", "-", path.lower()).strip("-")[:24].strip("-")
    return f"data-{words}-{sha256(path.encode()).hexdigest()[:6]}".replace("--", "-")


def gpu_requested(answers: Answers) -> GpuResource:
    """Return what a GPU is called in the manifests."""
    return gpu_resource(answers[GPU_RESOURCE])


def pod_amounts(answers: Answers) -> PodResources:
    """Return CPU and memory of a pod."""
    return PodResources(**answers[POD_RESOURCES])


def gpus_for(answers: Answers, whom: Container | Person) -> str:
    """Return how many GPUs a pod asks for, of a container or of a person.

    Empty for a person who has what the containers say.
    """
    numbers = answers[GPUS_PER_POD]
    if isinstance(whom, Person):
        return str(numbers.get(whom.name, "")) if isinstance(numbers, dict) else ""
    if isinstance(numbers, int):
        return str(numbers)
    versions = {release.version for release in whom.releases}
    own = [n for k, n in numbers.items() if k in versions or service_name(k) == whom.folder]
    return str(max(own, default=1))


def sessions_end(answers: Answers) -> bool:
    """Return whether sessions are Jobs, which end; a Deployment's pod would be started again."""
    return bool(answers[SESSION_HOURS] or answers[IDLE_MINUTES])


def pod_paths(answers: Answers) -> list[tuple[str, str]]:
    """Return the kinds of object that make pods, each with where it has the pod."""
    paths = [] if sessions_end(answers) else [("Deployment", "/spec/template/spec")]
    if sessions_end(answers) or answers[QUEUE]:
        paths.append(("CronJob", "/spec/jobTemplate/spec/template/spec"))
    return paths


def gpu_quotas(answers: Answers) -> list[tuple[str, int]]:
    """Return generation, as nodes are labelled, and number of the GPUs, the newest first."""
    return [(_FAMILIES.get(g, g), n) for g, n in reversed(answers[CLUSTER_GPUS].items())]
