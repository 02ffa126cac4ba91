"""environments/cuda.py: how TensorFlow finds the CUDA of its own environment.

The libraries are made up, of the names and dependencies of NVIDIA's; Python, its environments and
the loader are real. With NVIDIA's own: tests/e2e/test_own_cuda.py.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from shlex import quote

import pytest

from tests.doctor import doctor
from tests.support import ROOT

CUDA = ROOT / "template/host/environments/cuda.py"
TENSORFLOW = """import ctypes
print(*(ctypes.CDLL(name).whose() for name in ("libcublas.so.11", "libcudnn.so.8")))
"""


def library(path: Path, whose: int, *needs: Path) -> Path:
    """Make a shared library that says whose it is, and names no folder of those that it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    code = f"int whose(void) {{ return {whose}; }}"
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-x", "c", "-", f"-Wl,-soname,{path.name}", "-o", path,
         "-Wl,--no-as-needed", "-x", "none", *needs],
        input=code, text=True, check=True,
    )  # fmt: skip
    return path


def cuda(folder: Path, whose: int) -> None:
    """Make the libraries of wheels: each in a folder of its own, one of them needed by others."""
    lt = library(folder / "cublas/lib/libcublasLt.so.11", whose)
    cublas = library(folder / "cublas/lib/libcublas.so.11", whose, lt)
    ops = library(folder / "cudnn/lib/libcudnn_ops_infer.so.8", whose, cublas)
    library(folder / "cudnn/lib/libcudnn.so.8", whose, ops)


def environment(prefix: Path, whose: int) -> Path:
    """Make an environment with its own CUDA as new.sh does; return its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", prefix], check=True)
    (site,) = prefix.glob("lib/python3*/site-packages")
    (site / "tensorflow").mkdir()
    (site / "tensorflow/__init__.py").write_text(TENSORFLOW)
    (site / "kernel.py").write_text("import tensorflow")
    (site / "tensorflow_cuda.py").write_bytes(CUDA.read_bytes())
    (site / "tensorflow_cuda.pth").write_text("import tensorflow_cuda\n")
    if whose:
        cuda(site / "nvidia", whose)
        (site / "nvidia/cuda_nvcc").mkdir()
    return prefix / "bin/python"


def said(python: Path, code: str, **variables: str) -> str:
    return subprocess.check_output([python, "-c", code], text=True, env=variables)


@pytest.fixture(scope="module")
def pythons(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Environments with the CUDA of 1 and of 2, and one with none."""
    envs = tmp_path_factory.mktemp("envs of 李")
    return {whose: environment(envs / f"tf{whose}", whose) for whose in (1, 2, 0)}


def test_each_environment_gets_its_own_in_its_plain_python(pythons: dict[int, Path]) -> None:
    together = [
        subprocess.Popen(
            [pythons[whose], "-c", "import tensorflow"], stdout=subprocess.PIPE, env={}
        )
        for whose in (1, 2, 1)
    ]
    assert [each.communicate()[0] for each in together] == [b"1 1\n", b"2 2\n", b"1 1\n"]


SPAWN = """
import multiprocessing
def work(_):
    import tensorflow
if __name__ == "__main__":
    with multiprocessing.get_context("{}").Pool(1) as pool:
        pool.map(work, [0])
"""


@pytest.mark.parametrize(
    "way",
    [
        "{python} -c 'import tensorflow'",
        "{python} -I -c 'import tensorflow'",  # as editors ask an interpreter
        "{python} -m kernel",  # as Jupyter starts one
        "cd /; PATH={bin}:$PATH; python -c 'import tensorflow'",  # activated
        "{other} -c 'import subprocess, sys; subprocess.run(sys.argv[1:])' {python} -m kernel",
        "{python} spawn.py",
        "{python} fork.py",
    ],
)
def test_however_its_python_is_started(pythons: dict[int, Path], tmp_path: Path, way: str) -> None:
    for method in ("spawn", "fork"):
        (tmp_path / f"{method}.py").write_text(SPAWN.format(method))
    python, other = quote(str(pythons[1])), quote(str(pythons[2]))
    command = way.format(python=python, other=other, bin=quote(str(pythons[1].parent)))
    said = subprocess.check_output(["bash", "-c", command], text=True, cwd=tmp_path)
    assert said == "1 1\n"


def test_it_comes_before_that_of_an_image(pythons: dict[int, Path], tmp_path: Path) -> None:
    cuda(tmp_path, 9)
    path = ":".join(map(str, tmp_path.glob("*/lib")))
    assert said(pythons[0], "import tensorflow", LD_LIBRARY_PATH=path) == "9 9\n"
    assert said(pythons[1], "import tensorflow", LD_LIBRARY_PATH=path) == "1 1\n"


def test_nothing_is_opened_or_exported_before_tensorflow_is(pythons: dict[int, Path]) -> None:
    look = "import os; print('libcu' in open('/proc/self/maps').read(), 'XLA_FLAGS' in os.environ)"
    assert said(pythons[1], look) == "False False\n"


def test_xla_is_led_to_the_compiler_of_the_environment(pythons: dict[int, Path]) -> None:
    look = "import os, tensorflow_cuda as t; t.find_compiler(); print(os.environ.get('XLA_FLAGS'))"
    option = "--xla_gpu_cuda_data_dir="

    def flags(whose: int, **variables: str) -> str:
        return said(pythons[whose], look, **variables).rstrip("\n")

    own = {}
    for whose in (1, 2):
        (nvcc,) = pythons[whose].parents[1].glob("lib/python3*/site-packages/nvidia/cuda_nvcc")
        own[whose] = f"{option}'{nvcc}'"  # the path has spaces
    assert flags(1) == own[1]
    assert flags(1, XLA_FLAGS="--other") == f"--other {own[1]}"
    assert flags(1, XLA_FLAGS=f"{option}/opt/cuda") == f"{option}/opt/cuda"
    # started by the Python of another environment
    assert flags(2, XLA_FLAGS=f"--other {own[1]}") == f"--other {own[2]}"
    assert flags(0, XLA_FLAGS=own[1]) == ""
    assert flags(0) == "None"


def test_programs_that_python_starts_see_nothing_of_it(pythons: dict[int, Path]) -> None:
    look = """
import os, subprocess
before = dict(os.environ)
import tensorflow
print({name for name in os.environ if os.environ[name] != before.get(name)})
print(subprocess.check_output(["cat", "/proc/self/maps"], text=True))
"""
    _, changed, maps = said(pythons[1], look).split("\n", 2)
    assert changed == "{'XLA_FLAGS'}"
    assert "/cat\n" in maps
    assert "nvidia" not in maps


def test_libraries_of_conda_are_found_too(tmp_path: Path) -> None:
    python = environment(tmp_path, 0)
    for name in ("libcublas.so.11", "libcudnn.so.8"):
        library(tmp_path / "lib" / name, 3)
    assert said(python, "import tensorflow") == "3 3\n"


def test_what_cannot_be_opened_is_named_and_keeps_nothing_else_out(tmp_path: Path) -> None:
    python = environment(tmp_path, 1)
    (broken,) = tmp_path.glob("lib/python3*/site-packages/nvidia/cudnn/lib/libcudnn_ops_infer.so.8")
    broken.write_bytes(b"no library")
    problems = said(python, "import tensorflow_cuda as t; print(*t.open_libraries())")
    assert [Path(path).name for path in problems.split()] == [
        "libcudnn_ops_infer.so.8",
        "libcudnn.so.8",
    ]
    assert said(python, "import tensorflow_cuda as t; t.open_libraries(); import ctypes;"
                "print(ctypes.CDLL('libcublas.so.11').whose())") == "1\n"  # fmt: skip


def test_the_doctor_opens_each_and_names_what_is_missing(
    pythons: dict[int, Path], tmp_path: Path
) -> None:
    """What host/doctor runs in the container, in an active environment."""
    names = ["libcublas.so.11", "libcudnn.so.8"]

    def refused(python: Path, *names: str) -> list[str]:
        opens = [python, "-c", doctor.OPEN, *names]
        *missing, last = subprocess.check_output(opens, text=True, env={}).split()
        assert last == "checked"
        return missing

    assert refused(pythons[1], *names) == []
    assert refused(pythons[0], *names) == names
    python = environment(tmp_path, 1)
    (gone,) = tmp_path.glob("lib/python3*/site-packages/nvidia/cudnn/lib/libcudnn.so.8")
    gone.unlink()
    assert refused(python, *names) == ["libcudnn.so.8"]
