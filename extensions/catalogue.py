"""TensorFlow releases and the CUDA toolkits of their official images.

The facts, their sources and their doubts stand in ``catalogue.yaml``; this
module gives them types and puts them into words for the person who chooses.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from math import ceil
from pathlib import Path
from typing import Any

import yaml
from packaging.version import Version

from .drivers import Drivers
from .gpus import COMPUTE_CAPABILITIES, Code, classify

GENERATIONS = tuple(COMPUTE_CAPABILITIES)
"""NVIDIA GPU generations, oldest first."""

UBUNTU = {"bionic": "18.04", "focal": "20.04", "jammy": "22.04", "noble": "24.04"}
"""Codename to version number of the Ubuntu releases that images are built on."""

GLIBC = {"bionic": "2.27", "focal": "2.31", "jammy": "2.35", "noble": "2.39"}
"""Codename to version of its C library, as https://packages.ubuntu.com/libc6 lists them."""


@dataclass(frozen=True)
class Toolkit:
    """One set of CUDA packages that official images were built with."""

    name: str
    line: str
    """CUDA line, such as ``"11.2"``: within one, releases run on each other's images."""
    cuda: str
    cudnn: str | None
    codename: str
    """Ubuntu codename."""
    image: str
    """Newest sound official image of this toolkit."""
    drivers: Drivers
    """NVIDIA drivers on which its images start."""
    libraries: tuple[str, ...]
    """Shared libraries that its TensorFlow opens to use a GPU."""
    packages: Mapping[str, str | None]
    """CUDA apt packages of the image: name to pinned version, None where not pinned."""
    gigabytes: float
    """Size of one image of this toolkit, about, in 10^9 bytes as `docker images` counts."""
    environment_gigabytes: float
    """Size of the conda environment of one release of this toolkit, about; 0 where it has none."""

    @property
    def driver(self) -> str:
        """Oldest NVIDIA driver that suffices on every GPU."""
        return self.drivers.oldest

    @property
    def size_gb(self) -> int:
        """Disk that one image takes, in GB, rounded up."""
        return ceil(self.gigabytes)

    @property
    def ubuntu(self) -> str:
        """Ubuntu version number, such as ``"18.04"``."""
        return UBUNTU[self.codename]

    @property
    def glibc(self) -> str:
        """glibc of its images, such as ``"2.27"``."""
        return GLIBC[self.codename]


def _range(generations: tuple[str, ...]) -> str:
    """Return generations as a range where they are consecutive, else as a list."""
    first, last = GENERATIONS.index(generations[0]), GENERATIONS.index(generations[-1])
    if len(generations) > 1 and generations == GENERATIONS[first : last + 1]:
        return f"{generations[0]}-{generations[-1]}"
    return ",".join(generations)


@dataclass(frozen=True)
class Gpus:
    """The NVIDIA GPU generations that a TensorFlow build runs on."""

    runs: tuple[str, ...]
    slow: tuple[str, ...]
    """Runs after compiling for this GPU at the first start, half an hour or more."""
    unverified: tuple[str, ...]
    """May run: nobody could tell."""
    why: str

    @property
    def possible(self) -> tuple[str, ...]:
        """Generations that are not known to fail, oldest first."""
        return tuple(g for g in GENERATIONS if g in self.runs + self.slow + self.unverified)

    @property
    def short(self) -> str:
        """Such as ``pascal-ada hopper-blackwell slow``."""
        words = [_range(self.runs)] if self.runs else []
        if self.slow:
            words.append(f"{_range(self.slow)} slow")
        if self.unverified:
            words.append(f"{_range(self.unverified)}?")
        return " ".join(words)

    def __str__(self) -> str:
        """Such as ``pascal to ampere, ada slow, hopper?``."""
        runs = self.runs if len(self.runs) < 3 else (f"{self.runs[0]} to {self.runs[-1]}",)
        words = [*runs, *(f"{g} slow" for g in self.slow), *(f"{g}?" for g in self.unverified)]
        return ", ".join(words)


@dataclass(frozen=True)
class Release:
    """One TensorFlow release."""

    version: str
    toolkit: Toolkit
    image: str
    """Image its container is built on: its own, or its toolkit's where it has no sound one."""
    own_image: bool
    unusable: Mapping[str, str] | None
    """Its own ``image``, ``why`` it is not used, and the report (``link``)."""
    python: str | None
    """Python of its own image, with a question mark where nobody could tell."""
    requirement: str | None
    """pip requirement that puts it into an environment, None where only its image has it."""
    pythons: tuple[str, ...]
    """Python versions that its Linux wheels exist for."""
    constraints: tuple[str, ...]
    """pip requirements beside its own, without which its environment would not work today."""
    gpus: Gpus
    trouble: str | None
    trouble_in: str | None
    """Where its trouble is: in its ``image`` or in its ``environment``."""
    trouble_link: str | None

    @property
    def environment(self) -> str:
        """Name of its conda environment, such as ``tf2.17.0``."""
        return f"tf{self.version}"

    @property
    def environment_python(self) -> str:
        """Python of its environment: that of its own image, else the newest of its wheels."""
        own = self.python or ""
        return own if own in self.pythons else self.pythons[-1]

    @property
    def conda_packages(self) -> tuple[str, ...]:
        """What conda puts into its environment before pip adds the rest.

        A bound on setuptools is for conda too: it would install a newer one beside pip, which
        ``conda create --clone`` brings back where pip had replaced it.
        """
        bounds = (name for name in self.constraints if name.startswith("setuptools"))
        return (f"python={self.environment_python}", "pip", *bounds)

    @property
    def image_version(self) -> str:
        """The TensorFlow that its image has, such as ``2.17.0``."""
        return self.image.rpartition(":")[2].partition("-gpu")[0]

    @property
    def minor(self) -> str:
        """Such as ``2.17``; of NVIDIA's build its whole version."""
        return self.version if "-" in self.version else ".".join(self.version.split(".")[:2])

    @property
    def sound(self) -> bool:
        """Whether it has an image of its own without known trouble."""
        return self.own_image and self.trouble_in != "image"

    @property
    def _python_shown(self) -> str:
        if self.python:
            return self.python.rstrip("?")
        return self.pythons[-1] if self.pythons else "?"

    @property
    def label(self) -> str:
        """One line of the list of choices, which has 75 columns in a terminal of 80."""
        cuda = ".".join(self.toolkit.cuda.split(".")[:2])
        return (
            f"{self.version + ('' if self.own_image else ' env'):<15}CUDA {cuda:<5}"
            f"py{self._python_shown:<5}"
            f"driver {self.toolkit.driver.partition('.')[0]} {self.gpus.short}"
        )


@cache
def load() -> dict[str, Any]:
    """Return the catalogue as it stands in its file."""
    # libyaml's loader, where PyYAML was built with it, is ten times faster
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = Path(__file__).with_name("catalogue.yaml").read_text(encoding="utf-8")
    facts: dict[str, Any] = yaml.load(text, Loader=loader)  # noqa: S506 (a safe one)
    return facts


@cache
def toolkits() -> dict[str, Toolkit]:
    """Return the toolkits by name, oldest CUDA first."""
    return {
        name: Toolkit(
            name=name,
            line=facts["line"],
            cuda=facts["cuda"],
            cudnn=facts["cudnn"],
            codename=facts["ubuntu"],
            image=facts["image"],
            drivers=Drivers(
                facts["driver"]["toolkit"],
                tuple(facts["driver"]["branches"]),
                tuple(facts["driver"]["data_center"]),
            ),
            libraries=tuple(load()["libraries"][facts["libraries"]]["opens"]),
            packages=facts["packages"],
            gigabytes=facts["gigabytes"]["image"],
            environment_gigabytes=facts["gigabytes"]["environment"],
        )
        for name, facts in load()["toolkits"].items()
    }


def _constraints(facts: Mapping[str, Any]) -> tuple[str, ...]:
    needs = facts.get("wheel", {}).get("needs", [])
    return tuple(load()["constraints"][name]["requirement"] for name in needs)


def _gpus(facts: Mapping[str, Any]) -> Gpus:
    if "native" not in facts:
        runs, slow, unverified = facts["runs"], facts["slow"], facts["unverified"]
        return Gpus(tuple(runs), tuple(slow), tuple(unverified), facts["why"])
    code = Code(tuple(facts["native"]), tuple(facts["ptx"]))
    return Gpus(*classify(code, facts["fails"], facts["unverified"]), facts["why"])


@cache
def releases() -> dict[str, Release]:
    """Return the releases by version, oldest first."""
    gpus = {name: _gpus(facts) for name, facts in load()["gpus"].items()}
    return {
        version: Release(
            version=version,
            toolkit=toolkits()[facts["toolkit"]],
            image=facts.get("image") or toolkits()[facts["toolkit"]].image,
            own_image="image" in facts,
            unusable=facts.get("unusable"),
            python=facts.get("python"),
            requirement=facts["wheel"]["requirement"] if "wheel" in facts else None,
            pythons=tuple(facts["wheel"]["python"]) if "wheel" in facts else (),
            constraints=_constraints(facts),
            gpus=gpus[facts["gpus"]],
            trouble=facts.get("trouble"),
            trouble_in=facts.get("trouble_in"),
            trouble_link=facts.get("trouble_link"),
        )
        for version, facts in load()["releases"].items()
    }


def age(version: str) -> tuple[Version, str]:
    """Return what sorts releases: a build with a suffix comes after the official release."""
    official, _, build = version.partition("-")
    return Version(official), build


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Releases to choose from: those of the file, and somebody's own images."""

    releases: dict[str, Release]
    """By version, oldest first."""

    def chosen(self, versions: Collection[str]) -> list[Release]:
        """Return the releases of the given versions, oldest first; unknown ones are left out."""
        return [release for version, release in self.releases.items() if version in versions]

    def python_of(self, image: str) -> str | None:
        """Return the Python of an image, None where unknown."""
        own = (r.python for r in self.releases.values() if r.own_image and r.image == image)
        return next(own, None)

    def listed(self, also: Collection[str] = ()) -> list[Release]:
        """Return the releases that are listed, newest first.

        Of each minor the newest that is sound, or the newest where none is.

        Args:
            also: Versions that are listed in any case: those that were answered.
        """
        best: dict[str, str] = {}
        for version, release in self.releases.items():
            before = best.get(release.minor)
            if release.sound or before is None or not self.releases[before].sound:
                best[release.minor] = version
        shown = {*best.values(), *also}
        return [self.releases[version] for version in reversed(self.releases) if version in shown]

    def choices(self, also: Collection[str] = ()) -> list[list[str]]:
        """Return label and version of the releases that are listed, newest first."""
        return [[release.label, release.version] for release in self.listed(also)]


@cache
def base() -> Catalogue:
    """Return the releases of the file alone."""
    return Catalogue(releases())


def with_own(own: Iterable[Release]) -> Catalogue:
    """Return the releases of the file and those of somebody's own images."""
    both = {**releases(), **{release.version: release for release in own}}
    return Catalogue({version: both[version] for version in sorted(both, key=age)})


def newest_of_line(line: str) -> Toolkit:
    """Return the newest toolkit of a CUDA line: its image serves all releases of the line."""
    return [toolkit for toolkit in toolkits().values() if toolkit.line == line][-1]


def chosen(versions: Collection[str]) -> list[Release]:
    """Return the releases of the file with the given versions, oldest first."""
    return base().chosen(versions)


def python_of(image: str) -> str | None:
    """Return the Python of an official image, None where unknown."""
    return base().python_of(image)


def listed(also: Collection[str] = ()) -> list[Release]:
    """Return the releases of the file that are listed, newest first."""
    return base().listed(also)


def choices(also: Collection[str] = ()) -> list[list[str]]:
    """Return label and version of the releases of the file that are listed, newest first."""
    return base().choices(also)


def default_versions(fits: Callable[[Release], bool], gpus: Collection[str]) -> list[str]:
    """Return the newest 1.x and the newest 2.x that have a sound image of their own and fit.

    Args:
        fits: Whether the host can run a release.
        gpus: Generations of the host: a release known to run on one of them comes
            before a release that may, and an official image before NVIDIA's.
    """
    best: dict[str, tuple[bool, bool, int, str]] = {}
    for age, (version, release) in enumerate(releases().items()):
        if release.own_image and fits(release):
            known = not gpus or not set(gpus).isdisjoint(release.gpus.runs)
            rank = (known, release.image.startswith("tensorflow/"), age, version)
            major = version.split(".")[0]
            best[major] = max(best.get(major, rank), rank)
    return [version for *_, version in best.values()]
