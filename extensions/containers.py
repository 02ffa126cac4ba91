"""The containers that the answers ask for, ready to print.

Templates see these and nothing else of the catalogue.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from packaging.version import Version

from . import drivers, editors, holds, registries, sharing
from .answers import Answers, Kind
from .catalogue import Catalogue
from .questions.devices import ALL, GPU_DEVICES
from .questions.general import HOST, KIND
from .questions.images import DIGESTS, REGISTRY
from .questions.network import NO_PROXY, PROXY
from .questions.people import PEOPLE, USER, Person
from .questions.ports import BIND_ADDRESS, PORTS
from .questions.tensorflow import DRIVER, IMAGES, SHARING, TF_VERSIONS
from .release import Release


@dataclass(frozen=True)
class Alias:
    """An ssh alias of a container."""

    name: str
    """What follows the host in the alias, such as ``tf2.18.0``."""
    environment: str | None
    """The conda environment that its sessions begin in, if any."""


@dataclass(frozen=True)
class Container(sharing.Group):
    """One service of the compose file."""

    image: str
    """Base image as it is pulled, with the answered registry and digest."""
    port: int
    """Host port of its ssh."""
    published: str
    """Its port as Compose publishes it, address included."""
    person: Person | None = None
    """Whose it is; None: of the shared account."""

    @property
    def folder(self) -> str:
        """Name of the folder of its Dockerfile, such as ``tf1.15.5`` or ``cuda11.2``."""
        return service_name(self.entry)

    @property
    def name(self) -> str:
        """Name of the service, such as ``tf1.15.5`` or ``alice-tf1.15.5``."""
        return f"{self.person.name}-{self.folder}" if self.person else self.folder

    @property
    def hold(self) -> list[str]:
        """CUDA packages that the base image should hold, in order."""
        return holds.hold_list(self.toolkit.packages)

    @property
    def aliases(self) -> tuple[Alias, ...]:
        """Its ssh aliases, one for each release whichever containers share, and its own.

        Sessions of a release that is there as an environment begin in it.
        """
        whose = f"{self.person.name}-" if self.person else ""
        own = [Alias(self.name, None)] if self.shared else []
        releases = [
            Alias(
                f"{whose}{service_name(release.version)}",
                self.environment_of(release) if release in self.environments else None,
            )
            for release in self.releases
        ]
        return (*own, *releases)

    @property
    def troubled(self) -> list[Release]:
        """The releases whose trouble is met here: not that of an image that others stand in for."""
        return [
            r for r in self.releases if r.trouble and not (self.shared and r.trouble_in == "image")
        ]

    @property
    def image_only(self) -> bool:
        """Whether its release comes as an image only, and so can share no container."""
        return not any(release.installable for release in self.releases)

    @property
    def runs_editors(self) -> bool:
        """Whether its Ubuntu runs the server of today's Visual Studio Code."""
        return Version(self.toolkit.glibc) >= editors.GLIBC

    @property
    def extensions(self) -> editors.Extensions:
        """Extensions of an editor that work with the oldest Python used in it.

        Those of a CUDA line take every release that can join it, whatever is chosen.
        """
        line = self.shared and not self.own_cuda
        releases = sharing.members(self.entry) if line else self.releases
        pythons = [release.environment_python for release in releases if release.installable]
        in_image = (self.python or editors.TODAY).rstrip("?")
        return editors.extensions_for(min(pythons, key=Version, default=in_image))

    @property
    def title(self) -> str:
        """Such as ``TensorFlow 1.15.5``; of a shared container the same whatever is chosen."""
        if self.shared:
            own = " with their own CUDA" if self.own_cuda else ""
            return f"TensorFlow as environments{own}"
        (release,) = self.releases
        return f"TensorFlow {release.version}" + (" as an environment" if self.environments else "")


def service_name(name: str) -> str:
    """Return the service and folder of a ledger entry, such as ``tf1.15.5`` or ``cuda11.2``.

    2.15.0.post1 becomes ``tf2.15.0-post1``: Compose takes ``a.b.c`` for something
    inside ``a.b`` and reports a cycle where both are services with a merge key.
    """
    return ("tf" if name[0].isdigit() else "") + name.replace(".post", "-post")


def _pulled(image: str, registry: str | Mapping[str, str], digests: Mapping[str, str]) -> str:
    """Return the image from the registry and with the digest that were answered, if any."""
    name = registries.pulled(image, registry)
    return f"{name}@{digests[image]}" if image in digests else name


def _published(address: str, port: int) -> str:
    host = f"[{address}]" if ":" in address else address
    return f"{host}:{port}:22"


def proxies(answers: Answers) -> dict[str, str]:
    """Return the environment variables that name the answered proxy, none where there is none."""
    proxy, exceptions = answers[PROXY], answers[NO_PROXY]
    if not proxy:
        return {}
    no_proxy = ",".join(["localhost", "127.0.0.1", *([exceptions] if exceptions else [])])
    return {"http_proxy": proxy, "https_proxy": proxy, "no_proxy": no_proxy}


def sets_environment(answers: Answers) -> bool:
    """Return whether an ssh alias activates a conda environment."""
    return any(alias.environment for made in services(answers) for alias in made.aliases)


def ssh_aliases(answers: Answers, person: Person | None = None) -> list[str]:
    """Return the ssh aliases of a person, such as ``gpu01-tf2.17.0``.

    Args:
        answers: All answers.
        person: Whose; None of the shared account.
    """
    theirs = [container for container in services(answers) if container.person == person]
    return [f"{answers[HOST]}-{alias.name}" for made in theirs for alias in made.aliases]


def colleagues(answers: Answers) -> list[Person]:
    """Return the people who have containers of their own on this server."""
    return list(answers[PEOPLE]) if answers[KIND] == Kind.HOST else []


def gpus_of(answers: Answers, container: Container) -> list[str]:
    """Return the indexes or UUIDs of the GPUs that a container sees, none where it sees all.

    What is said of a person goes before what is said of a version.
    """
    devices = answers[GPU_DEVICES]
    if isinstance(devices, str):
        devices = {container.entry: devices}
    whose = container.person.name if container.person else answers[USER]
    names = [container.entry, *(release.version for release in container.releases)]
    named = [devices[name] for name in ([whose] if whose in devices else names) if name in devices]
    few = list(dict.fromkeys(device for some in named for device in some.split(",")))
    return [] if ALL in few else few


def gpus_by_name(answers: Answers) -> dict[str, str]:
    """Return the GPUs by person or version, empty where all containers see the same."""
    devices = answers[GPU_DEVICES]
    return {} if isinstance(devices, str) else devices


def only_on_the_host(answers: Answers) -> bool:
    """Return whether the ssh ports are open to those alone who are on the server already."""
    asked = BIND_ADDRESS.asked(answers[KIND])
    return asked and ipaddress.ip_address(answers[BIND_ADDRESS]).is_loopback


def only_on_data_center_gpus(answers: Answers) -> list[Container]:
    """Return the containers that start on the server's driver only where its GPUs are such."""
    driver = answers[DRIVER]
    return [
        container
        for container in plan(answers)
        if driver
        and drivers.judge(driver, container.toolkit.drivers) is drivers.Verdict.DATA_CENTER
    ]


def newer_glibc(answers: Answers) -> list[str]:
    """Return the names of the containers where editors' servers get a newer glibc."""
    return [container.name for container in plan(answers) if not container.runs_editors]


def plan(answers: Answers) -> list[Container]:
    """Return the containers of the chosen releases, oldest release first.

    Args:
        answers: All answers, checked. ``ports`` has an entry for every container.
    """
    registry = answers[REGISTRY]
    return _plan(
        answers[TF_VERSIONS],
        answers[SHARING],
        answers[IMAGES],
        registry if isinstance(registry, str) else tuple(registry.items()),
        tuple(answers[DIGESTS].items()),
        answers[BIND_ADDRESS],
        tuple(answers[PORTS].items()),
    )


def services(answers: Answers) -> list[Container]:
    """Return every container of a host: those of `plan`, and then those of each person."""
    made = plan(answers)
    ledger, address = answers[PORTS], answers[BIND_ADDRESS]
    return made + [
        replace(
            container,
            person=person,
            port=(port := ledger[f"{person.name}/{container.entry}"]),
            published=_published(address, port),
        )
        for person in colleagues(answers)
        for container in made
    ]


# Copier asks for the plan with every path and file that it renders.
@lru_cache(maxsize=1)
def _plan(
    versions: tuple[str, ...],
    way: str,
    releases: Catalogue,
    registry: str | tuple[tuple[str, str], ...],
    digests: tuple[tuple[str, str], ...],
    bind_address: str,
    ledger: tuple[tuple[str, int], ...],
) -> list[Container]:
    port = dict(ledger)
    prefixes = registry if isinstance(registry, str) else dict(registry)
    return [
        Container(
            **vars(group),
            image=_pulled(group.base, prefixes, dict(digests)),
            port=port[group.entry],
            published=_published(bind_address, port[group.entry]),
        )
        for group in sharing.groups(versions, way, releases)
    ]
