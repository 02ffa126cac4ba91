"""Ansible brings two servers from nothing to ssh into TensorFlow, and touches only what changed.

Only in the full profile, since its servers have an engine each.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml
from pytest_copier.plugin import CopierFixture, CopierProject

from tests.e2e.conftest import JAMMY, RELEASES
from tests.e2e.server import ADMIN, Server, build_image
from tests.e2e.support import REGISTRY, output, run

pytestmark = pytest.mark.full

FIRST = RELEASES["jammy"]
ADDED = "2.17.1"
"""On the same image, so that one stand-in is enough."""

HOSTS = "e2e-a", "e2e-b"
PLAY = ("env", "ANSIBLE_NOCOLOR=1", str(Path(sys.executable).with_name("ansible-playbook")))
UNHEALTHY = "services: {tf2.17.0: {healthcheck: {test: [CMD, 'false'], interval: 1s, retries: 1}}}"


@dataclass
class Fleet:
    """An infra repository and its servers."""

    path: Path
    servers: dict[str, Server]
    generate: Callable[..., CopierProject]

    def answer(self, host: str, **answers: Any) -> None:
        """Generate the directory of a server, over that of before."""
        project = self.generate(
            host=host, uid=4321, gid=4321, driver="", gpus=[], mirror="none", packages=[],
            registry=REGISTRY, **answers,
        )  # fmt: skip
        shutil.copytree(project.path, self.path / "hosts" / host, dirs_exist_ok=True)

    def play(self, book: str, *options: str) -> CompletedProcess[str]:
        return run(*PLAY, f"fleet/{book}.yml", *options, cwd=self.path, timeout=300)

    def begin(self, book: str, *options: str) -> subprocess.Popen[str]:
        command = [*PLAY, f"fleet/{book}.yml", *options]
        return subprocess.Popen(command, cwd=self.path, stdout=subprocess.PIPE, text=True)

    def play_well(self, book: str, *options: str) -> dict[str, int]:
        """Run a playbook that must succeed; return how much it changed on each server."""
        done = self.play(book, *options)
        assert done.returncode == 0, done.stdout + done.stderr
        recap = re.findall(r"^(\S+) +: ok=\d+ +changed=(\d+)", done.stdout, re.MULTILINE)
        return {name: int(changed) for name, changed in recap}

    def ssh(self, alias: str, command: str) -> str:
        return output("ssh", "-F", self.path.parent / "ssh_config", alias, command, timeout=60)

    def containers(self) -> dict[str, str]:
        """Return name to identity and start of every container of the fleet."""
        return {k: v for server in self.servers.values() for k, v in server.containers().items()}


@pytest.fixture(scope="module")
def fleet(
    engine: None,  # noqa: ARG001
    copier_template: Path,
    generate: Callable[..., CopierProject],
    stand_in: Callable[..., None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Fleet]:
    work = tmp_path_factory.mktemp("fleet")
    key = work / "key"
    output("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
    ssh = f"-o UserKnownHostsFile={work}/known_hosts -o StrictHostKeyChecking=accept-new"
    copier = CopierFixture(copier_template, {}, pytest.MonkeyPatch())
    copier.copy(work / "infra", kind="fleet", admin=ADMIN)
    build_image()
    servers: dict[str, Server] = {}
    fleet = Fleet(work / "infra", servers, generate)
    stand_in(JAMMY)
    try:
        for name in HOSTS:
            servers[name] = Server.start(name, key.with_suffix(".pub"))
            servers[name].load(f"{REGISTRY}/{JAMMY.tag}")
            variables = fleet.path / f"fleet/host_vars/{name}.yml"
            variables.parent.mkdir(exist_ok=True)
            variables.write_text(
                yaml.safe_dump(
                    {
                        "ansible_host": servers[name].address,
                        "ansible_ssh_private_key_file": str(key),
                        "ansible_ssh_common_args": ssh,
                    }
                )
            )
        fleet.answer("e2e-a", tf_versions=[FIRST])
        # its ports are open on the server itself only
        fleet.answer("e2e-b", tf_versions=[FIRST], bind_address="127.0.0.1")
        (work / "ssh_config").write_text(
            f"Include {fleet.path}/hosts/ssh_config\n"
            f"Host *\n    IdentityFile {key}\n    UserKnownHostsFile {work}/known_hosts\n"
            "    StrictHostKeyChecking accept-new\n    BatchMode yes\n    LogLevel ERROR\n"
            f"Match host {servers['e2e-b'].address}\n    User {ADMIN}\n"
        )
        yield fleet
    finally:
        for server in servers.values():
            server.remove()


def test_from_nothing_to_ssh_into_tensorflow_on_every_server(fleet: Fleet) -> None:
    assert set(fleet.play_well("setup")) == set(HOSTS)
    changed = fleet.play_well("deploy", "--extra-vars=at_once=100%")
    assert changed == {"e2e-a": 1, "e2e-b": 1}
    fleet.play_well("pages")
    for host in HOSTS:
        told = fleet.ssh(f"{host}-tf{FIRST}", "hostname; id -un; echo $CUDA_VERSION")
        assert told.split() == [f"{host}-tf{FIRST}", "ai", "12.3.0"]


def test_a_second_run_changes_nothing(fleet: Fleet) -> None:
    before = fleet.containers()
    assert fleet.play_well("setup") == {"e2e-a": 0, "e2e-b": 0}
    assert fleet.play_well("deploy", "--extra-vars=at_once=2") == {"e2e-a": 0, "e2e-b": 0}
    assert fleet.containers() == before


def test_a_version_added_on_one_server_restarts_nothing_there_or_elsewhere(fleet: Fleet) -> None:
    before = fleet.containers()
    fleet.answer("e2e-a", tf_versions=[FIRST, ADDED])
    # as if somebody else had run the server from a repository until now
    server = fleet.servers["e2e-a"]
    server.run("cd /srv/hosts/e2e-a && mkdir .git && touch .git/HEAD && chown -R nobody .")
    assert fleet.play_well("deploy") == {"e2e-a": 5, "e2e-b": 0}
    assert server.run("stat -c %U /srv/hosts/e2e-a/.git/HEAD") == f"{ADMIN}\n"
    after = fleet.containers()
    assert set(after) - set(before) == {f"e2e-a-tf{ADDED}"}
    assert {name: after[name] for name in before} == before
    fleet.play_well("pages")
    assert fleet.ssh(f"e2e-a-tf{ADDED}", "hostname") == f"e2e-a-tf{ADDED}\n"


def said(done: CompletedProcess[str]) -> str:
    """Return all that a playbook printed, on one line."""
    return " ".join((done.stdout + done.stderr).split())


def a_server_is_down(fleet: Fleet) -> None:
    before = fleet.containers()
    fleet.answer("e2e-a", tf_versions=[FIRST, ADDED], sudo=True)
    fleet.servers["e2e-b"].unplug()
    try:
        done = fleet.play("deploy")
        table = fleet.play("doctor")
    finally:
        fleet.servers["e2e-b"].plug()
    assert done.returncode != 0
    told = "e2e-b cannot be reached, and nothing was changed; fix that, or continue without: "
    assert told + "--limit 'all:!e2e-b'" in said(done)
    assert "Copy" not in done.stdout
    assert fleet.containers() == before
    assert table.returncode != 0
    assert "e2e-a warn clock timedatectl " in said(table)
    assert "e2e-b down cannot be reached; check its power, its network and sshd" in said(table)
    fleet.answer("e2e-a", tf_versions=[FIRST, ADDED])


def a_server_stays_unhealthy(fleet: Fleet) -> None:
    before = fleet.containers()
    overrides = [fleet.path / f"hosts/{host}/docker-compose.override.yml" for host in HOSTS]
    for override in overrides:
        override.write_text(UNHEALTHY)
    done = fleet.play("deploy")
    assert done.returncode != 0
    assert "e2e-a failed, and the servers after it are unchanged" in said(done)
    assert "unhealthy" in said(done)
    after = fleet.containers()
    changed = {name for name in before if after[name] != before[name]}
    assert changed == {f"e2e-a-tf{FIRST}"}
    assert fleet.servers["e2e-b"].run("ls /srv/hosts/e2e-b/*override* || true") == ""
    for override in overrides:
        override.unlink()
    assert fleet.play_well("deploy") == {"e2e-a": 2, "e2e-b": 0}


def a_run_is_interrupted(fleet: Fleet) -> None:
    before = fleet.containers()
    script = fleet.path / "hosts/e2e-b/images/init_env1.sh"
    script.write_text(script.read_text().replace("main() {", "main() {\n    sleep 5"))
    with fleet.begin("deploy", "--limit=e2e-b") as play:
        assert play.stdout
        for line in play.stdout:
            if "Build and start" in line:
                break
        time.sleep(2)
        play.kill()
    assert fleet.containers() == before
    # what it began goes on without it
    still_going = "grep -qsa 'docker.*compos[e]' /proc/[0-9]*/cmdline"
    fleet.servers["e2e-b"].run(f"while {still_going}; do sleep 1; done")
    fleet.play_well("deploy")
    after = fleet.containers()
    assert set(after) == set(before)
    assert after[f"e2e-b-tf{FIRST}"] != before[f"e2e-b-tf{FIRST}"]
    assert fleet.play_well("deploy") == {"e2e-a": 0, "e2e-b": 0}


def it_is_a_dry_run(fleet: Fleet) -> None:
    before = fleet.containers()
    fleet.answer("e2e-b", tf_versions=[FIRST, ADDED], bind_address="127.0.0.1")
    for book in ("setup", "deploy"):
        fleet.play_well(book, "--check")
    assert fleet.containers() == before
    assert fleet.servers["e2e-b"].run("ls /srv/hosts/e2e-b").count("tf2") == 1


def the_place_is_taken(fleet: Fleet) -> None:
    fleet.servers["e2e-b"].run("mkdir -p /data/e2e-b && touch /data/e2e-b/thesis.tex")
    done = fleet.play("setup", "--extra-vars=deploy_path=/data", "--limit=e2e-b")
    assert done.returncode != 0
    assert "/data/e2e-b on e2e-b is not a generated directory; move it away" in said(done)
    assert fleet.servers["e2e-b"].run("ls /data/e2e-b") == "thesis.tex\n"


def its_containers_are_those_of_another_directory(fleet: Fleet) -> None:
    before = fleet.containers()
    done = fleet.play("deploy", "--extra-vars=deploy_path=/data/new", "--limit=e2e-b")
    assert done.returncode != 0
    assert f"/srv/hosts/e2e-b: has e2e-b-tf{FIRST} under the same name e2e-b" in said(done)
    assert fleet.containers() == before


TROUBLES = {
    trouble.__name__: trouble
    for trouble in (
        the_place_is_taken,
        its_containers_are_those_of_another_directory,
        a_server_is_down,
        a_server_stays_unhealthy,
        a_run_is_interrupted,
        it_is_a_dry_run,
    )
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_nobody_loses_anything_where(fleet: Fleet, trouble: str) -> None:
    TROUBLES[trouble](fleet)
