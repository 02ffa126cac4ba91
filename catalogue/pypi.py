"""Facts of wheels, read from PyPI by range request: kilobytes of a file of half a gigabyte."""

from __future__ import annotations

import ast
import os
import re
import subprocess
from collections import defaultdict
from dataclasses import dataclass
from email import message_from_bytes
from functools import cached_property
from typing import Any

import requests
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version
from pypi_simple import ACCEPT_JSON_PREFERRED, DistributionPackage, PyPISimple
from remotezip import RemoteZip  # type: ignore[import-untyped]
from requests.adapters import HTTPAdapter

from extensions.gpus import Code

from . import gpu_code


def index_url() -> str:
    """Return the index that pip and uv are told to use by the environment, else PyPI's."""
    for variable in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        if url := os.environ.get(variable):
            return url
    return "https://pypi.org/simple/"


class Meter(HTTPAdapter):
    """Counts the bytes of the bodies that are read."""

    def __init__(self) -> None:
        super().__init__(max_retries=3)
        self.bytes = 0

    def send(self, *arguments: Any, **options: Any) -> requests.Response:
        """Send a request, and count what is read of the answer."""
        response = super().send(*arguments, **options)
        read = response.raw.read

        def counted(*arguments: Any, **options: Any) -> Any:
            data = read(*arguments, **options)
            self.bytes += len(data)
            return data

        response.raw.read = counted  # type: ignore[method-assign]
        return response


@dataclass(frozen=True)
class BuildInfo:
    """What TensorFlow records about its own build; empty where that release did not."""

    cuda: str
    cudnn: str
    code: Code


class Wheel:
    """One wheel on the index."""

    def __init__(self, package: DistributionPackage, session: requests.Session) -> None:
        self._package, self._session = package, session

    @property
    def name(self) -> str:
        """Name of the file."""
        return self._package.filename

    @property
    def python(self) -> str:
        """Python that it is for, such as ``3.11``, from its tag."""
        tag = self.name.split("-")[2]
        return f"{tag[2]}.{tag[3:]}"

    def takes(self, python: str) -> bool:
        """Return whether pip installs it for a Python, such as ``3.11``."""
        return SpecifierSet(self._package.requires_python or "").contains(f"{python}.99")

    @property
    def yanked(self) -> bool:
        """Whether its publisher withdrew it."""
        return self._package.is_yanked

    def _open(self) -> RemoteZip:
        return RemoteZip(self._package.url, session=self._session)

    @cached_property
    def metadata(self) -> Any:
        """The METADATA file, as headers."""
        with self._open() as archive:
            (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
            return message_from_bytes(archive.read(name))

    @property
    def extras(self) -> list[str]:
        """Its extras, such as ``and-cuda``."""
        return self.metadata.get_all("Provides-Extra") or []

    def build_info(self) -> BuildInfo | None:
        """Return what a TensorFlow records of its build, None where it records nothing."""
        with self._open() as archive:
            names = [n for n in archive.namelist() if n.endswith("python/platform/build_info.py")]
            if not names:
                return None
            text = archive.read(names[0]).decode()
        return build_info(text)

    def gpu_code(self, megabytes: int, enough: int = 24) -> Code | None:
        """Return the GPU code of its libraries, None where the first megabytes show none.

        Args:
            megabytes: How much of each compressed library may be read, the smallest first.
            enough: Fat binaries after which a library is not read on.
        """
        with self._open() as archive:
            libraries = [
                item
                for item in sorted(archive.infolist(), key=lambda item: item.compress_size)
                if re.search(r"\.so(\.[0-9]+)*$", item.filename) and item.file_size > 1 << 20
            ]
            for library in libraries:
                last = self._meter.bytes + (megabytes << 20)
                with archive.open(library) as stream:
                    code = gpu_code.scan(_Limited(stream, self._meter, last), enough)
                # without an option nvcc makes code for one default GPU, as in empty stubs
                if len({*code.native, *code.ptx}) > 1:
                    return code
        return None

    @property
    def _meter(self) -> Meter:
        adapter = self._session.get_adapter("https://")
        assert isinstance(adapter, Meter)  # noqa: S101 (made so in Index)
        return adapter


class _Limited:
    """Ends a stream when so many bytes were fetched."""

    def __init__(self, stream: Any, meter: Meter, last: int) -> None:
        self._stream, self._meter, self._last = stream, meter, last

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, none past the limit."""
        return b"" if self._meter.bytes > self._last else self._stream.read(size)


def build_info(text: str) -> BuildInfo | None:
    """Return what a ``build_info.py`` says, None where it names no compute capabilities."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "build_info":
            call = node.value
            literal = call.args[0] if isinstance(call, ast.Call) else call
            facts = dict(ast.literal_eval(literal))
            if "cuda_compute_capabilities" not in facts:
                return None
            return BuildInfo(
                facts["cuda_version"],
                facts["cudnn_version"],
                declared(facts["cuda_compute_capabilities"]),
            )
    return None


def declared(capabilities: list[str]) -> Code:
    """Return the code that a build was asked for: ``compute_80`` is code, and PTX for later."""
    numbers = [int(name.rpartition("_")[2]) for name in capabilities]
    ptx = [int(name.rpartition("_")[2]) for name in capabilities if name.startswith("compute_")]
    return Code(tuple(map(gpu_code.capability, numbers)), tuple(map(gpu_code.capability, ptx)))


class Index:
    """A package index, and how much was read from it."""

    def __init__(self, url: str) -> None:
        self._meter = Meter()
        self._session = requests.Session()
        self._session.mount("https://", self._meter)
        self._session.mount("http://", self._meter)
        self._client = PyPISimple(url, session=self._session, accept=ACCEPT_JSON_PREFERRED)

    @property
    def megabytes(self) -> float:
        """What was read so far, in 10^6 bytes."""
        return self._meter.bytes / 1e6

    def wheels(self, project: str) -> dict[str, list[Wheel]]:
        """Return the wheels of a project for Linux on x86_64, by version."""
        found = defaultdict(list)
        for package in self._client.get_project_page(project).packages:
            for_linux = re.search(r"-manylinux[^-]*x86_64\.whl$", package.filename)
            if package.package_type == "wheel" and for_linux and package.version:
                found[package.version].append(Wheel(package, self._session))
        return dict(found)


def is_final(version: str) -> bool:
    """Return whether a version is one that pip takes unasked."""
    try:
        return not Version(version).is_prerelease
    except InvalidVersion:
        return False


def resolved(requirements: list[str], python: str) -> dict[str, str]:
    """Return project to version of what pip puts into an environment today.

    Raises:
        subprocess.CalledProcessError: nothing fits together.
    """
    command = ["uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate", "-",
               "--python-version", python,
               "--python-platform", "x86_64-manylinux_2_28"]  # fmt: skip
    run = subprocess.run(
        command, input="\n".join(requirements), capture_output=True, text=True, check=True
    )
    pinned = (line.partition("==") for line in run.stdout.splitlines() if "==" in line)
    return {name: version for name, _, version in pinned}
