"""The engine, the stand-in base images and the host that the end-to-end tests share."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytest_copier.plugin import CopierProject

from extensions import catalogue
from tests.e2e.bases import NVIDIA_ENTRYPOINT, Base, build
from tests.e2e.support import REGISTRY, Directory, Laptop, Person, run
from tests.support import missing

RELEASES = {
    "bionic": "1.15.5",
    "focal": "2.11.0",
    "jammy": "2.17.0",
    "noble": "2.17.0-nv25.02",
}
"""One release on each Ubuntu."""

WITHOUT_IMAGE = "2.17.1"
"""A release that is there as an environment, in a container on jammy."""

GROUP = 4400
"""GID of a group that owns data on the server: nobody's in any image."""

UNLISTED = {"cuda-cudart-12-8": "12.8.57-1", "libcudnn9-cuda-12": "9.7.1.26-1"}
"""CUDA packages of the noble base, whose list in the catalogue is empty."""


def official(version: str, **changes: Any) -> Base:
    """The stand-in for the image of a release."""
    release = catalogue.releases()[version]
    base = Base(
        tag=release.image,
        codename=release.toolkit.codename,
        packages=release.toolkit.packages,
        newer_candidates=True,
    )
    return replace(base, **changes)


JAMMY = official(RELEASES["jammy"], extra=("python3-venv",))
"""The stand-in that several tests share."""

WITHOUT_CUDA = Base(
    tag=f"library/{catalogue.load()['base']['image']}",
    codename=catalogue.load()["base"]["ubuntu"],
    cuda=False,
    extra=("python3",),
)
"""The stand-in for Ubuntu's own image, that the container of all releases is built on; with what
the stand-in for conda runs on."""


@pytest.fixture(scope="session")
def engine() -> None:
    """A Docker engine with Compose and buildx that hands out GPUs: see .ci/engine."""
    for need in (
        "docker",
        "mmdebstrap",
        "dpkg-scanpackages",
        "ssh-keygen",
        "rsync",
        "openssl",
        "gpg",
    ):
        if not shutil.which(need):
            missing(f"{need} is not installed: run .ci/engine")
    for need in ("docker version", "docker compose version", "docker buildx version"):
        if run(*need.split()).returncode != 0:
            missing(f"`{need}` fails: run .ci/engine")
    if os.getuid() != 0:
        missing("only root can make homes and Ubuntus: run as root")


@pytest.fixture(scope="session")
def directory(
    engine: None,  # noqa: ARG001
    generate: Callable[..., CopierProject],
) -> Iterator[Callable[..., Directory]]:
    """Generate directories; all they started and built is removed at the end."""
    directories = []

    def make(**answers: Any) -> Directory:
        project = generate(**{"mirror": "none", **answers})
        directories.append(Directory(project.path, project.answers))
        return directories[-1]

    yield make
    for made in directories:
        made.remove()


@pytest.fixture(scope="session")
def arrive(engine: None) -> Iterator[Callable[[], Person]]:  # noqa: ARG001
    """Make people with a home, not below /tmp: sshd takes no keys from a world-writable path."""
    homes = []

    def make() -> Person:
        homes.append(Path(tempfile.mkdtemp(prefix="copier-tensorflow-host-", dir="/srv")))
        homes[-1].chmod(0o755)
        return Person.arrive(homes[-1])

    yield make
    for home in homes:
        shutil.rmtree(home)


@pytest.fixture(scope="session")
def stand_in(engine: None) -> Iterator[Callable[..., None]]:  # noqa: ARG001
    """Make stand-ins in a registry of that name; none of them stays behind."""
    made = []

    def make(base: Base, registry: str = REGISTRY) -> None:
        made.append(build(replace(base, tag=f"{registry}/{base.tag.removeprefix('nvcr.io/')}")))

    yield make
    run("docker", "image", "rm", "--force", *made)


@pytest.fixture(scope="session")
def person(arrive: Callable[[], Person]) -> Person:
    return arrive()


@pytest.fixture(scope="session")
def host(
    person: Person, directory: Callable[..., Directory], stand_in: Callable[..., None]
) -> Directory:
    """A host with a container on each Ubuntu, built and started by the one command."""
    stand_in(official(RELEASES["bionic"]))
    stand_in(official(RELEASES["focal"], entrypoint=NVIDIA_ENTRYPOINT))
    stand_in(JAMMY)
    stand_in(official(RELEASES["noble"], packages=UNLISTED))
    person.data.mkdir(mode=0o750)
    (person.data / "set").write_text("data\n")
    os.chown(person.data, 0, GROUP)
    made = directory(
        **person.answers(
            host="e2e-gpu01",
            tf_versions=[*RELEASES.values(), WITHOUT_IMAGE],
            port_offset=7,
            mounts={str(person.data): "ro"},
            groups=[GROUP],
            ulimits={"stack": 64 << 20},
        )
    )
    made.up()
    return made


@pytest.fixture(scope="session")
def laptop(person: Person, host: Directory) -> Laptop:
    return Laptop(person, host)


@pytest.fixture(params=RELEASES)
def service(request: pytest.FixtureRequest) -> str:
    """The service on one Ubuntu."""
    return f"tf{RELEASES[request.param]}"
