"""A host whose releases share a container: those of one CUDA, or all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import RELEASES, WITHOUT_CUDA
from tests.e2e.support import Directory, Laptop, Person, in_image, output, run, same_host_in
from tests.releases import Host, Repository

FIRST, JOINING = RELEASES["jammy"], "2.18.0"
OLDEST = "2.9.3"
SERVICE, LABEL = "cuda12.3", "org.copier-tensorflow-host.host"


@pytest.fixture(scope="module")
def newcomer(arrive: Callable[[], Person]) -> Person:
    return arrive()


@pytest.fixture(scope="module")
def shared(
    newcomer: Person,
    host: Directory,  # noqa: ARG001 (its base images are there)
    copier_template: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Host]:
    """A host in an infra repository, started, with one release of CUDA 12."""
    answers = {"host": "e2e-shared", "tf_versions": [FIRST], "port_offset": 13}
    repository = Repository.create(tmp_path_factory.mktemp("shared") / "repository")
    made = repository.copy(copier_template, newcomer.answers(**answers, containers="per-cuda"))
    directory = Directory(made.path, made.answers)
    directory.up()
    yield made
    Directory(made.path, made.answers).remove()


def test_a_release_that_joins_builds_starts_and_restarts_nothing_and_is_there(
    shared: Host, newcomer: Person
) -> None:
    directory = Directory(shared.path, shared.answers)
    before = directory.container(SERVICE)
    shared.answer(tf_versions=[FIRST, JOINING])
    directory.up()
    after = directory.container(SERVICE)
    for fact in ("Id", "Image"):
        assert after[fact] == before[fact]
    assert after["State"]["StartedAt"] == before["State"]["StartedAt"]

    laptop = Laptop(newcomer, Directory(shared.path, shared.answers))
    for version in (FIRST, JOINING):
        laptop.shell(f"tf{version}", f"/environments/new.sh {version}")
        where = laptop.shell(f"tf{version}", "hostname; echo $CONDA_PREFIX").splitlines()
        assert where == [f"e2e-shared-{SERVICE}", f"{newcomer.conda}/envs/tf{version}"]
    assert laptop.shell(SERVICE, "echo $CONDA_PREFIX") == "\n"


def test_the_disk_command_of_the_readme_removes_what_is_gone_and_nothing_of_others(
    shared: Host, host: Directory
) -> None:
    shared.answer(tf_versions=[FIRST], containers="per-version")
    directory = Directory(shared.path, shared.answers)
    done = directory.compose("up", "-d", "--build", "--wait", "--remove-orphans")
    assert done.returncode == 0, done.stderr
    host.compose("stop", "--timeout=1", "tf2.17.0")  # of another host, and used by no one
    host.compose("rm", "--force", "tf2.17.0")

    prune = f"docker image prune --all --filter label={LABEL}=e2e-shared"
    prune = f"host/doctor --only project &&\n  {prune}"
    assert f"\n{prune}\n" in shared.read("README.md")
    with same_host_in("/usr", "e2e-shared"):
        refused = run("bash", "-c", f"{prune} --force", cwd=shared.path)
        assert "/usr: has e2e-shared-elsewhere under the same name" in refused.stdout
    assert in_image(f"e2e-shared-{SERVICE}", "echo there") == "there\n"
    output("bash", "-c", f"{prune} --force", cwd=shared.path)
    assert run("docker", "image", "inspect", f"e2e-shared-{SERVICE}").returncode != 0
    for there in (f"e2e-shared-tf{FIRST}", host.image("tf2.17.0")):
        assert in_image(there, "echo there") == "there\n"
    host.up()


@pytest.mark.full
def test_one_container_has_all_releases_each_under_its_alias_in_its_environment(
    shared: Host, newcomer: Person, stand_in: Callable[..., None]
) -> None:
    stand_in(WITHOUT_CUDA)
    releases = {OLDEST: f"tf{OLDEST}-cuda", FIRST: f"tf{FIRST}"}
    shared.answer(tf_versions=list(releases), containers="one")
    assert shared.answers["ports"] == {FIRST: 21735, SERVICE: 31245, "tensorflow": 30035}
    directory = Directory(shared.path, shared.answers)
    done = directory.compose("up", "-d", "--build", "--wait", "--remove-orphans")
    assert done.returncode == 0, done.stderr
    laptop = Laptop(newcomer, directory)
    for version, name in releases.items():
        laptop.shell(f"tf{version}", f"/environments/new.sh {name[2:]}")
        where = laptop.shell(f"tf{version}", "hostname; echo $CONDA_PREFIX").splitlines()
        assert where == ["e2e-shared-tensorflow", f"{newcomer.conda}/envs/{name}"]
    assert directory.exec("tensorflow", "apt-mark", "showhold") == ""
    assert "CUDA_VERSION" not in directory.exec("tensorflow", "printenv")
