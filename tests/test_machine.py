"""Defaults come from the machine where it can tell, and are never root's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from extensions import machine
from extensions.answers import Answers
from extensions.questions.general import HOST
from extensions.questions.tensorflow import TF_VERSIONS
from tests.support import ROOT


@pytest.fixture(autouse=True)
def ask_anew() -> Iterator[None]:
    """Forget what nvidia-smi said, before and after a test."""
    for question in (machine.driver, machine.gpus):
        question.cache_clear()
    yield
    for question in (machine.driver, machine.gpus):
        question.cache_clear()


def nvidia_smi(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a stand-in nvidia-smi first on PATH."""
    command = folder / "nvidia-smi"
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


TWO_GPUS = """case "$1" in
--query-gpu=driver_version) printf '550.54.15\\n550.54.15\\n' ;;
--query-gpu=compute_cap) printf '8.9\\n7.5\\n' ;;
*) exit 2 ;;
esac"""


def test_driver_and_generations_are_what_nvidia_smi_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nvidia_smi(tmp_path, monkeypatch, TWO_GPUS)
    assert machine.driver() == "550.54.15"
    assert machine.gpus() == ["turing", "ada"]


@pytest.mark.parametrize(
    "script", ["exit 9", "echo 'Failed to initialize NVML: Unknown Error' >&2; exit 255"]
)
def test_a_machine_whose_nvidia_smi_fails_is_not_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    nvidia_smi(tmp_path, monkeypatch, script)
    assert (machine.driver(), machine.gpus()) == ("", [])


@pytest.mark.parametrize(
    ("capability", "generation"),
    [
        ("6.1", "pascal"),
        ("7.0", "volta"),
        ("7.5", "turing"),
        ("8.0", "ampere"),
        ("8.6", "ampere"),
        ("8.9", "ada"),
        ("9.0", "hopper"),
        ("10.0", "blackwell"),
        ("12.0", "blackwell"),
    ],
)
def test_a_compute_capability_tells_the_generation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capability: str, generation: str
) -> None:
    nvidia_smi(tmp_path, monkeypatch, f"echo {capability}")
    assert machine.gpus() == [generation]


def test_under_sudo_the_person_is_the_one_who_called_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 0)
    monkeypatch.setenv("SUDO_UID", "4242")
    assert machine.uid() == 4242
    assert machine.gid() == 4242


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_on_a_laptop_the_person_is_the_first_user_of_an_ubuntu_server(
    platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.delattr(machine, "pwd")
    monkeypatch.delattr(os, "getuid")
    assert (machine.uid(), machine.gid(), machine.home()) == (1000, 1000, "/home/ai")


def test_the_python_of_ubuntu_22_04_runs_the_template() -> None:
    """Copier itself needs 3.10 or newer."""
    vermin = Path(sys.executable).with_name("vermin")
    options = ["--target=3.10-", "--no-tips", "--eval-annotations"]
    done = subprocess.run([vermin, *options, ROOT / "extensions"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_no_module_needs_what_windows_lacks() -> None:
    code = (
        "import copier, sys; sys.platform = 'win32';"
        "sys.modules.update(dict.fromkeys(['pwd', 'grp', 'fcntl', 'termios']));"
        "import extensions.functions"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_conda_found_in_the_home_is_taken(tmp_path: Path) -> None:
    (tmp_path / "miniforge3/condabin").mkdir(parents=True)
    assert machine.conda_path(str(tmp_path)) == f"{tmp_path}/miniforge3"


def test_without_one_conda_goes_to_miniconda3() -> None:
    assert machine.conda_path("/home/nobody-yet") == "/home/nobody-yet/miniconda3"


@pytest.mark.parametrize(
    ("gpus", "driver", "versions"),
    [
        ([], "", ["1.15.5", "2.17.0"]),
        (["turing"], "550.54.15", ["1.15.5", "2.17.0"]),
        (["turing"], "460.32.03", ["1.15.5", "2.11.1"]),
        (["turing"], "470.82.01", ["1.15.5", "2.14.0"]),
        (["ada"], "", ["1.15.5-nv22.12", "2.17.0"]),
        (["blackwell"], "570.86", ["2.15.0.post1"]),
    ],
)
def test_the_default_versions_are_the_newest_that_the_host_can_run(
    gpus: list[str], driver: str, versions: list[str]
) -> None:
    assert TF_VERSIONS.default(Answers({"gpus": gpus, "driver": driver})) == versions


@pytest.mark.parametrize(
    ("folder", "host"),
    [("gpu01", "gpu01"), ("GPU_Server.2", "gpu-server-2"), ("__", "gpu01"), ("x" * 60, "x" * 40)],
)
def test_the_host_is_called_like_its_folder(folder: str, host: str) -> None:
    assert HOST.default(Answers({"_folder_name": folder})) == host
