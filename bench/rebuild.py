"""Seconds and bytes that builds take, beside the article's recipe: the first, later, the next.

Both build on the same stand-ins. Ours begins with an empty apt cache of its own.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from uuid import uuid4

from bench.common import Row
from bench.images import ANSWERS, ARTICLE, article_image, base_image, generated, our_image, remove

FIRST, SECOND = "2.17.0", "2.16.2"
"""Two releases on one Ubuntu."""

_UNITS = {"B": 1e-6, "kB": 1e-3, "MB": 1.0}

STEPS = (
    "first image",
    "after one more line in `init_env2.sh`",
    "with nothing changed",
    "second image on that Ubuntu",
)


@dataclass(frozen=True)
class Build:
    """What one build took."""

    seconds: float
    megabytes: float
    """Fetched by apt, in 10^6 bytes."""


def measure() -> list[Row]:
    """Build two images of ours and of the article, and the first again after changes."""
    with (
        generated((FIRST, SECOND)) as directory,
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
    ):
        article = Path(shutil.copytree(ARTICLE, folder, dirs_exist_ok=True))
        for dockerfile in directory.glob("images/*/Dockerfile"):
            cache = f"id=bench-{directory.parent.name}"
            text = re.sub(r"id=copier-tensorflow-host-apt-\w+", cache, dockerfile.read_text())
            dockerfile.write_text(text)
        ours = steps(directory / "images", lambda version: build_ours(directory, version))
        theirs = steps(article, lambda version: build_theirs(article, version))
        remove(article_image(SECOND))
    return [
        Row(
            f"build: {what}",
            f"{mine.seconds:.1f} s, {mine.megabytes:.1f} MB fetched",
            f"{his.seconds:.1f} s, {his.megabytes:.1f} MB fetched: the article's recipe",
            mine.seconds / his.seconds,
        )
        for what, mine, his in zip(STEPS, ours, theirs, strict=True)
    ]


def steps(scripts: Path, build: Callable[[str], Build]) -> list[Build]:
    """Build what `STEPS` names."""
    touch(scripts / "init_env1.sh")
    touch(scripts / "init_env2.sh")
    first = build(FIRST)
    touch(scripts / "init_env2.sh")
    return [first, build(FIRST), build(FIRST), build(SECOND)]


def touch(script: Path) -> None:
    """Add a line to a script that no earlier build had."""
    script.write_text(f"{script.read_text()}# {uuid4()}\n")


def build_ours(directory: Path, version: str) -> Build:
    """Build an image of ours."""
    remove(our_image(version))  # or the image of before would stay behind without a name
    return timed(directory, "docker", "compose", "--progress=plain", "build", f"tf{version}")


def build_theirs(article: Path, version: str) -> Build:
    """Build an image by the article's recipe."""
    base = f"BASE={base_image(version, official=True)}"
    user = f"CURRENT_UID={ANSWERS['uid']}:{ANSWERS['gid']}"
    command = f"docker build --progress=plain --build-arg {base} --build-arg {user}".split()
    return timed(article, *command, "--tag", article_image(version), ".")


def timed(folder: Path, *command: str) -> Build:
    """Run a build; return how long it took and what apt fetched."""
    start = perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    seconds = perf_counter() - start
    fetched = re.findall(r" Fetched ([0-9.,]+) (B|kB|MB) in ", done.stdout + done.stderr)
    return Build(seconds, sum(float(n.replace(",", "")) * _UNITS[unit] for n, unit in fetched))
