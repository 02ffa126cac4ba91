"""The reader of facts: GPU code, build information, PyPI, registries, the pages."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import requests
import yaml
from packaging.version import Version

from catalogue import entries, marks, pages
from catalogue.check import READS, Check, Report, code_of
from catalogue.gpu_code import scan
from catalogue.images import compare_images
from catalogue.pypi import BuildInfo, Index, build_info, index_url
from catalogue.registry import Registry, accepted
from extensions import catalogue
from extensions.drivers import Drivers
from extensions.gpus import GENERATIONS, Code
from tests.support import ROOT, git, missing
from tests.test_catalogue import SCHEMA


def fat_binary(*entries: tuple[int, int], size: int = 100) -> bytes:
    """Kind (1 is PTX, 2 a cubin) and architecture of each entry."""
    body = b""
    for kind, architecture in entries:
        code = b"\x00" * size
        head = struct.pack("<HHIQIIHHI", kind, 0x101, 64, len(code), 0, 0x40, 0, 8, architecture)
        body += head.ljust(64, b"\0") + code
    return struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(body)) + body


def test_the_code_of_a_library_is_found_between_other_bytes_and_over_the_edges_of_blocks() -> None:
    chance = struct.pack("<IHHQ", 0xBA55ED50, 1, 77, 12)  # the magic number alone
    library = b"x" * ((1 << 20) - 3) + fat_binary((2, 70), (2, 80), (1, 80))
    library += b"y" * 5000 + chance + fat_binary((2, 90), (1, 120), size=3 << 20) + b"z"
    assert scan(io.BytesIO(library)) == Code(("7.0", "8.0", "9.0"), ("8.0", "12.0"))
    assert scan(io.BytesIO(library), enough=1) == Code(("7.0", "8.0"), ("8.0",))
    assert scan(io.BytesIO(b"no code")) == Code((), ())
    stubs = fat_binary((2, 52), (1, 52)) * 30  # cuSPARSE begins with 34
    assert scan(io.BytesIO(stubs + library)).native == ("5.2", "7.0", "8.0", "9.0")


def test_build_information_is_read_and_compute_means_code_and_ptx() -> None:
    text = (
        "import collections\nbuild_info = collections.OrderedDict([('cuda_version', '11.2'), "
        "('cudnn_version', '8'), ('cuda_compute_capabilities', ['sm_75', 'compute_80'])])\n"
    )
    assert build_info(text) == BuildInfo("11.2", "8", Code(("7.5", "8.0"), ("8.0",)))
    assert build_info("build_info = {'cuda_version': '10.1'}") is None
    assert build_info("is_cuda_build = True") is None


def test_wheels_are_read_from_pypi_by_range_request() -> None:
    index = Index(index_url())
    wheels = index.wheels("nvidia-cudnn-cu12")
    with_pascal, without = (wheels[v][0].gpu_code(10) for v in ("9.10.2.21", "9.11.0.98"))
    assert with_pascal is not None
    assert {"6.0", "6.1", "7.0"} <= set(with_pascal.native)
    assert without is not None
    assert without.native[0] == "7.5"
    assert wheels["9.11.0.98"][0].build_info() is None
    tensorflow = index.wheels("tensorflow")["2.17.0"][0]
    assert tensorflow.extras == ["and-cuda"]
    code = Code(("6.0", "7.0", "8.0", "8.9", "9.0"), ("9.0",))
    assert tensorflow.build_info() == BuildInfo("12.3", "8", code)
    assert index.megabytes < 30  # of three wheels of 600 or more


# --- the check ---------------------------------------------------------------------------------


@dataclass
class FakeWheel:
    """A wheel as its index would have it."""

    python: str
    extras: list[str] = field(default_factory=lambda: ["and-cuda"])
    yanked: bool = False
    info: BuildInfo | None = None

    def takes(self, python: str) -> bool:
        return Version(python) >= Version(self.python)

    def build_info(self) -> BuildInfo | None:
        return self.info

    def gpu_code(self, megabytes: int, enough: int = 0) -> Code | None:  # noqa: ARG002
        return self.info.code if self.info else None


CODE_2_14 = Code(("3.5", "5.0", "6.0", "7.0", "7.5", "8.0"), ("8.0",))
INFO_2_14 = BuildInfo("11.8", "8", CODE_2_14)


def checked(wheels: dict[str, list[FakeWheel]], versions: list[str]) -> Check:
    check = Check(Index("https://pypi.invalid/simple/"), lambda _: None)
    check._wheels = {"tensorflow": wheels, "tensorflow-gpu": {}}  # type: ignore[dict-item]
    check.releases(versions)
    return check


def marked(value: Any, name: str = "") -> Iterator[tuple[str, set[str]]]:
    """Yield name and facts of each record of the catalogue that is marked as read."""
    if isinstance(value, dict):
        if "read" in value:
            yield name, set(value) - {"read"}
        for key, inner in value.items():
            yield from marked(inner, name if name == "gpus" else key)


def test_the_marks_of_the_catalogue_are_the_facts_that_a_run_reads() -> None:
    records = list(marked(catalogue.load()))
    assert {name for name, _ in records} == set(READS)
    assert all(facts >= set(READS[name]) for name, facts in records)
    wheels = [r for r in catalogue.releases().values() if r.requirement]
    codes = [g for g in catalogue.load()["gpus"].values() if "native" in g]
    assert len(records) == len(wheels) + len(codes)
    by_program, from_texts = marks.count()
    assert by_program == sum(len(READS[name]) for name, _ in records)
    assert from_texts > 0


def test_a_run_reads_every_fact_that_is_marked() -> None:
    nothing = Code(("1.0",), ("1.0",))
    wheels = {"2.14.0": [FakeWheel("3.99", info=BuildInfo("11.8", "8", nothing))]}
    differing = {d.fact for d in checked(wheels, ["2.14.0"]).report.differences}
    assert differing == {"Python", "GPU code by its build information"}  # python; native and ptx
    absent = checked({}, ["2.14.0"]).report.differences
    assert [difference.fact for difference in absent] == ["whether PyPI has it"]  # requirement


def test_a_release_that_agrees_is_silent_and_each_fact_that_does_not_is_named() -> None:
    sound = [FakeWheel(python, info=INFO_2_14) for python in ("3.9", "3.10", "3.11")]
    assert checked({"2.14.0": sound}, ["2.14.0"]).report.differences == []

    wrong = BuildInfo("12.2", "9", replace(CODE_2_14, ptx=("9.0",)))
    report = checked({"2.14.0": [FakeWheel("3.9", info=wrong)]}, ["2.14.0"]).report
    assert list(map(str, report.differences)) == [
        "2.14.0: Python is 3.9, and the catalogue has 3.9 3.10 3.11",
        "2.14.0: GPU code by its build information is code 3.5 5.0 6.0 7.0 7.5 8.0 and PTX 9.0, "
        "and the catalogue has code 3.5 5.0 6.0 7.0 7.5 8.0 and PTX 8.0",
        "2.14.0: CUDA is 12.2, and the catalogue has 11.8",
        "2.14.0: cuDNN is 9, and the catalogue has 8",
    ]
    assert "whether PyPI has it" in str(checked({}, ["2.14.0"]).report.differences[0])


def test_a_release_that_brings_cuda_is_read_with_its_extra_libraries_and_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolved: list[Any] = []

    def resolve(*asked: Any) -> dict[str, str]:
        resolved.append(asked)
        return {}

    monkeypatch.setattr("catalogue.check.resolved", resolve)
    release = catalogue.releases()["2.17.0"]
    code = code_of(release)
    assert code
    sound = [FakeWheel(p, info=BuildInfo("12.9", "", code)) for p in release.pythons]  # CUDA 12.x
    assert checked({"2.17.0": sound}, ["2.17.0"]).report.differences == []
    assert resolved == [([release.requirement, *release.constraints], release.environment_python)]

    other = replace(sound[0], extras=[], info=BuildInfo("13.0", "", CODE_2_14))
    differing = checked({"2.17.0": [other, *sound[1:]]}, ["2.17.0"]).report.differences
    assert [difference.fact for difference in differing] == [
        "extra and-cuda",
        "GPU code by its build information",
        "CUDA",
        "GPU code in its libraries",
    ]


def test_a_debugpy_that_takes_no_python_of_before_is_named() -> None:
    newest = {"1.5.1": "3.5", "1.7.0": "3.7", "1.8.21": "3.8", "1.8.22": "3.10"}

    def differences() -> list[str]:
        check = Check(Index("https://pypi.invalid/simple/"), lambda _: None)
        wheels = {version: [FakeWheel(python)] for version, python in newest.items()}
        check._wheels = {"debugpy": wheels}  # type: ignore[dict-item]
        check.debuggers()
        return list(map(str, check.report.differences))

    assert differences() == []
    newest["1.9.0"] = "3.11"
    assert differences() == [
        "debugpy for Python 3.10: newest version is 1.8.22, and the catalogue has 1.9.0"
    ]


def test_a_gpu_without_code_in_a_wheel_of_the_environment_is_named() -> None:
    check = checked({}, [])
    check._codes["nvidia-cudnn-cu12", "9.28.0.42"] = Code(("7.5", "8.0", "9.0"), ("12.0",))
    check._covers(catalogue.releases()["2.21.0"], "nvidia-cudnn-cu12", "9.28.0.42")
    (difference,) = check.report.differences
    assert str(difference) == (
        "2.21.0 with nvidia-cudnn-cu12 9.28.0.42: GPU generations is turing ampere ada hopper, "
        "and the catalogue has pascal volta turing ampere ada hopper"
    )


def test_a_new_release_gets_an_entry_that_the_catalogue_takes() -> None:
    code = Code(("6.0", "7.0", "8.0", "8.9", "9.0"), ("9.0",))
    wheels = [FakeWheel(p, info=BuildInfo("12.5.1", "9", code)) for p in ("3.12", "3.13", "3.14")]
    older = BuildInfo("11.2", "8", Code(("5.0", "6.0", "7.0", "8.0", "9.0"), ("9.0",)))
    other = BuildInfo("13.0", "9", Code(("12.0",), ("12.0",)))
    new = {
        "2.99.0": wheels,
        "2.14.2": [FakeWheel("3.11", [], info=older)],
        "2.99.9": [FakeWheel("3.14", info=other)],
    }
    rejected = {"2.99.1rc0": wheels, "1.12.3": wheels, "2.99.2": [FakeWheel("3.12", yanked=True)]}
    check = checked({**new, **rejected}, [])
    assert check.missing() == ["2.14.2", "2.99.0", "2.99.9"]

    proposed = {version: entries.proposal(version, check) for version in check.missing()}
    facts = yaml.safe_load(entries.written(entries.FILE.read_text(), proposed))
    jsonschema.validate(facts, SCHEMA)
    versions = [version for version in facts["releases"] if "-" not in version]
    assert versions[-2:] == ["2.99.0", "2.99.9"]
    assert versions[versions.index("2.14.1") + 1] == "2.14.2"
    newest = [version for version in catalogue.releases() if "-" not in version][-1]
    assert facts["releases"]["2.99.0"] == {
        "toolkit": "cuda12.3-jammy",
        "wheel": {
            "requirement": "tensorflow[and-cuda]==2.99.0",
            "python": ["3.12", "3.13", "3.14"],
            "needs": facts["releases"][newest]["wheel"]["needs"],
            "read": date.today().isoformat(),
        },
        "gpus": "cuda12-2.17",
        "sources": ["pypi", "wheel_code"],
        "doubts": f"whether it has a working image; toolkit and bounds are those of {newest}",
    }
    between, beyond = (facts["releases"][version] for version in ("2.14.2", "2.99.9"))
    assert between["toolkit"] == facts["releases"]["2.14.1"]["toolkit"]
    assert between["wheel"]["requirement"] == "tensorflow==2.14.2"
    assert between["gpus"] == "cuda12-2.16"  # by its code, whatever its neighbour has
    assert beyond["gpus"] == facts["releases"][newest]["gpus"]
    assert beyond["doubts"].endswith(f"; toolkit, bounds and GPUs are those of {newest}")


# --- images ------------------------------------------------------------------------------------

REQUIRE = (
    "cuda>=12.3 brand=tesla,driver>=470,driver<471 brand=tesla,driver>=525,driver<526 "
    "brand=geforce,driver>=525,driver<526 driver>=535,driver<536"
)


def test_the_driver_branches_of_an_image_are_those_for_any_brand_and_those_for_tesla() -> None:
    assert accepted(REQUIRE) == Drivers("12.3", ("525", "535"), ("470",))


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real registry, without images."""
    program = shutil.which("docker-registry") or shutil.which("registry")
    if program is None:
        missing("there is no docker-registry; run: apt-get install docker-registry")
    folder = tmp_path_factory.mktemp("registry")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "config.yml"
    config.write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {folder}}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n"
    )
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([program, "serve", config], stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            for _ in range(100):
                try:
                    requests.get(f"{url}/v2/", timeout=5)
                    break
                except requests.ConnectionError:
                    time.sleep(0.1)
            yield url
        finally:
            process.terminate()
            process.wait()


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def push(url: str, repository: str, tag: str, config: dict[str, Any]) -> str:
    """Push an image of one empty layer through the API; return the digest of its index."""

    def blob(content: bytes) -> dict[str, Any]:
        begun = requests.post(f"{url}/v2/{repository}/blobs/uploads/", timeout=10)
        done = requests.put(
            begun.headers["Location"], params={"digest": digest(content)}, data=content, timeout=10
        )
        assert done.status_code == 201, done.text
        return {"digest": digest(content), "size": len(content)}

    def manifest(kind: str, reference: str, content: dict[str, Any]) -> bytes:
        media = f"application/vnd.oci.image.{kind}.v1+json"
        body = json.dumps({"schemaVersion": 2, "mediaType": media, **content}).encode()
        done = requests.put(
            f"{url}/v2/{repository}/manifests/{reference}",
            data=body, headers={"Content-Type": media}, timeout=10,
        )  # fmt: skip
        assert done.status_code == 201, done.text
        return body

    layer = {"mediaType": "application/vnd.oci.image.layer.v1.tar", **blob(b"\0" * 10240)}
    head = {"mediaType": "application/vnd.oci.image.config.v1+json"}
    image = {
        "config": {**head, **blob(json.dumps(config).encode())},
        "layers": [layer],
    }
    body = manifest("manifest", "sha256:" + hashlib.sha256(json.dumps(
        {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", **image}
    ).encode()).hexdigest(), image)  # fmt: skip
    listed = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": digest(body),
        "size": len(body),
        "platform": {"os": "linux", "architecture": "amd64"},
    }
    return digest(manifest("index", tag, {"manifests": [listed]}))


def configuration(**environment: str) -> dict[str, Any]:
    settings = {
        "CUDA_VERSION": "12.3.0", "NVIDIA_REQUIRE_CUDA": REQUIRE,
        "CUDNN": "8.9.6.50-1+cuda12.2", **environment,
    }  # fmt: skip
    return {
        "os": "linux",
        "architecture": "amd64",
        "rootfs": {"type": "layers", "diff_ids": [digest(b"\0" * 10240)]},
        "config": {
            "Env": [f"{name}={value}" for name, value in settings.items()],
            "Labels": {"org.opencontainers.image.version": "22.04"},
        },
        "history": [
            {"created_by": "RUN apt-get install -y libcudnn8=${CUDNN} cuda-cudart-12-3=12.3.52-1"},
            {"created_by": "CMD bash", "empty_layer": True},
        ],
    }


def test_an_image_is_read_from_a_registry_without_its_layers(registry: str) -> None:
    pushed = push(registry, "read/tensorflow", "2.17.0-gpu", configuration())
    read = Registry(registry)
    image = read.image("read/tensorflow", "2.17.0-gpu")
    assert (image.digest, image.size) == (pushed, 10240)
    assert (image.cuda, image.ubuntu) == ("12.3.0", "22.04")
    assert image.packages == {
        "libcudnn8": "8.9.6.50-1+cuda12.2", "cuda-cudart-12-3": "12.3.52-1"
    }  # fmt: skip
    index = {"Accept": "application/vnd.oci.image.index.v1+json"}
    listed = requests.get(f"{registry}/v2/read/tensorflow/manifests/2.17.0-gpu", headers=index)
    alone = listed.json()["manifests"][0]["digest"]  # as images were before there were indexes
    assert read.image("read/tensorflow", alone) == replace(image, digest=alone)
    assert read.tags("read/tensorflow") == ["2.17.0-gpu"]
    assert read.bytes < 10240
    with pytest.raises(requests.HTTPError, match="404"):
        read.image("read/tensorflow", "1.15.5-gpu")


def test_images_that_differ_are_named_and_those_that_agree_are_not(registry: str) -> None:
    push(registry, "tensorflow/tensorflow", "2.17.0-gpu", configuration())
    push(registry, "tensorflow/tensorflow", "2.16.2-gpu", configuration(CUDA_VERSION="12.5.1"))
    push(registry, "tensorflow/tensorflow", "2.17.1-gpu", configuration())
    report = Report()
    compare_images(Registry(registry), report)
    said = list(map(str, report.differences))
    assert not [line for line in said if line.startswith("2.17.0:")]
    assert "2.16.2: CUDA of its image is 12.5, and the catalogue has 12.3" in said
    assert "2.17.1: whether it has an image is True, and the catalogue has False" in said
    assert "2.15.0.post1: its image is absent, and the catalogue has 2.15.0.post1-gpu" in said


# --- pages -------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [pages.ENGLISH, pages.CHINESE], ids=["en", "zh"])
def test_the_pages_have_what_the_catalogue_has(words: pages.Words) -> None:
    assert Path(words.path).read_text() == pages.page(words), (
        "run: uv run python -m catalogue pages"
    )


def test_every_release_and_generation_has_a_row() -> None:
    page = pages.page(pages.ENGLISH)
    for version in catalogue.releases():
        assert f"\n| {version} | " in page
    for generation in GENERATIONS:
        assert f"\n| {generation} (" in page


# --- the weekly script -------------------------------------------------------------------------


@pytest.fixture
def weekly(tmp_path: Path, default_gitconfig: object) -> Path:  # noqa: ARG001 (git needs an author)
    """A clone with the script, where uv and gh only record what they are asked."""
    git(tmp_path, "init", "--quiet", "--bare", "origin")
    git(tmp_path, "clone", "--quiet", "origin", "clone")
    clone = tmp_path / "clone"
    (clone / ".ci").mkdir()
    shutil.copy2(ROOT / ".ci/catalogue", clone / ".ci/catalogue")
    (clone / "catalogue.yaml").write_text("releases\n")
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "--message", "State")
    for name, script in {
        "uv": 'echo "2.99.0: PyPI has it"; [[ $* != *check* ]] || '
        '{ [[ $NEW != yes ]] || echo 2.99.0 >>catalogue.yaml; exit "$STATUS"; }',
        "gh": 'echo "$*" >>../asked',
    }.items():
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/bash\n{script}\n")
        program.chmod(0o755)
    return clone


@pytest.mark.parametrize(
    ("status", "new", "ends", "asked"),
    [
        (0, "no", 0, []),
        (1, "yes", 0, ["pr list", "pr create"]),
        (1, "no", 1, []),
        (2, "no", 2, []),
    ],
    ids=["nothing differs", "a new release", "a difference for a person", "an error"],
)
def test_the_weekly_script_opens_a_pull_request_for_a_new_release_alone(
    weekly: Path, status: int, new: str, ends: int, asked: list[str]
) -> None:
    bin_first = f"{weekly.parent}/bin:{os.environ['PATH']}"
    done = subprocess.run(
        [weekly / ".ci/catalogue"], capture_output=True, text=True,
        env={**os.environ, "PATH": bin_first, "STATUS": str(status), "NEW": new},
    )  # fmt: skip
    assert done.returncode == ends, done.stderr
    assert "2.99.0: PyPI has it" in done.stdout
    recorded = weekly.parent / "asked"
    lines = recorded.read_text().splitlines() if recorded.exists() else []
    assert [" ".join(line.split()[:2]) for line in lines] == asked
    pushed = git(weekly.parent / "origin", "branch", "--list", "catalogue-update")
    assert bool(pushed) == bool(asked)
