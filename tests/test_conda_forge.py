"""Environments whose CUDA is conda-forge's, by a real solver of conda packages: py-rattler.

conda-forge cannot be reached here. The packages are stand-ins with the names, versions, builds,
dependencies and library names of its recipes, which were read: conda-forge/cudatoolkit-feedstock
@ 0f01f6e, cudnn-feedstock @ 675fad8 (7.6.5.32), deb4442 (8.0.5.39), 46d2a82 (8.9.7.29) and
7e883fd (9.13.1.26), tensorflow-feedstock @ 2cc3b12. Not seen: the packages themselves.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import rattler

from extensions import catalogue
from extensions.answers import Answers
from extensions.environments import environments
from tests.support import ROOT

CUDA = ROOT / "template/host/environments/cuda.py"
NEW = CUDA.with_name("new.sh")

SONAME = "lib" + "x" * 60
"""Of the library that all stand-ins are copies of, with another name."""

TOOLKITS = {
    "10.0.130": "cudart.10.0 cublas.10.0 cufft.10.0 curand.10.0 cusolver.10.0 cusparse.10.0",
    "10.1.243": "cudart.10.1 cublas.10 cublasLt.10 cufft.10 curand.10 cusolver.10 cusparse.10",
    "10.2.89": "cudart.10.2 cublas.10 cublasLt.10 cufft.10 curand.10 cusolver.10 cusparse.10",
    "11.0.3": "cudart.11.0 cublas.11 cublasLt.11 cufft.10 curand.10 cusolver.10 cusparse.11",
    "11.8.0": "cudart.11.0 cublas.11 cublasLt.11 cufft.10 curand.10 cusolver.11 cusparse.11",
}
"""Libraries of each cudatoolkit, and the version in their sonames."""

CUDNN = {
    "7.6.5.32": ("9.2", "10.0", "10.1", "10.2"),
    "8.0.5.39": ("10.1", "10.2", "11.0"),
    "8.9.7.29": ("11.8",),
}
"""Builds of each cudnn: one for each of these CUDA versions."""

CUDNN_8 = "cudnn_ops_infer cudnn_ops_train cudnn_cnn_infer cudnn_adv_infer cudnn"
PYTHONS = "3.5.6 3.6.15 3.7.16 3.8.18 3.9.18 3.10.13 3.11.7 3.12.1 3.13.0".split()


@dataclass
class Package:
    name: str
    version: str
    build: str = "0"
    depends: list[str] = field(default_factory=list)
    constrains: list[str] = field(default_factory=list)
    libraries: list[str] = field(default_factory=list)
    """Such as ``libcudnn.so.7``."""

    @property
    def index(self) -> dict[str, Any]:
        return {
            "name": self.name, "version": self.version, "build": self.build, "build_number": 0,
            "depends": self.depends, "constrains": self.constrains, "subdir": "linux-64",
        }  # fmt: skip

    @property
    def file(self) -> str:
        return f"{self.name}-{self.version}-{self.build}.tar.bz2"


def packages() -> list[Package]:
    """Return what the channel has."""
    made = [Package("python", version) for version in PYTHONS]
    made += [Package("pip", "26.3", depends=["python", "setuptools"])]
    made += [Package("setuptools", version, depends=["python"]) for version in ("81.0.0", "84.2.1")]
    for version, names in TOOLKITS.items():
        minor = version.rpartition(".")[0]
        least = minor if minor.startswith("10.") else "11"
        sonames = [f"lib{name.replace('.', '.so.', 1)}" for name in names.split()]
        made.append(Package("cudatoolkit", version, "h_13", [], [f"__cuda >={least}"], sonames))
    for version, builds in CUDNN.items():
        major = version[0]
        names = "cudnn" if major == "7" else CUDNN_8
        sonames = [f"lib{name}.so.{major}" for name in names.split()]
        for number, cuda in enumerate(builds):
            needs = [f"cudatoolkit {cuda}|{cuda}.*"]
            made.append(Package("cudnn", version, f"h{number}_0", needs, [], sonames))
    for python in ("310", "311", "312"):
        needs = [f"python 3.{python[1:]}.*", "__cuda", "cuda-version >=12.8,<13"]
        needs += ["libcudnn >=9.13.1.26,<10.0a0"]
        made.append(Package("tensorflow", "2.19.1", f"cuda128py{python}h0_203", needs))
        made.append(Package("tensorflow", "2.19.1", f"cpu_py{python}h0_3", needs[:1]))
    made += [Package("cuda-version", "12.8"), Package("cuda-version", "13.0")]
    made += [Package("libcudnn", "9.13.1.26", "0", ["cuda-version >=12,<13.0a0"])]
    made += [Package("libcudnn", "9.25.0.15", "0", ["cuda-version >=13,<14.0a0"])]
    return made


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("library") / "library.so"
    command = ["gcc", "-shared", "-fPIC", "-x", "c", "-", f"-Wl,-soname,{SONAME}", "-o", str(path)]
    subprocess.run(command, input="int version;", text=True, check=True)
    return path.read_bytes()


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory, library: bytes) -> rattler.Channel:
    """A channel on this disk with all packages."""
    folder = tmp_path_factory.mktemp("channel")
    listed = {}
    for package in packages():
        path = folder / "linux-64" / package.file
        path.parent.mkdir(exist_ok=True)
        write(path, package, library)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        listed[package.file] = {**package.index, "sha256": digest, "size": path.stat().st_size}
    for subdir, found in (("linux-64", listed), ("noarch", {})):
        (folder / subdir).mkdir(exist_ok=True)
        repodata = {"info": {"subdir": subdir}, "packages": found}
        (folder / subdir / "repodata.json").write_text(json.dumps(repodata))
    return rattler.Channel(folder.as_uri())


def write(path: Path, package: Package, library: bytes) -> None:
    """Write a package: libraries under their full names, and links of their sonames to them."""
    paths: list[dict[str, Any]] = []
    with tarfile.open(path, "w:bz2", compresslevel=1) as archive:

        def add(name: str, content: bytes) -> None:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))

        for soname in package.libraries:
            real = f"lib/{soname.partition('.so.')[0]}.so.{package.version}"
            content = library.replace(SONAME.encode(), soname.encode().ljust(len(SONAME), b"\0"))
            add(real, content)
            link = tarfile.TarInfo(f"lib/{soname}")
            link.type, link.linkname = tarfile.SYMTYPE, Path(real).name
            archive.addfile(link)
            digest = hashlib.sha256(content).hexdigest()
            for name, kind in ((real, "hardlink"), (link.name, "softlink")):
                known = {"sha256": digest, "size_in_bytes": len(content)}
                paths.append({"_path": name, "path_type": kind, **known})
        add("info/index.json", json.dumps(package.index).encode())
        add("info/paths.json", json.dumps({"paths": paths, "paths_version": 1}).encode())
        add("info/files", "\n".join(each["_path"] for each in paths).encode())


def solve(channel: rattler.Channel, specs: Iterable[str]) -> list[rattler.RepoDataRecord]:
    """Solve as conda does with the CUDA of the driver that new.sh tells it."""
    (cuda,) = re.findall(r"CONDA_OVERRIDE_CUDA-([0-9.]+)", NEW.read_text())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONDA_OVERRIDE_CUDA", cuda)
        overrides = rattler.VirtualPackageOverrides.from_env()
        driver = rattler.VirtualPackage.detect(overrides=overrides)
    platforms: list[Any] = ["linux-64", "noarch"]
    asked = [rattler.MatchSpec(spec) for spec in specs]
    solution = rattler.solve([channel], asked, platforms=platforms, virtual_packages=driver)
    return asyncio.run(solution)


RELEASES = catalogue.releases()
ENVIRONMENTS = environments(Answers({"tf_versions": list(RELEASES), "containers": "one"}))


SEEN = {
    "1.15.5": ("10.0.130", "7.6.5.32"),
    "2.3.4": ("10.1.243", "7.6.5.32"),
    "2.4.4": ("11.0.3", "8.0.5.39"),
}
"""cudatoolkit and cudnn that a release gets."""


def test_a_real_solver_finds_what_new_sh_asks_for(channel: rattler.Channel) -> None:
    for specs in {each.conda for each in ENVIRONMENTS}:
        found = {each.name.normalized: each for each in solve(channel, specs)}
        assert specs[0] == f"python={str(found['python'].version).rpartition('.')[0]}"
        bound = "setuptools<82" in specs
        assert str(found["setuptools"].version) == ("81.0.0" if bound else "84.2.1")


@pytest.mark.parametrize(
    ("version", "cudatoolkit", "cudnn"),
    [(version, *pair) for version, pair in SEEN.items()],
)
def test_conda_and_the_loader_give_tensorflow_the_cuda_that_it_was_built_for(
    channel: rattler.Channel, tmp_path: Path, version: str, cudatoolkit: str, cudnn: str
) -> None:
    (environment,) = (each for each in ENVIRONMENTS if each.release == version)
    records = solve(channel, environment.conda)
    found = {each.name.normalized: str(each.version) for each in records}
    assert (found["cudatoolkit"], found["cudnn"]) == (cudatoolkit, cudnn)
    prefix = tmp_path / "envs of 李"
    asyncio.run(rattler.install(records, prefix, cache_dir=tmp_path / "pkgs", show_progress=False))
    site = prefix / f"lib/python{environment.python}/site-packages"
    site.mkdir(parents=True)
    (site / "tensorflow_cuda.py").write_bytes(CUDA.read_bytes())
    opens = """
import ctypes, re, sys
sys.path.insert(0, sys.argv[1])
import tensorflow_cuda
assert tensorflow_cuda.open_libraries() == {}
for name in sys.argv[2:]:
    ctypes.CDLL(name)
"""
    sonames = [name for name in RELEASES[version].libraries if name != "libcuda.so.1"]
    subprocess.run([sys.executable, "-c", opens, site, *sonames], env={}, check=True)


def test_every_cuda_of_conda_is_seen_in_the_test_above() -> None:
    by_conda = {own.name for own in catalogue.own_cudas().values() if own.conda}
    seen = {own.name for own in (RELEASES[v].own_cuda for v in SEEN) if own}
    assert seen == by_conda


def test_conda_forge_s_tensorflow_is_the_one_for_cuda_also_where_no_driver_is_seen(
    channel: rattler.Channel,
) -> None:
    (environment,) = (each for each in ENVIRONMENTS if each.version == "2.19.1-conda")
    found = {each.name.normalized: each for each in solve(channel, environment.conda)}
    assert str(found["tensorflow"].build).startswith("cuda128py312")
    assert str(found["libcudnn"].version) == "9.13.1.26"  # newer ones are for CUDA 13 alone
