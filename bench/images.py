"""What a container's image weighs on top of its base, beside the article's recipe.

All are built on the same stand-ins for TensorFlow's images: a real Ubuntu, and empty
packages in CUDA's place. They are built twice: on an Ubuntu like that of the official
images, with the packages that these have from Ubuntu, as Python, and the settings of
Docker's Ubuntu images, which drop downloaded packages, compress lists and leave out
manuals; and on a bare one. Ours is built with the article's packages (and rsync
besides), and with none but what ssh needs.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.common import ROOT, Row, at_most, clone_template, copy_command, run
from extensions import catalogue
from tests.e2e import bases

VERSIONS = ("1.15.5", "2.11.0", "2.17.0")
"""A TensorFlow release for each Ubuntu release of the official images."""

REGISTRIES = {True: "bench.invalid", False: "bench-bare.invalid"}
"""Where the stand-ins like the official images and the bare ones are: names of no other image."""

ANSWERS = {
    "host": "bench",
    "driver": "",
    "gpus": [],
    "uid": 1000,
    "gid": 1000,
    "host_home": "/home/ai",
    "conda_path": "/home/ai/miniconda3",
    "project_path": "/home/ai/tensorflow_volume",
    "packages": ["vim", "net-tools", "sudo"],
}
"""The packages are the article's; the other answers hardly matter to an image."""

ARTICLE = ROOT / "bench/article"
GOAL = 1 / 7
GOAL_LEAN = 1 / 20
GOAL_LAYERS = 2


@dataclass(frozen=True)
class Image:
    """What is measured of an image."""

    layers: tuple[int, ...]
    """Bytes of each layer on top of the base that is not empty."""
    held: int
    """CUDA packages of the base that apt must not move."""
    cuda: int
    """CUDA packages of the base."""

    @property
    def megabytes(self) -> float:
        """Size on top of the base, in 10^6 bytes."""
        return sum(self.layers) / 1e6


@dataclass(frozen=True)
class Weighed:
    """The three images on one base."""

    codename: str
    official: bool
    """Whether the base is like the official image, and not bare."""
    ours: Image
    lean: Image
    """Ours with `packages: []`."""
    article: Image


def weigh() -> list[Weighed]:
    """Build the three images of every version on both kinds of base, and weigh them."""
    return [weighed for official in REGISTRIES for weighed in _weigh(official)]


def _weigh(official: bool) -> list[Weighed]:
    found: dict[str, list[Image]] = {"ours": [], "lean": [], "article": []}
    for kind, packages in (("lean", []), ("ours", ANSWERS["packages"])):
        with generated(VERSIONS, official, packages=packages) as directory:
            for version in VERSIONS:
                run("docker", "compose", "build", "--quiet", f"tf{version}", cwd=directory)
                found[kind].append(inspect(our_image(version), version, official))
                if kind == "ours":
                    build_article(version, official)
                    found["article"].append(inspect(article_image(version), version, official))
    return [
        Weighed(catalogue.releases()[version].toolkit.codename, official, *images)
        for version, *images in zip(VERSIONS, *found.values(), strict=True)
    ]


def rows(weighed: list[Weighed]) -> list[Row]:
    """Return the comparisons of what was weighed."""
    found = []
    for on in weighed:
        base = f"on top of a {'' if on.official else 'bare '}{on.codename} base"
        article = f"{on.article.megabytes:.1f} MB: the article's recipe"
        for what, image, goal in (
            ("image", on.ours, GOAL),
            ("image with `packages: []`", on.lean, GOAL_LEAN),
        ):
            ratio = image.megabytes / on.article.megabytes
            megabytes = f"{image.megabytes:.1f} MB"
            found.append(at_most(f"{what} {base}", megabytes, article, ratio, goal))
    like_official = [on for on in weighed if on.official]
    ours, theirs = [on.ours for on in like_official], [on.article for on in like_official]
    names = ", ".join(on.codename for on in like_official)

    def each(images: list[Image], show: Callable[[Image], str]) -> str:
        return ", ".join(map(show, images))

    def layers(image: Image) -> str:
        return str(len(image.layers))

    def held(image: Image) -> str:
        return f"{image.held} of {image.cuda}"

    return [
        *found,
        Row(
            f"layers with content ({names})",
            each(ours, layers),
            f"{each(theirs, layers)}: the article's recipe",
            goal=str(GOAL_LAYERS),
            met=all(len(image.layers) == GOAL_LAYERS for image in ours),
        ),
        Row(
            f"CUDA packages held ({names})",
            each(ours, held),
            f"{each(theirs, held)}: the article's recipe",
            goal="all",
            met=all(image.held == image.cuda for image in ours),
        ),
    ]


@contextmanager
def generated(versions: tuple[str, ...], official: bool = True, **answers: Any) -> Iterator[Path]:
    """Generate a directory on stand-in bases; remove it and its images in the end."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        work = Path(folder)
        file = work / "answers.yml"
        registry = REGISTRIES[official]
        given = {**ANSWERS, "tf_versions": versions, "registry": registry, **answers}
        file.write_text(json.dumps(given), encoding="utf-8")
        run(*copy_command(clone_template(work / "template"), file, work / "bench"))
        try:
            for version in versions:
                build_base(version, official)
            yield work / "bench"
        finally:
            for version in versions:
                base = base_image(version, official)
                remove(our_image(version), article_image(version), base)


def base_image(version: str, official: bool) -> str:
    """Return the name of the stand-in for a release's official image."""
    return f"{REGISTRIES[official]}/{catalogue.releases()[version].image}"


def our_image(version: str) -> str:
    """Return the name that Compose gives to the image of a container."""
    return f"bench-tf{version}:latest"


def article_image(version: str) -> str:
    """Return the name of the article's image."""
    return f"bench-article:{version}"


def build_base(version: str, official: bool) -> None:
    """Make the stand-in for a release's official image."""
    toolkit = catalogue.releases()[version].toolkit
    tag = base_image(version, official)
    codename = toolkit.codename
    extra = bases.UBUNTU_PACKAGES[codename] if official else ()
    bases.build(bases.Base(tag, codename, toolkit.packages, docker_apt=official, extra=extra))


def build_article(version: str, official: bool) -> None:
    """Make the article's image."""
    arguments = (
        f"BASE={base_image(version, official)}",
        f"CURRENT_UID={ANSWERS['uid']}:{ANSWERS['gid']}",
    )
    options = [option for argument in arguments for option in ("--build-arg", argument)]
    tag = article_image(version)
    run("docker", "build", *options, "--tag", tag, ARTICLE, env={"DOCKER_BUILDKIT": "1"})


def inspect(image: str, version: str, official: bool) -> Image:
    """Return the layers of an image on top of its base, and how much of CUDA it holds."""
    history, base = sizes(image), sizes(base_image(version, official))
    # newest first
    layers = tuple(size for size in history[: len(history) - len(base)] if size > 0)
    listing = run("docker", "run", "--rm", "--network=none", image, "apt-mark", "showhold")
    cuda = catalogue.releases()[version].toolkit.packages
    return Image(layers, held=len(set(listing.split()) & set(cuda)), cuda=len(cuda))


def sizes(image: str) -> list[int]:
    """Return the bytes that each step of an image's history added, newest first."""
    listing = run("docker", "history", "--human=false", "--format={{.Size}}", image)
    return [int(size) for size in listing.split()]


def remove(*images: str) -> None:
    """Remove images; those that are not there are no error."""
    run("docker", "image", "rm", "--force", *images)
