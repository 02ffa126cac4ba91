"""A folder carries a host to an engine that has nothing and reaches nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from tests.e2e.conftest import RELEASES, official
from tests.e2e.support import Directory, Person, output, run, same_host_in

VERSION = RELEASES["jammy"]
SERVICE = f"tf{VERSION}"

# What setup.sh fetches is proven by its own tests.
FETCHED = """#!/bin/bash
mkdir -p "$2/packages-ubuntu-24.04" && echo deb >"$2/packages-ubuntu-24.04/docker-ce_99_amd64.deb"
"""


@pytest.fixture(scope="module")
def other_engine(
    engine: None,  # noqa: ARG001
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, str]]:
    """A second Docker engine with an empty disk and no network, as the environment of its clients.

    A network namespace of its own keeps it from the bridges and rules of the first.
    """
    folder = tmp_path_factory.mktemp("engine")
    socket = f"unix://{folder}/docker.sock"
    options = {"host": socket, "data-root": folder / "data", "exec-root": folder / "exec",
               "pidfile": folder / "pid"}  # fmt: skip
    start = "ip link set lo up; exec dockerd " + " ".join(f"--{k}={v}" for k, v in options.items())
    command = ["unshare", "--net", "sh", "-c", start]
    with (folder / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as it:
        environment = {**os.environ, "DOCKER_HOST": socket}
        for _ in range(300):
            if run("docker", "version", env=environment).returncode == 0:
                break
            time.sleep(0.1)
        yield environment
        it.terminate()
    shutil.rmtree(folder / "data")


@pytest.fixture(scope="module")
def made(
    arrive: Callable[[], Person],
    directory: Callable[..., Directory],
    stand_in: Callable[..., None],
) -> Directory:
    stand_in(official(VERSION, newer_candidates=False))
    answers = arrive().answers(host="e2e-bundle", tf_versions=[VERSION], packages=[], ssh=False)
    made = directory(**answers)
    (made.path / "host/setup.sh").write_text(FETCHED)
    return made


def test_what_save_wrote_starts_on_an_engine_that_has_nothing(
    made: Directory, other_engine: dict[str, str], tmp_path: Path
) -> None:
    output(made.path / "host/bundle.sh", "save", tmp_path / "bundle")
    assert output("docker", "image", "ls", "--quiet", env=other_engine) == ""
    loaded = run(made.path / "host/bundle.sh", "load", tmp_path / "bundle", env=other_engine)
    assert loaded.returncode == 0, loaded.stderr
    assert loaded.stdout.endswith("bundle.sh: now run: docker compose up -d --wait\n")
    compose = ["docker", "compose", "--project-directory", str(made.path)]
    started = run(*compose, "up", "-d", "--wait", env=other_engine)
    try:
        assert started.returncode == 0, started.stderr
        user = output(*compose, "exec", "-T", SERVICE, "id", "-un", env=other_engine)
        assert user == "ai\n"
    finally:
        run(*compose, "down", "--timeout=1", env=other_engine)


def load(made: Directory, folder: Path, **options: dict[str, str]) -> str:
    done = run(made.path / "host/bundle.sh", "load", folder, **options)
    assert done.returncode == 1
    return done.stderr.splitlines()[-1]


def test_a_damaged_folder_is_refused(made: Directory, tmp_path: Path) -> None:
    (tmp_path / "images.tar").write_text("half")
    (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  ./images.tar\n")
    assert (
        load(made, tmp_path)
        == f"bundle.sh: {tmp_path} is damaged; the files are named above; copy it again"
    )


def test_an_unfinished_folder_is_refused(made: Directory, tmp_path: Path) -> None:
    sentence = f"{tmp_path} is not a folder that host/bundle.sh save has completed; copy it again"
    assert load(made, tmp_path) == f"bundle.sh: {sentence}"


def test_an_engine_that_does_not_answer_is_reported(made: Directory, tmp_path: Path) -> None:
    (tmp_path / "images.tar").write_text("")
    (tmp_path / "SHA256SUMS").write_text(output("sha256sum", "images.tar", cwd=tmp_path))
    nobody = {**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/none"}
    said = load(made, tmp_path, env=nobody)
    assert said == "bundle.sh: Docker did not load the images; run: host/doctor"


@pytest.mark.parametrize(
    ("compose", "sentence"),
    [
        ("services: {broken: {build: {context: ., dockerfile: none}}}",
         "the images could not be built; the messages are above"),
        ("services: {other: {image: e2e.invalid/other}}",
         "docker could not save e2e-bundle-{service} e2e.invalid/other; pull the images of "
         "your own services, and free space in {folder}"),
    ],
)  # fmt: skip
def test_what_cannot_be_saved_is_reported(
    made: Directory, tmp_path: Path, compose: str, sentence: str
) -> None:
    override = made.path / "docker-compose.override.yml"
    override.write_text(compose)
    done = run(made.path / "host/bundle.sh", "save", tmp_path)
    override.unlink()
    last = done.stderr.splitlines()[-1]
    said = sentence.format(service=SERVICE, folder=tmp_path)
    assert (done.returncode, last) == (1, f"bundle.sh: {said}")


@pytest.mark.parametrize(("arguments", "status"), [("--help", 0), ("save", 2), ("lod x", 2)])
def test_it_prints_how_it_is_called(made: Directory, arguments: str, status: int) -> None:
    done = run(made.path / "host/bundle.sh", *arguments.split())
    assert (done.returncode, "Exits with 0" in done.stdout + done.stderr) == (status, True)


@pytest.mark.parametrize("command", ["save", "load"])
def test_the_images_of_another_directory_are_not_replaced(
    made: Directory, tmp_path: Path, command: str
) -> None:
    (tmp_path / "SHA256SUMS").write_text(f"{sha256().hexdigest()}  images.tar\n")
    (tmp_path / "images.tar").touch()
    with same_host_in("/usr", "e2e-bundle"):
        refused = run(made.path / "host/bundle.sh", command, tmp_path)
    assert refused.returncode == 1
    assert "another directory may have images of the same names: fail" in refused.stderr
    assert "/usr: has e2e-bundle-elsewhere under the same name" in refused.stderr
