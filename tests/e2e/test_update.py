"""An update on the engine: who is built, who is restarted, and who does not notice."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.conftest import JAMMY, RELEASES, official
from tests.e2e.support import PERSON, Directory, Laptop, Person, run
from tests.releases import Host, Repository
from tests.support import by_default

FIRST, LAST, NEITHER = "init_env1.sh", "init_env2.sh", None
OLD, NEW = f"tf{RELEASES['bionic']}", f"tf{RELEASES['jammy']}"


@pytest.fixture(scope="module")
def infra(
    request: pytest.FixtureRequest,
    arrive: Callable[[], Person],
    stand_in: Callable[..., None],
    copier_template: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Host, Directory, Person]]:
    """A started host of one version in an infra repository, and its person."""
    stand_in(official(RELEASES["bionic"]))
    stand_in(JAMMY)
    person = arrive()
    answers = {"host": "e2e-infra", "tf_versions": [RELEASES["bionic"]], "port_offset": 15}
    answers["packages"] = []
    repository = Repository.create(tmp_path_factory.mktemp("infra") / "repository")
    made = repository.copy(copier_template, person.answers(**answers))
    full = request.config.getoption("--hypothesis-profile") == "full"
    # what is built anew below, or the build cache would know it from an earlier run
    for script in (FIRST, LAST) if full else (LAST,):
        made.edit(f"images/{script}", "set -euo", f"# {uuid4()}\nset -euo")
    made.repository.commit()
    directory = Directory(made.path, made.answers)
    directory.up()
    yield made, directory, person
    directory.remove()


def identity(directory: Directory, service: str) -> tuple[str, str]:
    container = directory.container(service)
    return container["Id"], container["State"]["StartedAt"]


def test_an_added_version_starts_beside_the_others_and_a_session_goes_on(
    infra: tuple[Host, Directory, Person],
) -> None:
    host, directory, person = infra
    before = identity(directory, OLD)
    laptop = Laptop(person, directory)
    session = subprocess.Popen(
        ["ssh", "-F", laptop.config, laptop.alias(OLD), "echo here; read line; echo $line"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert session.stdout
    assert session.stdout.readline() == "here\n"

    host.answer(tf_versions=[RELEASES["bionic"], RELEASES["jammy"]])
    directory.up()
    assert identity(directory, OLD) == before
    assert session.communicate("still here\n", timeout=20)[0] == "still here\n"
    both = Laptop(person, directory)
    assert both.shell(NEW, "hostname") == f"e2e-infra-{NEW}\n"

    # and it goes without a trace in the others
    host.answer(tf_versions=[RELEASES["bionic"]])
    done = directory.compose("up", "-d", "--build", "--wait", "--remove-orphans")
    assert done.returncode == 0, done.stderr
    assert run("docker", "container", "inspect", f"e2e-infra-{NEW}").returncode != 0
    assert identity(directory, OLD) == before

    # and comes back by the command of the README
    host.answer(tf_versions=[RELEASES["bionic"], RELEASES["jammy"]])
    command = "docker compose up -d --wait --remove-orphans"
    assert f"\n{command}\n" in host.read("README.md")
    assert run(*command.split(), cwd=directory.path).returncode == 0
    assert both.shell(NEW, "hostname") == f"e2e-infra-{NEW}\n"
    assert identity(directory, OLD) == before
    host.answer(tf_versions=[RELEASES["bionic"]])
    directory.compose("up", "-d", "--wait", "--remove-orphans")


EFFECTS: dict[str, tuple[dict[str, Any], str | None, bool]] = {
    "packages": ({"packages": ["net-tools"]}, FIRST, True),
    "user": ({"user": "li"}, LAST, True),
    "gid": ({"gid": PERSON + 1}, LAST, True),
    "gpu_devices": ({"gpu_devices": "0"}, NEITHER, True),
    "proxy": ({"proxy": "http://192.0.2.1:3128"}, NEITHER, True),
    "language": ({"language": "zh"}, NEITHER, False),
}
"""An answer, the script that it builds from, and whether it starts containers anew."""


@pytest.mark.parametrize("question", by_default("gid", "language", among=EFFECTS))
def test_the_readme_tells_truly_what_an_answer_rebuilds_and_restarts(
    infra: tuple[Host, Directory, Person], question: str
) -> None:
    answers, built_from, restarted = EFFECTS[question]
    host, directory, person = infra
    before = identity(directory, OLD)
    host.answer(**answers)
    log = directory.build()
    steps = {
        script: "CACHED" not in log.split(f"bash /tmp/{script}")[1].split("\n\n")[0]
        for script in (FIRST, LAST)
    }
    assert steps == {FIRST: built_from == FIRST, LAST: built_from is not None}
    if "gid" in answers:
        person.owns(person.projects)
    directory.up()
    assert (identity(directory, OLD) != before) == restarted
