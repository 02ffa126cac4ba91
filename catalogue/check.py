"""What differs between the catalogue and what PyPI has today."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from packaging.version import Version

from extensions import catalogue, editors, gpus
from extensions.gpus import Code, Fit
from extensions.release import Release

from .pypi import Index, Wheel, is_final, resolved

OLDEST = Version("1.13")
"""Releases before it are not offered: their images are on Ubuntu 16.04."""

PROJECTS = ("tensorflow", "tensorflow-gpu")

HAVE_GPU_CODE = ("cublas", "cudnn", "cufft", "cusolver", "cusparse", "nccl")
"""NVIDIA's wheels whose kernels a TensorFlow runs: ``nvidia-cublas-cu12`` and so on. It brings
cuRAND too and does not open it."""

READS = {"wheel": ("requirement", "python"), "gpus": ("native", "ptx")}
"""The facts of a record that a run reads and the catalogue marks with the day, in ``read``."""

CODE_IN_SMALL_LIBRARIES = Version("2.17")
"""From here on, a small library of TensorFlow's wheel has GPU code; before, one of hundreds of
megabytes alone."""


@dataclass(frozen=True)
class Difference:
    """A fact that the catalogue has otherwise."""

    about: str
    """A version, or a wheel."""
    fact: str
    catalogue: str
    read: str

    def __str__(self) -> str:
        return f"{self.about}: {self.fact} is {self.read}, and the catalogue has {self.catalogue}"


@dataclass
class Report:
    """What was compared so far."""

    differences: list[Difference] = field(default_factory=list)
    read: int = 0
    """Facts that were read and compared."""
    unread: list[str] = field(default_factory=list)
    """Facts that could not be read, and why."""

    def compare(self, about: str, fact: str, has: Any, read: Any) -> None:
        """Compare a fact of the catalogue with what was read."""
        self.read += 1
        if has != read:
            self.differences.append(Difference(about, fact, shown(has), shown(read)))


def shown(value: Any) -> str:
    """Return a fact as it is printed."""
    if isinstance(value, Code):
        return f"code {' '.join(value.native)} and PTX {' '.join(value.ptx) or 'none'}"
    if isinstance(value, (list, tuple)):
        return " ".join(map(str, value)) or "none"
    return str(value)


def code_of(release: Release) -> Code | None:
    """Return the GPU code that the catalogue has for a release, None where it has none."""
    facts = catalogue.load()["gpus"][catalogue.load()["releases"][release.version]["gpus"]]
    return Code(tuple(facts["native"]), tuple(facts["ptx"])) if "native" in facts else None


def minor(version: str) -> str:
    """Return such as ``12.5`` of ``12.5.1``."""
    return ".".join(version.split(".")[:2])


class Check:
    """One run over an index."""

    def __init__(self, index: Index, say: Callable[[str], None], deep: bool = False) -> None:
        """Begin a run.

        Args:
            index: Where wheels are read.
            say: Prints what is done next.
            deep: Read the GPU code of every TensorFlow, gigabytes of it, instead of what its
                build information tells.
        """
        self.report = Report()
        self._index, self._say, self._deep = index, say, deep
        self._wheels: dict[str, dict[str, list[Wheel]]] = {}
        self._codes: dict[tuple[str, str], Code | None] = {}

    def wheels(self, project: str) -> dict[str, list[Wheel]]:
        """Return the wheels of a project by version, read once."""
        if project not in self._wheels:
            self._wheels[project] = self._index.wheels(project)
        return self._wheels[project]

    def wheels_of(self, release: Release) -> list[Wheel]:
        """Return the wheels that the requirement of a release names."""
        project = (release.requirement or "").partition("==")[0].partition("[")[0]
        return self.wheels(project).get(release.version, [])

    def missing(self) -> list[str]:
        """Return the releases that PyPI has and the catalogue does not, oldest first."""
        known = catalogue.releases()
        found = {
            version
            for version, wheels in self.wheels("tensorflow").items()
            if is_final(version) and Version(version) >= OLDEST and version not in known
            if not all(wheel.yanked for wheel in wheels)
        }
        return sorted(found, key=Version)

    def releases(self, versions: Iterable[str]) -> None:
        """Compare releases of the catalogue with their wheels."""
        for version in versions:
            release = catalogue.releases()[version]
            if release.requirement:
                self._say(f"{version}: wheel")
                self._release(release)

    def debuggers(self) -> None:
        """Compare the debugpy of each Python with the newest that pip installs for it."""
        self._say("debugpy")
        found = {v: wheels for v, wheels in self.wheels("debugpy").items() if is_final(v)}
        newest = max(found, key=Version)
        for python in (f"3.{minor}" for minor in range(5, 14)):
            takes = [v for v, wheels in found.items() if any(w.takes(python) for w in wheels)]
            has = editors.extensions_for(python).debugpy or newest
            about = f"debugpy for Python {python}"
            self.report.compare(about, "newest version", has, max(takes, key=Version, default=""))

    def _release(self, release: Release) -> None:
        report, version = self.report, release.version
        wheels = self.wheels_of(release)
        report.compare(version, "whether PyPI has it", True, bool(wheels))
        if not wheels:
            return
        pythons = sorted({wheel.python for wheel in wheels}, key=Version)
        pythons = [python for python in pythons if Version(python) >= Version("3.5")]
        report.compare(version, "Python", list(release.pythons), pythons)
        brings_cuda = "[and-cuda]" in (release.requirement or "")
        if brings_cuda:
            report.compare(version, "extra and-cuda", True, "and-cuda" in wheels[0].extras)
        self._build(release, wheels[0], brings_cuda)
        if brings_cuda:
            self._environment(release)

    def _build(self, release: Release, wheel: Wheel, brings_cuda: bool) -> None:
        report, version, expected = self.report, release.version, code_of(release)
        info = wheel.build_info()
        if info:
            report.compare(version, "GPU code by its build information", expected, info.code)
            # With its own CUDA it needs no more than the major version of the image's.
            cut = (lambda v: v.split(".")[0]) if brings_cuda else minor
            if release.version != "2.15.0":  # on the image of 2.15.0.post1, the same build
                report.compare(version, "CUDA", cut(release.toolkit.cuda), cut(info.cuda))
            if not brings_cuda and release.toolkit.cudnn:
                has = release.toolkit.cudnn.split(".")[0]
                report.compare(version, "cuDNN", has, info.cudnn.split(".")[0])
        if self._deep or Version(version) >= CODE_IN_SMALL_LIBRARIES:
            code = wheel.gpu_code(1000, 10_000) if self._deep else wheel.gpu_code(20)
            report.compare(version, "GPU code in its libraries", expected, code)
        elif not info:
            report.unread.append(f"{version}: GPU code (no build information; --deep reads it)")

    def _environment(self, release: Release) -> None:
        """Compare the GPUs of a release with the code of every wheel that comes with it."""
        requirements = [release.requirement or "", *release.constraints]
        try:
            packages = resolved(requirements, release.environment_python)
        except subprocess.CalledProcessError as error:
            self.report.compare(
                release.version, "its environment", "resolvable", error.stderr.strip()
            )
            return
        for name, version in packages.items():
            if name.startswith("nvidia-") and name.split("-")[1] in HAVE_GPU_CODE:
                self._covers(release, name, version)

    def _covers(self, release: Release, name: str, version: str) -> None:
        code = self._code(name, version)
        if code is None:
            self.report.unread.append(f"{release.version}: GPU code of {name} {version}")
            return
        runs = [
            generation
            for generation in release.gpus.runs + release.gpus.slow
            if gpus.fits(code, generation) is not Fit.FAILS
        ]
        self.report.compare(
            f"{release.version} with {name} {version}",
            "GPU generations",
            list(release.gpus.runs + release.gpus.slow),
            runs,
        )

    def _code(self, name: str, version: str) -> Code | None:
        if (name, version) not in self._codes:
            self._say(f"{name} {version}: GPU code")
            self._codes[name, version] = self.wheels(name)[version][0].gpu_code(24)
        return self._codes[name, version]
