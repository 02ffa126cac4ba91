"""Releases of five years in one container on Ubuntu's own image, each with its own CUDA.

Everything is from PyPI, as new.sh installs it: TensorFlow, and NVIDIA's libraries. Stand-ins are
conda, which only brings an environment its Python, and the driver: there is no GPU. About 20 GB
are downloaded and 25 GB of disk are used, one release after the other.
"""

from __future__ import annotations

import json
import re
import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

import pytest

from extensions import catalogue
from tests.e2e.conftest import WITHOUT_CUDA
from tests.e2e.support import Directory, Laptop, Person, output
from tests.support import ROOT, missing

pytestmark = pytest.mark.full

VERSIONS = "2.5.3 2.11.1 2.13.1 2.14.1 2.17.1 2.18.1 2.9.3 2.15.1 2.21.0".split()
KEPT = VERSIONS[-3:]
"""With CUDA 11, and with CUDA 12 and cuDNN 8 and 9: they are used at the same moment too."""

RELEASES = catalogue.releases()
SERVICE = "tensorflow"
GIGABYTES = 25
DRIVER = {"libcuda.so.1", "libnvidia-ml.so.1"}
"""Libraries of the driver, of which there are stand-ins."""

TRAIN = """
import sys
import tensorflow as tf
x = tf.random.normal((256, 4))
model = tf.keras.Sequential([tf.keras.layers.Dense(8, activation="relu"), tf.keras.layers.Dense(1)])
model.compile("adam", "mse")
loss = model.fit(x, tf.reduce_sum(x, 1), epochs=5, verbose=0).history["loss"]
assert loss[-1] < loss[0], loss
compiled = tf.function(lambda x: x + 1, jit_compile=True)  # by XLA, which reads its flags
assert int(compiled(tf.constant(1))) == 2
print(tf.__version__, sys.version.split()[0])
"""

OPEN = """
import ctypes, json, re, sys
import tensorflow
for name in sys.argv[1:]:
    ctypes.CDLL(name)
with open("/proc/self/maps") as maps:
    print(json.dumps(re.findall(r"(?m) (/.*\\.so[.0-9]*)$", maps.read())))
"""

LIST = """
import tensorflow as tf
print(len(tf.config.list_physical_devices("GPU")))
"""

KERNEL = """
import sys
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name=sys.argv[1], startup_timeout=120)
client.execute_interactive(sys.argv[2], timeout=120)
manager.shutdown_kernel()
"""


def python(version: str, folder: Path) -> None:
    """Copy a Python of this machine so that it can be moved, as conda's can."""
    managed = Path(output("uv", "python", "dir").strip())
    places = [Path.home() / ".pyenv/versions", managed]
    found = [path for place in places for path in place.glob(f"*{version}.*") if path.is_dir()]
    if not found:
        missing(f"there is no Python {version}: run uv python install {version}")
    leave_out = shutil.ignore_patterns("site-packages", "test", "__pycache__")
    shutil.copytree(found[0], folder, symlinks=True, ignore=leave_out)
    program = folder / f"bin/python{version}"
    content = program.read_bytes()
    absolute = f"{found[0]}/lib".encode()
    program.write_bytes(content.replace(absolute, b"$ORIGIN/../lib".ljust(len(absolute), b"\0")))
    for part in found[0].glob(f"lib/python{version}/site-packages/pip*"):
        shutil.copytree(part, folder / part.relative_to(found[0]))


@pytest.fixture(scope="module")
def newcomer(arrive: Callable[[], Person]) -> Person:
    person = arrive()
    if shutil.disk_usage(person.folder).free < GIGABYTES * 10**9:
        missing(f"less than {GIGABYTES} GB are free in {person.folder}")
    for version in {RELEASES[version].environment_python for version in VERSIONS}:
        python(version, person.conda / "pythons" / version)
    trusted = ssl.create_default_context().get_ca_certs(binary_form=True)
    certificates = "".join(ssl.DER_cert_to_PEM_cert(certificate) for certificate in trusted)
    (person.projects / "trusted.pem").write_text(certificates)
    person.owns(person.home)
    return person


@pytest.fixture(scope="module")
def one(
    newcomer: Person,
    directory: Callable[..., Directory],
    stand_in: Callable[..., None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Directory:
    """The one container, which has a driver."""
    stand_in(WITHOUT_CUDA)
    made = directory(
        **newcomer.answers(
            host="e2e-one", tf_versions=VERSIONS, containers="one", port_offset=21, packages=[]
        )
    )
    made.up()
    for name in DRIVER:
        library = tmp_path_factory.mktemp("driver") / name
        output("gcc", "-shared", "-fPIC", "-w", "-o", library, ROOT / "tests/e2e/driver.c")
        output("docker", "cp", library, f"{made.image(SERVICE)}:/usr/lib/x86_64-linux-gnu")
    return made


@pytest.fixture(scope="module")
def here(newcomer: Person, one: Directory) -> Laptop:
    return Laptop(newcomer, one)


def prefix(person: Person, version: str) -> Path:
    return person.conda / "envs" / RELEASES[version].own_environment


def run(laptop: Laptop, version: str, program: str, *arguments: str, **variables: str) -> Any:
    """Run a program under the alias of a release; return what the ssh command did."""
    words = ["env", *(f"{name}={value}" for name, value in variables.items())]
    command = " ".join(map(quote, [*words, "python", "-c", program, *arguments]))
    done = laptop.ssh(f"tf{version}", command, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def sonames(version: str) -> list[str]:
    return [name for name in RELEASES[version].libraries if name not in DRIVER]


def opened(laptop: Laptop, version: str) -> set[str]:
    """Let TensorFlow and then the loader open what is of CUDA; return where that lies."""
    done = run(laptop, version, OPEN, *sonames(version))
    return checked(prefix(laptop.person, version), version, done.stdout)


def checked(environment: Path, version: str, said: str) -> set[str]:
    """Return where the libraries of CUDA lie, all of them in the environment of the release."""
    paths = set(json.loads(said.splitlines()[-1]))
    for soname in sonames(version):
        (path,) = (path for path in paths if Path(path).name == soname)
        assert path.startswith(f"{environment}/lib/"), path
    return {path for path in paths if "/nvidia/" in path}


@dataclass(frozen=True)
class Devices:
    """What TensorFlow finds, where it has a driver."""

    gpus: int
    opened: set[str]
    """Libraries that it opened by their names."""
    missed: set[str]
    """Libraries that it looked for and could not open."""


def devices(laptop: Laptop, version: str) -> Devices:
    """Let TensorFlow look for GPUs.

    TensorRT is no part of it, and optional: none of the environments has libnvinfer.
    """
    done = run(laptop, version, LIST, TF_CPP_MAX_VLOG_LEVEL="1")
    opened = set(re.findall(r"Successfully opened dynamic library (\S+)", done.stderr))
    missed = set(re.findall(r"Could not load dynamic library '(.*?)'", done.stderr))
    missed = {name for name in missed if not name.startswith("libnvinfer")}
    return Devices(int(done.stdout), opened, missed)


@pytest.fixture(scope="module")
def make(newcomer: Person, here: Laptop) -> Callable[[str], None]:
    """Let new.sh make the environment of a release, unless it is there."""

    def make(version: str) -> None:
        if prefix(newcomer, version).exists():
            return
        name = RELEASES[version].own_environment.removeprefix("tf")
        command = f"PIP_CERT=/AI/trusted.pem /environments/new.sh {name}"
        done = here.ssh(f"tf{version}", command, timeout=900)
        assert done.returncode == 0, done.stdout + done.stderr

    return make


@pytest.fixture(params=VERSIONS)
def version(
    request: pytest.FixtureRequest, newcomer: Person, make: Callable[[str], None]
) -> Iterator[str]:
    """A release whose environment is there, and afterwards no more, unless it is used again."""
    make(request.param)
    yield request.param
    if request.param not in KEPT:
        shutil.rmtree(prefix(newcomer, request.param))


def test_a_release_trains_and_opens_its_own_cuda(here: Laptop, version: str) -> None:
    trained = run(here, version, TRAIN, CUDA_VISIBLE_DEVICES="-1").stdout.split()
    release = RELEASES[version]
    assert trained[0] == version
    assert trained[1].startswith(f"{release.environment_python}.")
    assert opened(here, version)
    found = devices(here, version)
    assert found.missed == set()
    assert {"libcudnn.so.8", "libcudnn.so.9"} & found.opened
    assert found.opened - DRIVER <= set(release.libraries)
    assert found.gpus == 1


@pytest.mark.parametrize("version", [KEPT[0], KEPT[-1]])  # 2.15.1 finds its own by itself
def test_without_what_new_sh_adds_tensorflow_sees_no_gpu(
    here: Laptop, newcomer: Person, make: Callable[[str], None], version: str
) -> None:
    make(version)
    (adds,) = prefix(newcomer, version).glob("lib/python3*/site-packages/tensorflow_cuda.pth")
    aside = adds.rename(adds.with_suffix(".aside"))
    try:
        found = devices(here, version)
    finally:
        aside.rename(adds)
    assert found.missed
    assert found.gpus == 0


def test_three_at_once_each_see_their_own(here: Laptop, make: Callable[[str], None]) -> None:
    for version in KEPT:
        make(version)
    with ThreadPoolExecutor() as shells:
        found = list(shells.map(lambda version: opened(here, version), KEPT))
    assert all(found)
    # and one after the other in one shell, where nothing of the first is left in the second
    lines = ["env | sort"]
    for version in KEPT:
        name = RELEASES[version].own_environment
        lines.append(f"conda activate {name}; python -c 'import tensorflow; print(1)'")
        lines.append("echo ${LD_LIBRARY_PATH-none}; conda deactivate; env | sort")
    shell = here.ssh(SERVICE, "; ".join(lines), timeout=300).stdout
    before, *after = shell.split("1\nnone\n")
    assert after == [before] * len(KEPT)


@pytest.mark.parametrize("version", KEPT)
def test_the_host_itself_needs_no_container(
    newcomer: Person, make: Callable[[str], None], version: str
) -> None:
    make(version)
    program = prefix(newcomer, version) / "bin/python"
    said = output(program, "-I", "-c", OPEN, *sonames(version), env={})
    assert checked(prefix(newcomer, version), version, said)


def test_a_jupyter_of_one_has_kernels_of_all(
    here: Laptop, newcomer: Person, make: Callable[[str], None]
) -> None:
    for version in KEPT:
        make(version)
        (protection,) = prefix(newcomer, version).glob("lib/python3*/EXTERNALLY-MANAGED")
        protection.unlink()  # as in a copy for a project
        for command in (
            "PIP_CERT=/AI/trusted.pem python -m pip install --quiet ipykernel",
            f"python -m ipykernel install --user --name {version}",
        ):
            done = here.ssh(f"tf{version}", command, timeout=300)
            assert done.returncode == 0, done.stderr
    for version in KEPT:
        done = run(here, KEPT[0], KERNEL, version, OPEN.replace("sys.argv[1:]", "[]"))
        paths = json.loads(done.stdout.splitlines()[-1])
        assert {str(prefix(newcomer, version))} == {
            path.partition("/lib/")[0] for path in paths if "/nvidia/" in path
        }


def test_the_doctor_opens_them_in_the_container_and_names_what_is_missing(
    one: Directory, newcomer: Person, make: Callable[[str], None]
) -> None:
    for version in KEPT:
        make(version)

    def environments() -> dict[str, Any]:
        done = subprocess.run(
            [one.path / "host/doctor", "--json"], capture_output=True, text=True, check=False
        )
        checks = json.loads(done.stdout)["checks"]
        (found,) = (each for each in checks if each["check"] == "environments")
        return dict(found)

    names = [RELEASES[version].own_environment for version in KEPT]
    assert environments() == {
        "check": "environments",
        "subject": SERVICE,
        "status": "ok",
        "message": "every library that TensorFlow opens for a GPU can be loaded in "
        + ", ".join(names),
        "fix": "",
    }
    (library,) = prefix(newcomer, KEPT[0]).glob("lib/**/libcusolver.so.11")
    aside = library.rename(library.with_suffix(".aside"))
    try:
        found = environments()
    finally:
        aside.rename(library)
    assert found["status"] == "fail"
    missing = f"{names[0]} cannot load libcusolver.so.11, so TensorFlow runs on the CPU there"
    assert found["message"] == missing
