"""The containers that the answers ask for, ready to print.

Templates see these and nothing else of the catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import catalogue, checks, holds, ports
from .catalogue import Release, Toolkit


@dataclass(frozen=True)
class Container:
    """One service of the compose file."""

    name: str
    """Name of the service and of its folder, such as ``tf1.15.5``."""
    image: str
    """Base image, with the answered registry."""
    toolkit: Toolkit
    hold: tuple[str, ...]
    """CUDA packages that the base image should hold, in order."""
    python: str | None
    """Python of the base image, None where unknown."""
    port: int
    """Host port of its ssh."""
    published: str
    """Its port as Compose publishes it, address included."""
    releases: tuple[Release, ...]
    """The TensorFlow releases that are used in it."""

    @property
    def title(self) -> str:
        """Such as ``TensorFlow 1.15.5``."""
        versions = ", ".join(release.version for release in self.releases)
        environments = not any(release.own_image for release in self.releases)
        return f"TensorFlow {versions}" + (" as an environment" if environments else "")


def service_name(version: str) -> str:
    """Return the name of a release's service and folder, such as ``tf1.15.5``.

    2.15.0.post1 becomes ``tf2.15.0-post1``: Compose takes ``a.b.c`` for something
    inside ``a.b`` and reports a cycle where both are services with a merge key.
    """
    return "tf" + version.replace(".post", "-post")


def _with_registry(image: str, registry: str) -> str:
    """Return the image name with its registry replaced by the prefix, if there is one."""
    host, _, rest = image.partition("/")
    path = rest if "." in host else image
    return f"{registry}/{path}" if registry else image


def _published(address: str, port: int) -> str:
    host = f"[{address}]" if ":" in address else address
    return f"{host}:{port}:22"


def plan(answers: Mapping[str, Any]) -> list[Container]:
    """Return one container per chosen release, oldest release first.

    Args:
        answers: All answers, checked. ``ports`` has an entry for every chosen release.
    """
    ledger = ports.read_ledger(answers["ports"])
    return [
        Container(
            name=service_name(release.version),
            image=_with_registry(release.image, answers["registry"]),
            toolkit=release.toolkit,
            hold=tuple(holds.hold_list(release.toolkit.packages)),
            python=catalogue.python_of(release.image),
            port=ledger[release.version],
            published=_published(answers["bind_address"], ledger[release.version]),
            releases=(release,),
        )
        for release in catalogue.chosen(checks.read_list(answers["tf_versions"]))
    ]
