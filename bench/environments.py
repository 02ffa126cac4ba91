"""How long it takes from nothing to `import tensorflow`, in an environment with its own CUDA.

What pip installs is real. The baseline is the environment of a container whose image has the CUDA:
that image could not be pulled here, so neither its bytes nor its download are counted.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench.common import Row, run, seconds
from extensions import catalogue

PYTHON = "{}.{}".format(*sys.version_info)


def measure() -> list[Row]:
    """Make an environment of a release with its own CUDA and one without, and import it."""
    release = [
        release
        for release in catalogue.releases().values()
        if PYTHON in release.pythons and release.own_cuda and release.own_cuda.pip
        and release.own_image
    ][-1]  # fmt: skip
    assert release.own_cuda
    taken, size = made((*release.pip_packages, *release.own_cuda.pip))
    less, smaller = made(release.pip_packages)
    return [
        Row(
            f"from nothing to `import tensorflow` {release.version} with its own CUDA, one run",
            f"{taken:.0f} s, {size:.1f} GB",
            f"{less:.0f} s, {smaller:.1f} GB: without CUDA, and its image of "
            f"{release.toolkit.size_gb} GB, which is not counted",
            taken / less,
        )
    ]


def made(requirements: tuple[str, ...]) -> tuple[float, float]:
    """Install into a new environment and import; return seconds, and gigabytes on disk."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/srv") as folder:
        python = Path(folder) / "bin/python"
        taken = seconds(sys.executable, "-m", "venv", folder)
        install = ("-m", "pip", "install", "--quiet", "--no-cache-dir")
        taken += seconds(python, *install, *requirements)
        taken += seconds(python, "-c", "import tensorflow")
        size = run("du", "--summarize", "--block-size=1", folder).split()[0]
    return taken, int(size) / 1e9
