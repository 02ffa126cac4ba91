"""TensorFlow releases and the CUDA toolkits of their official images.

The facts, their sources and their doubts stand in ``catalogue.yaml``; this
module gives them types and chooses among them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from . import data
from .drivers import Drivers
from .gpus import Code, Gpus, classify
from .release import OwnCuda, Release, Toolkit, age


def load() -> dict[str, Any]:
    """Return the catalogue as it stands in its file."""
    facts: dict[str, Any] = data.load("catalogue.yaml")
    return facts


def base_toolkit(drivers: Drivers) -> Toolkit:
    """Return what Ubuntu's own image has, where environments bring their own CUDA.

    Args:
        drivers: NVIDIA drivers on which all that is used in it runs.
    """
    facts = load()["base"]
    return Toolkit(
        name="base",
        line="base",
        cuda="",
        cudnn=None,
        codename=facts["ubuntu"],
        image=facts["image"],
        drivers=drivers,
        libraries=("libcuda.so.1",),
        packages={},
        gigabytes=facts["gigabytes"],
        environment_gigabytes=0,
        bare=True,
    )


@cache
def own_cudas() -> dict[str, OwnCuda]:
    """Return what environments bring along by name."""
    return {
        name: OwnCuda(
            name,
            tuple(facts["conda"]),
            tuple(facts["pip"]),
            facts["gigabytes"],
            tuple(load()["libraries"][facts["libraries"]]["opens"]) if "libraries" in facts else (),
        )
        for name, facts in load()["own_cuda"].items()
    }


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
            own_cuda=own_cudas()[facts["own_cuda"]] if "own_cuda" in facts else None,
            bare=facts["image"] == load()["base"]["image"],
        )
        for name, facts in load()["toolkits"].items()
    }


def _constraints(facts: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(load()["constraints"][name]["requirement"] for name in facts.get("needs", []))


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
    found = {}
    for version, facts in load()["releases"].items():
        toolkit, wheel = toolkits()[facts["toolkit"]], facts.get("wheel", {})
        installed = wheel or facts.get("conda", {})
        found[version] = Release(
            version=version,
            toolkit=toolkit,
            image=facts.get("image") or toolkit.image,
            own_image="image" in facts,
            unusable=facts.get("unusable"),
            python=facts.get("python"),
            requirement=wheel.get("requirement"),
            pythons=tuple(installed.get("python", ())),
            constraints=_constraints(installed),
            gpus=gpus[facts["gpus"]],
            trouble=facts.get("trouble"),
            trouble_zh=facts.get("trouble_zh"),
            trouble_in=facts.get("trouble_in"),
            trouble_link=facts.get("trouble_link"),
            conda=facts.get("conda", {}).get("requirement"),
            own_cuda=own_cudas()[facts["own_cuda"]] if "own_cuda" in facts else toolkit.own_cuda,
        )
    return found


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Releases to choose from: those of the file, and somebody's own images."""

    releases: dict[str, Release]
    """By version, oldest first."""

    @property
    def own(self) -> dict[str, Release]:
        """Somebody's own images alone."""
        return {name: one for name, one in self.releases.items() if one is not releases().get(name)}

    def chosen(self, versions: Collection[str]) -> list[Release]:
        """Return the releases of the given versions, oldest first; unknown ones are left out."""
        return [release for version, release in self.releases.items() if version in versions]

    def python_of(self, image: str) -> str | None:
        """Return the Python of an image, None where unknown."""
        own = (r.python for r in self.releases.values() if r.own_image and r.image == image)
        return next(own, None)

    def choices(self, chosen: Collection[str] = ()) -> list[list[str]]:
        """Return label and version of the releases that the question lists.

        Those that are chosen already, which a terminal of 24 lines must show, and then of each
        minor the newest that is sound, or the newest where none is; both newest first.
        """
        best: dict[str, Release] = {}
        for release in self.releases.values():
            before = best.get(release.minor)
            if release.sound or before is None or not before.sound:
                best[release.minor] = release
        newest_first = list(reversed(self.releases.values()))
        rows = [r for r in newest_first if r.version in chosen]
        rows += [r for r in newest_first if r is best[r.minor] and r not in rows]
        return [[release.label, release.version] for release in rows]


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


def default_versions(fits: Callable[[Release], bool], gpus: Collection[str]) -> list[str]:
    """Return the newest 1.x and the newest 2.x that have a working image of their own and fit.

    Args:
        fits: Whether the host can run a release.
        gpus: Generations of the host: a release known to run on one of them comes
            before a release that may, and an official image before NVIDIA's.
    """
    best: dict[str, tuple[bool, bool, int, str]] = {}
    for place, (version, release) in enumerate(releases().items()):
        if release.own_image and fits(release):
            known = not gpus or not set(gpus).isdisjoint(release.gpus.runs)
            rank = (known, release.image.startswith("tensorflow/"), place, version)
            major = version.split(".")[0]
            best[major] = max(best.get(major, rank), rank)
    return [version for *_, version in best.values()]
