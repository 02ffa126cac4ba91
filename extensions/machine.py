"""Defaults read from the machine on which the directory is generated."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

from .gpus import GENERATIONS, generation

if sys.platform == "linux":  # Windows has none
    import pwd


def _person() -> tuple[int, int, str]:
    """Return UID, GID and home of the person behind this run, never root's.

    Under sudo that is the person who called it. For root itself, and on a laptop with Windows or
    macOS, whose accounts say nothing about the server, it is the first ordinary user of an
    Ubuntu machine.
    """
    if sys.platform != "linux":
        return 1000, 1000, "/home/ai"
    uid = os.getuid() or int(os.environ.get("SUDO_UID", "1000"))
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return uid, uid, "/home/ai"
    return uid, entry.pw_gid or uid, entry.pw_dir


def uid() -> int:
    """Return the UID of the person who runs Copier."""
    return _person()[0]


def gid() -> int:
    """Return the GID of the person who runs Copier."""
    return _person()[1]


def home() -> str:
    """Return the home directory of the person who runs Copier."""
    return _person()[2]


def ids_of(name: str) -> str:
    """Return UID and GID of an account as a person answers them, those of an example without."""
    if sys.platform != "linux":
        return "uid: 1001"
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return "uid: 1001"
    return f"uid: {entry.pw_uid}, gid: {entry.pw_gid}, home: {entry.pw_dir}"


def conda_path(host_home: str) -> str:
    """Return the conda found in the home directory, else where Miniconda would go."""
    for name in ("miniconda3", "miniforge3", "mambaforge", "anaconda3"):
        if Path(host_home, name, "condabin").is_dir():
            return f"{host_home}/{name}"
    return f"{host_home}/miniconda3"


def _query_gpus(field: str) -> list[str]:
    """Return one field of every GPU as nvidia-smi prints it, nothing where it does not run."""
    command = ["nvidia-smi", f"--query-gpu={field}", "--format=csv,noheader"]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in run.stdout.splitlines() if line.strip()]


@cache
def driver() -> str:
    """Return the version of the NVIDIA driver, empty where nvidia-smi does not run."""
    found = _query_gpus("driver_version")
    return found[0] if found else ""


@cache
def gpus() -> list[str]:
    """Return the GPU generations of this machine, oldest first, empty where unknown."""
    capabilities = _query_gpus("compute_cap")
    found = {generation(capability) for capability in capabilities}
    return [name for name in GENERATIONS if name in found]
