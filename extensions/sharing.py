"""Which releases share a container, and what each way of sharing costs in disk.

With ``per-version`` every release has its own. With ``per-cuda`` all releases of one
CUDA line are conda environments in one container, on the newest working image of the
line. The catalogue decides that image and the order, so neither depends on what is
chosen. With ``one`` a single container on Ubuntu's own image, without CUDA, has them all as
environments that bring their own. A release that comes as an image only has its own container
in any case.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from packaging.version import Version

from . import catalogue
from .catalogue import Catalogue
from .release import Release, Toolkit

PER_VERSION, PER_CUDA, ONE = WAYS = ("per-version", "per-cuda", "one")
"""The answers to the question ``containers``."""

ENTRY = "tensorflow"
"""The entry in the ledger of ports of the container that all share, and its service."""

SECONDS_PER_GIGABYTE = 40
"""To download what takes a gigabyte on disk, at 100 Mbit/s: images and wheels are packed to
about half."""


@dataclass(frozen=True)
class Group:
    """The releases of one container."""

    entry: str
    """Its entry in the ledger of ports: a version, such as ``cuda11.2``, or `ENTRY`."""
    toolkit: Toolkit
    base: str
    """Image that it is built on, as the catalogue names it."""
    releases: tuple[Release, ...]
    environments: tuple[Release, ...]
    """Those of its releases that are there only as a conda environment."""
    shared: bool
    """Whether other releases of its CUDA line would join it."""
    python: str | None
    """Python of its base image, None where unknown."""

    @property
    def own_cuda(self) -> bool:
        """Whether its environments bring their own CUDA, since its image has none."""
        return self.toolkit.bare

    def environment_of(self, release: Release) -> str:
        """Return the name of the environment that a release is used in here."""
        return release.own_environment if self.own_cuda else release.environment


@dataclass(frozen=True)
class Cost:
    """What a choice of releases takes on the server."""

    way: str
    """How they share: one of `WAYS`."""
    containers: int
    images: int
    """Official images, each counted once."""
    gigabytes: float
    """Of the images, about; whole ones from the first on."""
    environments: int
    """Releases that need a conda environment."""
    environment_gigabytes: int
    """Of the environments, about."""
    minutes: int
    """To download both at 100 Mbit/s, about."""


def group_name(release: Release, way: str) -> str:
    """Return the name of the group that a release belongs to."""
    if way == PER_VERSION or not release.installable or (way == ONE and not release.own_cuda):
        return release.version
    return ENTRY if way == ONE else f"cuda{release.toolkit.line}"


def members(entry: str) -> list[Release]:
    """Return the releases of the file that can join a shared container, oldest first."""
    return [r for r in catalogue.releases().values() if group_name(r, PER_CUDA) == entry]


def groups(versions: Collection[str], way: str, known: Catalogue | None = None) -> list[Group]:
    """Return the groups of the given versions in the catalogue's order.

    Args:
        versions: TensorFlow versions; unknown ones are left out.
        way: One of `WAYS`.
        known: The releases there are, those of the file where it is left out.
    """
    known = known or catalogue.base()
    together: dict[str, list[Release]] = {}
    for version, release in known.releases.items():
        group = together.setdefault(group_name(release, way), [])
        if version in versions:
            group.append(release)
    return [_group(name, releases, known) for name, releases in together.items() if releases]


def _group(name: str, releases: list[Release], known: Catalogue) -> Group:
    first, members = releases[0], tuple(releases)
    if name == first.version:
        environments = () if first.own_image else members
        python = known.python_of(first.image)
        return Group(name, first.toolkit, first.image, members, environments, False, python)
    if name == ENTRY:
        most = max((r.toolkit.drivers for r in releases), key=lambda d: Version(d.oldest))
        toolkit = catalogue.base_toolkit(most)
    else:
        toolkit = catalogue.newest_of_line(first.toolkit.line)
    python = known.python_of(toolkit.image)
    return Group(name, toolkit, toolkit.image, members, members, True, python)


def cost(versions: Collection[str], way: str, known: Catalogue | None = None) -> Cost:
    """Return what the given versions take on the server when they share in that way."""
    made = groups(versions, way, known)
    images = {group.base: group.toolkit.gigabytes for group in made}
    environments = [(group, release) for group in made for release in group.environments]
    own = {
        release.own_cuda
        for group, release in environments
        if release.own_cuda and (group.own_cuda or release.brings_cuda)
    }
    # On disk, environments share a CUDA; each of them downloads it.
    alone = sum(release.toolkit.environment_gigabytes for _, release in environments)
    downloads = sum(
        release.own_cuda.gigabytes for _, release in environments if release.own_cuda in own
    )  # fmt: skip
    total = sum(images.values()) + alone + downloads
    return Cost(
        way=way,
        containers=len(made),
        images=len(images),
        gigabytes=_rounded(sum(images.values())),
        environments=len(environments),
        environment_gigabytes=round(alone + sum(each.gigabytes for each in own)),
        minutes=round(total * SECONDS_PER_GIGABYTE / 60),
    )


def costs(versions: Collection[str], way: str, known: Catalogue | None = None) -> list[Cost]:
    """Return the cost of a way of sharing, and those of the others that have other images."""
    here = _bases(versions, way, known)
    others = [other for other in WAYS if _bases(versions, other, known) != here]
    return [cost(versions, each, known) for each in [way, *others]]


def _rounded(gigabytes: float) -> float:
    return round(gigabytes) if gigabytes >= 1 else round(gigabytes, 1)


def _bases(versions: Collection[str], way: str, known: Catalogue | None) -> set[str]:
    return {group.base for group in groups(versions, way, known)}


def choices(versions: Collection[str], known: Catalogue | None = None) -> list[list[str]]:
    """Return label and answer of every way of sharing, with its cost."""
    return [[summary(cost(versions, way, known)), way] for way in WAYS]


def outlook(versions: Collection[str], way: str, known: Catalogue | None = None) -> str:
    """Return the cost of a way of sharing and of the others that differ from it, a line each."""
    return "\n".join(summary(cost) for cost in costs(versions, way, known))


def partition(versions: Collection[str], known: Catalogue | None = None) -> str:
    """Return in words who would share which container, and who cannot and why."""
    made = groups(versions, PER_CUDA, known)
    words = [
        f"{group.entry} for {', '.join(release.version for release in group.releases)}"
        for group in made
        if group.shared
    ]
    if alone := [group.entry for group in made if not group.shared]:
        words.append(f"none for {', '.join(alone)}: it is only in its image")
    return "; ".join(words)


def summary(cost: Cost) -> str:
    """Return a cost in words: ``per-version: 2 containers, images 10 GB, 7 min``."""
    words = [_counted(cost.containers, "container"), f"images {cost.gigabytes} GB"]
    if cost.environments:
        words.append(f"environments {cost.environment_gigabytes} GB")
    words.append(f"{cost.minutes} min")
    return f"{cost.way}: {', '.join(words)}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
