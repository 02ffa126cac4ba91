"""A TensorFlow release, and the CUDA toolkit of its official image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from packaging.version import Version

from .drivers import Drivers
from .gpus import Gpus

UBUNTU = {"bionic": "18.04", "focal": "20.04", "jammy": "22.04", "noble": "24.04"}
"""Codename to version number of the Ubuntu releases that images are built on."""

GLIBC = {"bionic": "2.27", "focal": "2.31", "jammy": "2.35", "noble": "2.39"}
"""Codename to version of its C library, as https://packages.ubuntu.com/libc6 lists them."""


@dataclass(frozen=True)
class OwnCuda:
    """CUDA that an environment brings along, and needs none around it."""

    name: str
    conda: tuple[str, ...]
    """What conda installs beside Python."""
    pip: tuple[str, ...]
    """What pip installs beside TensorFlow."""
    gigabytes: float
    """Its size, about; on disk once, however many environments have it."""
    libraries: tuple[str, ...] = ()
    """What its TensorFlow opens; empty: what that of its toolkit opens."""


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
    """Newest working official image of this toolkit."""
    drivers: Drivers
    """NVIDIA drivers on which its images start."""
    libraries: tuple[str, ...]
    """Shared libraries that its TensorFlow opens to use a GPU."""
    packages: Mapping[str, str | None]
    """CUDA apt packages of the image: name to pinned version, None where not pinned."""
    gigabytes: float
    """Size of one image of this toolkit, about, in 10^9 bytes as `docker images` counts."""
    environment_gigabytes: float
    """Size of the conda environment of one release of this toolkit without CUDA, about; 0 where
    it has none."""
    own_cuda: OwnCuda | None = None
    """What its environments bring along where they bring CUDA, if the release names no other."""
    bare: bool = False
    """Whether its image is Ubuntu's own, without CUDA."""

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
    """Python of its own image, with a question mark where nobody could verify it."""
    requirement: str | None
    """pip requirement that puts it into an environment, None where pip cannot."""
    pythons: tuple[str, ...]
    """Python versions that its Linux wheels exist for."""
    constraints: tuple[str, ...]
    """pip requirements beside its own, without which its environment would not work today."""
    gpus: Gpus
    trouble: str | None
    """What a person meets with it, in English."""
    trouble_zh: str | None
    """The same in Chinese."""
    trouble_in: str | None
    """Where its trouble is: in its ``image`` or in its ``environment``."""
    trouble_link: str | None
    conda: str | None = None
    """conda requirement that puts it into an environment, where pip cannot."""
    own_cuda: OwnCuda | None = None
    """The CUDA that an environment of it brings along, if it can bring one."""

    @property
    def installable(self) -> bool:
        """Whether it can be put into an environment: else only its image has it."""
        return bool(self.requirement or self.conda)

    @property
    def brings_cuda(self) -> bool:
        """Whether TensorFlow itself asks for the CUDA of its environment."""
        return bool(self.conda) or "[and-cuda]" in (self.requirement or "")

    @property
    def libraries(self) -> tuple[str, ...]:
        """Shared libraries that it opens in an environment to use a GPU."""
        return (self.own_cuda.libraries if self.own_cuda else ()) or self.toolkit.libraries

    @property
    def environment(self) -> str:
        """Name of its conda environment, such as ``tf2.17.0``."""
        return f"tf{self.version}"

    @property
    def own_environment(self) -> str:
        """Name of its environment with its own CUDA, such as ``tf2.9.3-cuda``."""
        return self.environment + ("" if self.brings_cuda else "-cuda")

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
        tensorflow = (self.conda,) if self.conda else ()
        return (f"python={self.environment_python}", "pip", *bounds, *tensorflow)

    @property
    def pip_packages(self) -> tuple[str, ...]:
        """What pip puts into its environment."""
        return (*((self.requirement,) if self.requirement else ()), *self.constraints)

    @property
    def image_version(self) -> str:
        """The TensorFlow that its image has, such as ``2.17.0``."""
        return self.image.rpartition(":")[2].partition("-gpu")[0]

    @property
    def major(self) -> int:
        """Such as 2."""
        return age(self.version)[0].major

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
            f"{self.version + ('' if self.own_image or self.conda else ' env'):<15}CUDA {cuda:<5}"
            f"py{self._python_shown:<5}"
            f"driver {self.toolkit.driver.partition('.')[0]} {self.gpus.short}"
        )


def age(version: str) -> tuple[Version, str]:
    """Return what sorts releases: another build comes after the official release.

    Its word stands behind the version, as in ``2.19.0-lab``, or before it, as in ``lab-2.19``.
    """
    first, _, second = version.partition("-")
    official, build = (first, second) if first[0].isdigit() else (second, first)
    return Version(official), build
