"""GPUs shared by several containers, and who is behind a login."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.conftest import GROUP, RELEASES
from tests.e2e.support import LOGIN_NAME, QUEUE, Directory, Laptop, Person, add_gpu, output, run

OLD, NEW, NEWEST = (f"tf{RELEASES[name]}" for name in ("bionic", "jammy", "noble"))


@pytest.fixture(scope="module")
def gpus(host: Directory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Directory]:
    """The host with one GPU, as its containers would see it, and nobody in the line."""
    folder = tmp_path_factory.mktemp("gpus")
    add_gpu(folder, "host", *map(host.image, (OLD, NEW, NEWEST)))
    yield host
    for service in (OLD, NEW, NEWEST):  # other tests want a host without a GPU
        remove = ("rm", "/gpus", "/usr/local/bin/nvidia-smi")
        output("docker", "exec", "--user=0", host.image(service), *remove)


@contextmanager
def started(laptop: Laptop, service: str, command: str) -> Iterator[subprocess.Popen[str]]:
    """Run a command over ssh meanwhile."""
    line = ["ssh", "-F", str(laptop.config), laptop.alias(service), command]
    with subprocess.Popen(
        line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as session:
        try:
            yield session
        finally:
            session.terminate()


def until(laptop: Laptop, service: str, text: str) -> str:
    """Wait until `gpu` shows a text, and return all of it."""
    for _ in range(50):
        if text in (table := laptop.shell(service, "gpu")):
            return table
        time.sleep(0.2)
    raise AssertionError(table)


def test_an_update_starts_before_setup_has_run_and_gpu_says_what_is_missing(
    host: Directory, tmp_path: Path
) -> None:
    name, closed = "e2e-gpus-closed", tmp_path / "closed"  # the engine makes what is missing
    missing = ["--detach", "--rm", f"--name={name}", f"--volume={closed}:{QUEUE}"]
    output("docker", "run", *missing, host.image(OLD), "sleep", "60")
    try:
        add_gpu(tmp_path, "closed", name)
        assert "nobody" in output("docker", "exec", name, "gpu")
        refused = run("docker", "exec", name, "gpu", "run", "true")
        assert f"gpu: {QUEUE} is not open to all; on the server run: sudo host/setup.sh" in (
            refused.stderr
        )
    finally:
        run("docker", "rm", "--force", name)


def test_containers_wait_for_each_other_and_a_container_that_ends_gives_its_gpu_back(
    gpus: Directory, laptop: Laptop
) -> None:
    with started(laptop, OLD, "gpu run -- sleep 300") as holder:
        until(laptop, NEW, f"{LOGIN_NAME} in e2e-gpu01-{OLD} for ")
        with started(laptop, NEW, "gpu run -- printenv CUDA_VISIBLE_DEVICES") as waiting:
            table = until(laptop, NEWEST, "WAITING")
            assert f"\n1     {LOGIN_NAME} in e2e-gpu01-{NEW} for " in table
            output("docker", "kill", gpus.image(OLD))
            try:
                visible, told = waiting.communicate(timeout=30)
                assert (waiting.returncode, visible) == (0, "0\n"), told
                assert holder.wait(30) != 0
                assert "nobody" in laptop.shell(NEWEST, "gpu")
            finally:
                gpus.up()


def test_the_name_of_the_key_stands_behind_every_login(laptop: Laptop, service: str) -> None:
    for command in ('echo "$LOGIN_NAME"', "bash -lc 'echo \"$LOGIN_NAME\"'", "printenv LOGIN_NAME"):
        assert laptop.shell(service, command) == f"{LOGIN_NAME}\n"
    fake_git = (
        'mkdir -p /tmp/bin && printf "#!/bin/sh\\nexit 1" >/tmp/bin/git && chmod +x /tmp/bin/*'
    )
    laptop.shell(service, fake_git)
    command = "unset LOGIN_NAME; PATH=/tmp/bin:$PATH; . /etc/profile.d/05-login.sh; env"
    assert f"GIT_AUTHOR_NAME={LOGIN_NAME}\n" in laptop.shell(service, command)


def test_data_of_a_group_is_there_in_ssh_and_only_to_be_read(
    laptop: Laptop, person: Person, service: str
) -> None:
    assert laptop.shell(service, "id -G").split()[1:] == [str(GROUP)]
    assert laptop.shell(service, f"cat '{person.data}/set'") == "data\n"
    assert "Read-only file system" in laptop.ssh(service, f"touch '{person.data}/x'").stderr
    shell = laptop.shell(service, "bash -ic true 2>&1; groups")
    assert "cannot find name" not in shell


def test_shared_memory_and_stack_are_as_answered(laptop: Laptop, service: str) -> None:
    limits = laptop.shell(service, "df -k --output=size /dev/shm | tail -n 1; ulimit -s")
    assert limits.split() == [str(8 << 20), str(64 << 10)]
