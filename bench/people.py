"""How long everybody's containers take to start at once, and what they use while nobody works.

Ten people with three releases each, beside one container: of a host that has no other.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import sleep

from bench.common import Row, run, seconds
from bench.images import VERSIONS, generated, remove

NAMES = tuple(f"p{number}" for number in range(9))
"""Who has containers beside the shared account, which is the tenth person."""

UID = 1000
"""Of the shared account; the people have those above."""


def measure(repetitions: int = 3) -> list[Row]:
    """Start one container and all thirty, in turn, and look at the memory of each."""
    alone, together = [], []
    with host() as directory:
        one = services(directory)[0]
        images = [f"bench-{service}:latest" for service in services(directory)]
        try:
            run("docker", "compose", "build", "--quiet", cwd=directory)
            up = ["docker", "compose", "up", "-d", "--wait"]
            for _ in range(repetitions):
                alone.append(seconds(*up, one, cwd=directory))
                memory = sum(idle(directory).values())
                down(directory)
                together.append(seconds(*up, cwd=directory))
                each = idle(directory)
                down(directory)
        finally:
            down(directory)
            remove(*images)
    count = len(each)
    ours, theirs = median(together), median(alone)
    return [
        Row(
            f"`up --wait` of {count} containers (10 people), median of {repetitions}",
            f"{ours:.1f} s, {ours / count:.2f} s each",
            f"{theirs:.1f} s: of one container",
            ours / theirs,
        ),
        Row(
            f"memory of {count} containers while nobody works",
            f"{sum(each.values()):.0f} MB, {sum(each.values()) / count:.1f} MB each",
            f"{memory:.1f} MB: of one container alone",
            sum(each.values()) / memory,
            f"≤ {1.1 * count:.0f}",
            sum(each.values()) <= 1.1 * count * memory,
        ),
    ]


@contextmanager
def host() -> Iterator[Path]:
    """Generate the directory of ten people, with all their directories."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/srv") as folder:
        root = Path(folder)
        people = {}
        for number, name in enumerate(("ai", *NAMES)):
            home, uid = root / name, UID + number
            for path in (home, home / "tensorflow_volume"):
                path.mkdir()
                os.chown(path, uid, uid)
            people[name] = {"uid": uid, "home": str(home)}
        conda = root / "conda"
        conda.mkdir()
        del people["ai"]
        with generated(
            VERSIONS,
            official=False,
            host_home=str(root / "ai"),
            conda_path=str(conda),
            project_path=str(root / "ai/tensorflow_volume"),
            people=people,
            packages=[],
        ) as directory:
            yield directory


def services(directory: Path) -> list[str]:
    """Return the names of all services."""
    return run("docker", "compose", "config", "--services", cwd=directory).split()


def idle(directory: Path) -> dict[str, float]:
    """Return the memory of each container of a directory, in MB of 1024² bytes, after a while."""
    sleep(5)
    found = run("docker", "compose", "ps", "--quiet", cwd=directory).split()
    line = "{{.Name}} {{.MemUsage}}"
    used = run("docker", "stats", "--no-stream", f"--format={line}", *found)
    units = {"KiB": 1 / 1024, "MiB": 1, "GiB": 1024}
    rows = [row.split() for row in used.splitlines()]
    return {name: float(size[:-3]) * units[size[-3:]] for name, size, *_ in rows}


def down(directory: Path) -> None:
    run("docker", "compose", "down", "--timeout=1", cwd=directory)
