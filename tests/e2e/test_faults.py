"""What breaks in months of use: it recovers by itself, or says in one sentence what to do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from shlex import quote

import pexpect
import pytest

from tests.e2e.bases import Base, build
from tests.e2e.conftest import JAMMY, RELEASES
from tests.e2e.machine import Machine
from tests.e2e.support import PERSON, Directory, Laptop, Person, add_gpu, output, run
from tests.test_gpu import GPU, NVIDIA_SMI

VERSION = RELEASES["jammy"]
SERVICE = f"tf{VERSION}"


@pytest.fixture(scope="module")
def owner(arrive: Callable[[], Person]) -> Person:
    return arrive()


@pytest.fixture(scope="module")
def made(
    owner: Person,
    stand_in: Callable[..., None],
    directory: Callable[..., Directory],
) -> Iterator[Directory]:
    """A directory of one container, which each test leaves as it was."""
    stand_in(JAMMY)
    made = directory(**owner.answers(host="e2e-fault", tf_versions=[VERSION], port_offset=21))
    made.up()
    yield made
    made.compose("down", "--timeout=1")


@pytest.fixture(scope="module")
def laptop(owner: Person, made: Directory) -> Laptop:
    return Laptop(owner, made)


def eventually(what: Callable[[], object], seconds: int = 20) -> None:
    """Wait until something is true."""
    for _ in range(seconds * 10):
        if what():
            return
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s")


def restart(made: Directory) -> None:
    """Start the container anew, without waiting for what it makes of it."""
    assert made.compose("restart", "--timeout=1", SERVICE).returncode == 0


def opens(laptop: Laptop) -> None:
    """Wait until one can log in."""
    eventually(lambda: laptop.ssh(SERVICE, "true").returncode == 0)


def says(made: Directory, sentence: str) -> bool:
    return f"container-start: {sentence}\n" in made.log(SERVICE)


@pytest.mark.parametrize("victim", ["sshd", "the whole container"])
def test_what_is_killed_comes_back_with_files_and_host_key(
    made: Directory, laptop: Laptop, victim: str
) -> None:
    laptop.shell(SERVICE, "echo kept >/AI/kept; echo kept >/tmp/kept")
    before = made.container(SERVICE)["State"]
    children = Path(f"/proc/{before['Pid']}/task/{before['Pid']}/children").read_text().split()
    os.kill(int(children[0]) if victim == "sshd" else before["Pid"], signal.SIGKILL)
    eventually(lambda: made.container(SERVICE)["State"]["StartedAt"] != before["StartedAt"])
    opens(laptop)
    assert laptop.shell(SERVICE, "cat /AI/kept /tmp/kept") == "kept\nkept\n"


def test_a_project_directory_mounted_read_only_is_told_and_heals(
    made: Directory, owner: Person, laptop: Laptop
) -> None:
    output("mount", "--bind", owner.projects, owner.projects)
    try:
        output("mount", "-o", "remount,bind,ro", owner.projects)
        restart(made)
        sentence = f"/AI is read-only; on the server see: findmnt -T {quote(str(owner.projects))}"
        eventually(lambda: says(made, sentence))
    finally:
        output("umount", owner.projects)
    restart(made)
    opens(laptop)


def test_a_full_project_disk_is_told_and_keeps_nobody_out_for_long(
    made: Directory, owner: Person, laptop: Laptop
) -> None:
    output(
        "mount", "-t", "tmpfs", "-o", f"size=64k,uid={PERSON},gid={PERSON},mode=755",
        "tmpfs", owner.projects,
    )  # fmt: skip
    known = owner.laptop / "known_hosts"
    before = known.read_text()
    try:
        filling = owner.projects / "filling"
        filling.write_bytes(bytes(64 * 1024 - 4096))
        (owner.projects / ".ssh").mkdir()
        owner.owns(owner.projects)
        restart(made)
        sentence = (
            "/AI/.ssh/ssh_host_ed25519_key could not be written; "
            f"on the server see: df -h {quote(str(owner.projects))}"
        )
        eventually(lambda: says(made, sentence))
        filling.unlink()
        known.unlink()
        opens(laptop)
        assert [path.name for path in sorted((owner.projects / ".ssh").iterdir())] == [
            "ssh_host_ed25519_key",
            "ssh_host_ed25519_key.pub",
        ]
        laptop.shell(SERVICE, "cat /dev/zero >/AI/filling || true")
        restart(made)
        opens(laptop)
        assert laptop.shell(SERVICE, "rm -v /AI/filling") == "removed '/AI/filling'\n"
    finally:
        output("umount", owner.projects)
        known.write_text(before)
    restart(made)
    opens(laptop)


def test_a_host_key_that_others_could_read_is_closed_again(
    made: Directory, owner: Person, laptop: Laptop
) -> None:
    key = owner.projects / ".ssh/ssh_host_ed25519_key"
    key.chmod(0o644)
    restart(made)
    opens(laptop)
    assert key.stat().st_mode & 0o777 == 0o600


def test_thirty_starts_in_the_same_instant_make_one_host_key(
    made: Directory, owner: Person
) -> None:
    keys = owner.projects / ".ssh"
    for path in keys.iterdir():
        path.rename(owner.laptop / path.name)
    try:
        # each ends when it finds port 22 taken
        made.exec(SERVICE, "bash", "-c", "for _ in {1..30}; do container-start & done; wait")
        private, public = sorted(keys.iterdir())
        derived = output("ssh-keygen", "-y", "-f", private)
        assert derived.split()[:2] == public.read_text().split()[:2]
    finally:
        for path in owner.laptop.glob("ssh_host_*"):
            path.rename(keys / path.name)


@pytest.mark.parametrize("place", [".ssh/authorized_keys", ""], ids=["keys", "home"])
def test_keys_that_others_may_write_are_told_at_the_login_that_fails(
    made: Directory, owner: Person, laptop: Laptop, place: str
) -> None:
    path = owner.home / place
    path.chmod(0o777)
    try:
        assert "Permission denied (publickey)" in laptop.ssh(SERVICE, "true").stderr
        sentence = (
            "sshd ignores keys in a path that others can write to; on the server run: "
            f"chmod go-w '{path}'"
        )
        eventually(lambda: says(made, sentence))
    finally:
        path.chmod(0o755)
    laptop.shell(SERVICE, "true")


@pytest.mark.full
def test_a_clock_that_jumps_ends_no_session_and_keeps_nobody_out(
    made: Directory, laptop: Laptop, tmp_path: Path
) -> None:
    """The clock is libfaketime's: the machine's own is not the test's."""
    (tmp_path / "Dockerfile").write_text(
        f"FROM {made.image(SERVICE)}\nUSER root\n"
        "RUN apt-get -qq update && apt-get -qq install -y faketime\nUSER ai\n"
    )
    image = f"{made.image(SERVICE)}-clock"
    output("docker", "build", "--quiet", "--tag", image, tmp_path)
    clock = {
        "LD_PRELOAD": "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
        "FAKETIME_TIMESTAMP_FILE": "/AI/clock",
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    override = made.path / "docker-compose.override.yml"
    override.write_text(json.dumps({"services": {SERVICE: {"image": image, "environment": clock}}}))
    (laptop.person.projects / "clock").write_text("+0\n")
    try:
        assert made.compose("up", "-d", "--no-build").returncode == 0
        opens(laptop)
        arguments = ["-tt", "-F", str(laptop.config), laptop.alias(SERVICE)]
        session = pexpect.spawn("ssh", arguments, encoding="utf-8", timeout=30)
        for jump in ("+5000d", "-5000d", "+0"):
            (laptop.person.projects / "clock").write_text(f"{jump}\n")
            year = laptop.shell(SERVICE, "date +%Y")
            assert (int(year) == time.localtime().tm_year) == (jump == "+0")
            session.sendline("echo $((6 * 7))")
            session.expect(r"\D42\r\n")
        session.close(force=True)
    finally:
        override.unlink()
        (laptop.person.projects / "clock").unlink()
        assert made.compose("up", "-d", "--no-build").returncode == 0
        run("docker", "image", "rm", "--force", image)


@pytest.fixture(scope="module")
def machine(made: Directory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine of its own that has the container's image."""
    machine = Machine(tmp_path_factory.mktemp("machine"), megabytes=700)
    try:
        save_and_load = f"docker save {made.image(SERVICE)} | docker --host {machine.address} load"
        output("bash", "-o", "pipefail", "-c", save_and_load)
        yield machine
    finally:
        machine.destroy()


@pytest.fixture(scope="module")
def there(made: Directory, machine: Machine) -> Iterator[Directory]:
    """The directory, started on the machine of its own."""
    made.compose("down", "--timeout=1")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DOCKER_HOST", machine.address)
        assert made.compose("up", "-d", "--no-build").returncode == 0
        yield made


def opens_with_all_that_was_there(machine: Machine, laptop: Laptop) -> None:
    """Wait until one can log in; the laptop takes no other host key."""
    command = ("ssh", "-F", laptop.config, laptop.alias(SERVICE), "cat /AI/kept")
    eventually(lambda: machine.run(*command).stdout == "kept\n")


@pytest.fixture
def line(there: Directory, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """One GPU, and who wants it: two jobs in the container, and after them one on the host."""
    name = there.image(SERVICE)
    add_gpu(tmp_path, "faults", name)
    for text in (f"ai in {name} for ", "WAITING"):
        output("docker", "exec", "--detach", name, "gpu", "run", "--", "sleep", "300")
        eventually(lambda text=text: text in there.exec(SERVICE, "gpu"))  # type: ignore[misc]
    (tmp_path / "nvidia-smi").write_text(NVIDIA_SMI.replace("$GPUS", str(tmp_path / "gpus")))
    job = subprocess.Popen(
        [GPU, "run", "--", "printenv", "CUDA_VISIBLE_DEVICES"],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    eventually(lambda: there.exec(SERVICE, "gpu").count(" for ") == 3)
    yield job
    job.kill()
    job.communicate()


@pytest.mark.parametrize(
    "fault", [Machine.restart_engine, Machine.cut_power], ids=lambda f: f.__name__
)
def test_the_container_is_there_again_and_the_line_for_gpus_goes_on_after(
    there: Directory,
    machine: Machine,
    laptop: Laptop,
    line: subprocess.Popen[str],
    fault: Callable[[Machine], None],
) -> None:
    (laptop.person.projects / "kept").write_text("kept\n")
    fault(machine)
    if fault is Machine.cut_power:
        machine.boot()
    opens_with_all_that_was_there(machine, laptop)
    assert line.communicate(timeout=20)[0] == "0\n"  # the jobs before it ended with their container
    assert "nobody" in (table := there.exec(SERVICE, "gpu"))
    assert "WAITING" not in table
    assert there.exec(SERVICE, "gpu", "run", "--", "printenv", "CUDA_VISIBLE_DEVICES") == "0\n"


def test_a_directory_missing_at_boot_is_named_and_nothing_is_made_in_its_place(
    there: Directory, machine: Machine, laptop: Laptop
) -> None:
    projects = laptop.person.projects
    (projects / "kept").write_text("kept\n")
    machine.cut_power()
    projects.rename(laptop.person.folder / "unmounted")
    try:
        machine.boot()
        eventually(lambda: str(projects) in there.container(SERVICE)["State"]["Error"])
        refused = there.compose("up", "-d", "--no-build")
        assert refused.returncode != 0
        assert f"bind source path does not exist: {projects}" in refused.stderr
        assert not projects.exists()
    finally:
        (laptop.person.folder / "unmounted").rename(projects)
    assert there.compose("up", "-d", "--no-build").returncode == 0
    opens_with_all_that_was_there(machine, laptop)


def test_a_start_on_a_full_disk_of_docker_is_told_and_works_once_there_is_room(
    there: Directory, machine: Machine, laptop: Laptop
) -> None:
    (laptop.person.projects / "kept").write_text("kept\n")
    machine.fill()
    try:
        refused = there.compose("restart", "--timeout=1")
    finally:
        machine.free()
    assert "no space left on device" in refused.stderr
    assert str(machine.disk) in refused.stderr
    assert there.compose("restart").returncode == 0
    assert there.compose("up", "-d", "--no-build").returncode == 0
    opens_with_all_that_was_there(machine, laptop)


def test_a_build_on_a_full_disk_is_told_and_works_once_there_is_room(
    owner: Person,
    there: Directory,  # noqa: ARG001 (the base too is built there)
    machine: Machine,
    directory: Callable[..., Directory],
) -> None:
    """On a base without package sources: the machine has no network."""
    base = Base("e2e-full.invalid/tensorflow/tensorflow:2.17.0-gpu", "jammy",
                {"libcudnn8": "8.9.6.50-1"}, ubuntu_lists=False, nvidia_lists=False)  # fmt: skip
    build(base)
    lean = {"registry": "e2e-full.invalid", "ssh": False, "packages": []}
    made = directory(**owner.answers(host="e2e-full", tf_versions=[VERSION], **lean))
    machine.fill(leave=300)
    try:
        failed = made.compose("--progress=plain", "build")
    finally:
        machine.free()
    assert failed.returncode != 0
    assert (
        "init_env1.sh: no space is left where Docker keeps its images: "
        "free some, as by: docker builder prune\n" in failed.stdout + failed.stderr
    )
    made.build()
