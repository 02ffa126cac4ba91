"""How long an image takes to build anew after a change, beside the whole build.

apt's downloads are in the build cache in each case: what counts is the work.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median
from uuid import uuid4

from bench.common import Row, seconds
from bench.images import generated, our_image, remove

VERSION = "2.17.0"


def measure(repetitions: int = 3) -> list[Row]:
    """Build an image in full, after a change of `init_env2.sh`, and after none, in turn."""
    full, changed, unchanged = [], [], []
    with generated((VERSION,)) as directory:
        build(directory)
        for _ in range(repetitions):
            full.append(build(directory, "--no-cache"))
            with (directory / "init_env2.sh").open("a") as script:
                script.write(f"# {uuid4()}\n")  # as no earlier build had it
            changed.append(build(directory))
            unchanged.append(build(directory))

    whole = median(full)
    baseline = f"{whole:.1f} s: all of it, with `--no-cache`"
    return [
        Row(
            f"rebuild {what}, median of {repetitions}",
            f"{median(taken):.1f} s",
            baseline,
            median(taken) / whole,
        )
        for what, taken in (
            ("after one more line in `init_env2.sh`", changed),
            ("with nothing changed", unchanged),
        )
    ]


def build(directory: Path, *options: str) -> float:
    """Build the image, and return how long it took."""
    # or the image of before would stay behind without a name
    remove(our_image(VERSION))
    command = ("docker", "compose", "build", "--quiet", *options, f"tf{VERSION}")
    return seconds(*command, cwd=directory)
