"""What the admin finds in the log when a container cannot start well, and what `sudo` changes."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from shlex import quote
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.e2e.conftest import JAMMY, RELEASES
from tests.e2e.support import PERSON, Directory, Laptop, Person

SERVICE = f"tf{RELEASES['jammy']}"

Generate = Callable[..., Directory]


@pytest.fixture
def newcomer(arrive: Callable[[], Person]) -> Person:
    """A person with a home of their own, which the test may spoil."""
    return arrive()


@pytest.fixture
def generate_for(
    newcomer: Person,
    stand_in: Callable[..., None],
    directory: Generate,
) -> Iterator[Generate]:
    """Generate a directory of one container for the newcomer; stop it after the test."""
    stand_in(JAMMY)
    made = []

    def generate(**answers: Any) -> Directory:
        ours = {"host": "e2e-new", "tf_versions": [RELEASES["jammy"]], "port_offset": 19}
        made.append(directory(**newcomer.answers(**{**ours, **answers})))
        return made[-1]

    yield generate
    for started in made:
        started.compose("down", "--timeout=1")


def start(made: Directory) -> CompletedProcess[str]:
    """Build and start, without waiting for a container that may never be healthy."""
    return made.compose("up", "-d", "--build")


def assert_says(made: Directory, sentence: str) -> None:
    """Wait at most ten seconds for a sentence in the log."""
    for _ in range(100):
        if f"container-start: {sentence}\n" in (log := made.log(SERVICE)):
            return
        time.sleep(0.1)
    raise AssertionError(f"not said: {sentence}\n{log}")


def test_a_project_directory_of_somebody_else_is_told_with_both_owners_and_the_cure(
    newcomer: Person, generate_for: Generate
) -> None:
    os.chown(newcomer.projects, 0, 0)
    made = generate_for()
    start(made)
    assert_says(
        made,
        f"/AI belongs to 0:0 and {PERSON}:{PERSON} cannot write to it; "
        f"on the server run: sudo chown {PERSON}:{PERSON} {quote(str(newcomer.projects))}",
    )


def test_without_ssh_too_a_container_that_cannot_start_well_fails_the_wait(
    newcomer: Person, generate_for: Generate
) -> None:
    os.chown(newcomer.projects, 0, 0)
    made = generate_for(ssh=False, packages=[])
    assert made.compose("up", "-d", "--build", "--wait").returncode != 0
    assert_says(
        made,
        f"/AI belongs to 0:0 and {PERSON}:{PERSON} cannot write to it; "
        f"on the server run: sudo chown {PERSON}:{PERSON} {quote(str(newcomer.projects))}",
    )


def test_a_conda_that_the_person_cannot_run_is_told(
    newcomer: Person, generate_for: Generate
) -> None:
    (newcomer.conda / "bin/python").unlink()
    made = generate_for()
    made.up()
    assert_says(
        made,
        f"there is no conda in {newcomer.conda} that {PERSON} can run; "
        "on the server run: sudo host/setup.sh",
    )


def test_a_home_without_keys_is_told(newcomer: Person, generate_for: Generate) -> None:
    keys = newcomer.home / ".ssh/authorized_keys"
    keys.unlink()
    made = generate_for()
    start(made)
    assert_says(
        made,
        f"nobody can log in yet: add public keys to {keys} on the server, readable for UID "
        f"{PERSON}",
    )


def test_keys_in_ai_open_the_door_while_nobody_else_may_write_to_them(
    newcomer: Person, generate_for: Generate
) -> None:
    keys = newcomer.projects / ".ssh/authorized_keys"
    keys.parent.mkdir(mode=0o700)
    shutil.move(newcomer.home / ".ssh/authorized_keys", keys)
    newcomer.owns(newcomer.projects)
    made = generate_for()
    made.up()
    laptop = Laptop(newcomer, made)
    assert laptop.shell(SERVICE, "id -un") == "ai\n"

    newcomer.projects.chmod(0o777)
    assert "Permission denied (publickey)" in laptop.ssh(SERVICE, "true").stderr
    assert_says(
        made,
        "sshd ignores keys in a path that others can write to; on the server run: "
        f"chmod go-w '{newcomer.projects}'",
    )


def test_an_image_built_for_another_uid_is_told(generate_for: Generate) -> None:
    made = generate_for(ssh=True)
    made.build()
    (made.path / ".env").write_text("CURRENT_UID=4400:4400\n")
    assert made.compose("up", "-d").returncode == 0
    assert_says(made, "this image was not built for UID 4400; run: docker compose up -d --build")


def test_a_missing_directory_is_an_error_and_is_not_made_by_root(
    newcomer: Person, generate_for: Generate
) -> None:
    newcomer.projects.rmdir()
    refused = start(generate_for())
    assert refused.returncode != 0
    assert f"bind source path does not exist: {newcomer.projects}" in refused.stderr
    assert not newcomer.projects.exists()


def test_an_env_file_without_uid_is_told_before_anything_starts(generate_for: Generate) -> None:
    made = generate_for()
    (made.path / ".env").write_text("")
    refused = start(made)
    assert refused.returncode != 0
    assert "write CURRENT_UID=uid:gid to .env" in refused.stderr


def test_sudo_makes_the_person_root_on_request_and_sshd_stays_the_persons(
    newcomer: Person, generate_for: Generate
) -> None:
    made = generate_for(sudo=True, packages=[])
    made.up()
    laptop = Laptop(newcomer, made)
    assert laptop.shell(SERVICE, "sudo id -u") == "0\n"
    assert laptop.shell(SERVICE, "sudo apt-mark showhold | wc -l").strip() == "18"
    proxy = "http_proxy=http://proxy.invalid:3128"
    assert (
        laptop.shell(SERVICE, f"{proxy} sudo printenv http_proxy") == "http://proxy.invalid:3128\n"
    )
    users = made.exec(SERVICE, "ps", "-eo", "user=,comm=").splitlines()
    assert [line.split()[0] for line in users if "sshd" in line] == ["ai"]
