"""Images that are not in the catalogue: NVIDIA's other tags, a company's, one of tomorrow.

An answer describes each in the words of the catalogue. What it leaves out is unknown, and
stays so: no Python, no cuDNN, no list of packages, GPUs that nobody verified.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from . import catalogue
from .answers import RefusedError
from .catalogue import Catalogue
from .drivers import Drivers
from .gpus import GENERATIONS, Gpus
from .reading import listed, parsed, shown
from .release import UBUNTU, Release, Toolkit

EXAMPLE = '{2.19.0-lab: {image: "registry.lab/tf:2.19", ubuntu: "22.04", cuda: "12.5"}}'

FILE = "images.yml"
"""File whose images are those of the answer, in or beside a generated directory."""

_OF = r"[1-3]\.[0-9]{1,2}(\.[0-9]+)?"
_NAME = re.compile(rf"{_OF}-[a-z][a-z0-9]*([.-][a-z0-9]+)*|[a-z][a-z0-9]*-{_OF}")
"""The TensorFlow of an image, from which its port follows, and a word behind or before it."""
_IMAGE = re.compile(r"[a-z0-9]+([._:/-]+[a-z0-9]+)*:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_VERSION = re.compile(r"[0-9]+(\.[0-9]+){0,3}")
_REQUIRED = ("image", "ubuntu", "cuda")
_OPTIONAL = ("cudnn", "python", "driver", "gpus", "packages", "gigabytes")

_COMPATIBLE = {"10": "410.48", "11": "450.80.02", "12": "525.60.13", "13": "580.65.06"}
"""Major version of CUDA to the oldest driver for it by minor-version compatibility (of CUDA 10,
which has none, the first): https://docs.nvidia.com/deploy/cuda-compatibility/"""


def read_images(answer: object) -> Catalogue:
    """Return the catalogue with the releases of a person's own images.

    Raises:
        RefusedError: something in it is missing, unknown, or has not the form of it.
    """
    images = parsed(answer)
    if not isinstance(images, Mapping):
        raise RefusedError(f"{shown(answer)} is not a map; write it as {EXAMPLE}, or {{}}")
    return _catalogue(json.dumps(images, default=str)) if images else catalogue.base()


def of_file(destination: Path) -> Mapping[str, Any]:
    """Return the images of a file in a directory or beside it, none where there is no file.

    Raises:
        RefusedError: the file has another form than a data file that answers ``images``.
    """
    for folder in (destination, destination.parent):
        path = folder / FILE
        if path.is_file():
            content = parsed(path.read_text(encoding="utf-8"))
            if not isinstance(content, Mapping) or list(content) != ["images"]:
                raise RefusedError(
                    f"{path} is not a map with images alone; write images: {EXAMPLE}"
                )
            images = parsed(content["images"])
            read_images(images)
            return dict(images)
    return {}


# One catalogue for the same images, since what is made of it is kept by its identity.
@lru_cache(maxsize=8)
def _catalogue(images: str) -> Catalogue:
    return catalogue.with_own(_release(name, facts) for name, facts in json.loads(images).items())


def _release(name: str, facts: object) -> Release:
    if not _NAME.fullmatch(name):
        raise RefusedError(
            f"{shown(name)} is not a name for an image; write its TensorFlow version and a word, "
            "as in 2.19.0-lab or lab-2.19"
        )
    if not isinstance(facts, Mapping):
        raise RefusedError(f"{name} has no facts; write it as {EXAMPLE}")
    known = (*_REQUIRED, *_OPTIONAL)
    if unknown := [key for key in facts if key not in known]:
        raise RefusedError(f"{shown(unknown[0])} of {name} is not known; use {listed(known)}")
    if absent := [key for key in _REQUIRED if not facts.get(key)]:
        raise RefusedError(f"{name} has no {absent[0]}; add it, as in {EXAMPLE}")
    toolkit = _toolkit(name, facts)
    return Release(
        version=name,
        toolkit=toolkit,
        image=toolkit.image,
        own_image=True,
        unusable=None,
        python=_version(name, facts, "python") or None,
        requirement=None,
        pythons=(),
        constraints=(),
        gpus=_gpus(name, facts.get("gpus")),
        trouble=None,
        trouble_zh=None,
        trouble_in=None,
        trouble_link=None,
    )


def _toolkit(name: str, facts: Mapping[str, Any]) -> Toolkit:
    codenames = {number: codename for codename, number in UBUNTU.items()}
    ubuntu, image = str(facts["ubuntu"]), str(facts["image"])
    if ubuntu not in codenames:
        raise RefusedError(
            f"ubuntu {shown(ubuntu)} of {name} is not supported; use {listed(codenames, 'or')}"
        )
    if not _IMAGE.fullmatch(image):
        raise RefusedError(
            f"image {shown(image)} of {name} is not an image with a tag; write it as docker pull "
            "takes it, such as registry.lab/tf:2.19"
        )
    cuda = _version(name, facts, "cuda")
    driver = _version(name, facts, "driver") or _COMPATIBLE.get(cuda.partition(".")[0])
    if not driver:
        raise RefusedError(f"{name} has no driver; add the oldest one that CUDA {cuda} runs on")
    gigabytes = str(facts.get("gigabytes") or 0)
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]+)?", gigabytes):
        raise RefusedError(
            f"gigabytes {shown(gigabytes)} of {name} is not a size; write it as in 9.5"
        )
    return Toolkit(
        name=name,
        line=name,
        cuda=cuda,
        cudnn=_version(name, facts, "cudnn") or None,
        codename=codenames[ubuntu],
        image=image,
        drivers=Drivers(driver, (), ()),
        libraries=(),
        packages=_packages(name, facts.get("packages", {})),
        gigabytes=float(gigabytes),
        environment_gigabytes=0,
    )


def _version(name: str, facts: Mapping[str, Any], key: str) -> str:
    """Return a version, empty where it is not given."""
    value = facts.get(key)
    if value is None:
        return ""
    if not _VERSION.fullmatch(str(value)):
        raise RefusedError(f"{key} {shown(value)} of {name} is not a version; write it as in 12.5")
    return str(value)


def _packages(name: str, packages: object) -> dict[str, str | None]:
    if not isinstance(packages, list | Mapping):
        raise RefusedError(f"packages of {name} is not a list; write it as [libcudnn9-cuda-12]")
    for package in packages:
        if not re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", str(package)):
            raise RefusedError(f"{shown(package)} of {name} is not the name of an apt package")
    return {str(package): None for package in packages}


def _gpus(name: str, generations: object) -> Gpus:
    if generations in (None, []):
        return Gpus((), (), GENERATIONS, "its publisher lists no other GPUs")
    if not isinstance(generations, list) or any(g not in GENERATIONS for g in generations):
        raise RefusedError(
            f"gpus {shown(generations)} of {name} is not a list of {listed(GENERATIONS)}"
        )
    runs = tuple(g for g in GENERATIONS if g in generations)
    return Gpus(runs, (), (), "its publisher lists no other GPUs")
