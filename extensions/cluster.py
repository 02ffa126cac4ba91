"""What Kubernetes calls the containers, and where it may run them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .containers import Container

_FAMILIES = {"ada": "ada-lovelace"}
"""Generations that NVIDIA's GPU feature discovery calls otherwise than the catalogue:
https://github.com/NVIDIA/k8s-device-plugin/blob/main/internal/lm/resource.go
It knows Ada since v0.17.0 (before: ampere, issue 943) and Blackwell since v0.17.2
(before: undefined, pull request 1237)."""


def object_name(container: Container) -> str:
    """Return the name of a container's objects, a label as Services need it (RFC 1035)."""
    return container.name.replace(".", "-")


def built_image(container: Container, answers: Mapping[str, Any]) -> str:
    """Return the image that is built for a container, as the nodes pull it."""
    return f"{answers['image_registry']}/{container.name}:{answers['image_tag']}"


def gpu_families(container: Container) -> list[str]:
    """Return the GPU generations that all releases of a container run on, as nodes are labelled."""
    first, *others = (release.gpus.possible for release in container.releases)
    return [_FAMILIES.get(g, g) for g in first if all(g in possible for possible in others)]


def driver_above(container: Container) -> str:
    """Return the newest major version of NVIDIA's driver that is too old.

    Labels have it as ``nvidia.com/cuda.driver.major``, a number of its own, and node
    affinity compares numbers; it cannot compare 450.80.02 with 450.51 beyond that:
    https://github.com/NVIDIA/k8s-device-plugin/blob/main/docs/gpu-feature-discovery/README.md
    """
    return str(int(container.toolkit.driver.split(".")[0]) - 1)


def conda_in_home(answers: Mapping[str, Any]) -> str:
    """Return where in the home conda is mounted, empty where it is not.

    A mount point must be there in a home that is read-only.
    """
    home = f"{answers['host_home']}/"
    conda = str(answers["conda_path"])
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


def volumes(answers: Mapping[str, Any]) -> list[Volume]:
    """Return the directories that all pods mount."""
    return [
        Volume("home", answers["host_home"], "ReadOnlyMany", own=True),
        Volume("conda", answers["conda_path"], "ReadWriteMany", own=False),
        Volume("project", answers["project_path"], "ReadWriteMany", own=True),
    ]
