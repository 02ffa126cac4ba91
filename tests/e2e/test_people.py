"""Three people with containers of their own, who share a host, conda and GPUs."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

import pytest
import yaml
from pytest_copier.plugin import CopierProject

from tests.e2e.conftest import JAMMY, RELEASES, official
from tests.e2e.support import REGISTRY, Directory, add_gpu, install_conda, output, run
from tests.e2e.test_faults import eventually
from tests.support import ROOT

HOST = "e2e-people"
VERSIONS = [RELEASES["bionic"], RELEASES["jammy"]]
OLD, NEW = (f"tf{version}" for version in VERSIONS)
UIDS = {"ai": 4321, "alice": 4322, "bob": 4323, "carol": 4324}
BACKUP = re.search("^tar --create .*$", (ROOT / "docs/people.md").read_text(), re.MULTILINE)
RESTORE = re.search("^tar --extract .*$", (ROOT / "docs/people.md").read_text(), re.MULTILINE)


@dataclass(frozen=True)
class Colleague:
    """Somebody with an account on the server and a laptop."""

    name: str
    uid: int
    folder: Path

    @classmethod
    def arrive(cls, folder: Path, name: str) -> Colleague:
        """Make home and project directory as useradd and host/setup.sh do, and a key."""
        one = cls(name, UIDS[name], folder)
        for path in (one.home, one.home / ".ssh", one.project):
            path.mkdir(mode=0o700)
        key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"{name}@laptop"]
        output(*key, "-f", one.key)
        one.allow(one.key.with_suffix(".pub").read_text())
        output("chown", "-R", f"{one.uid}:{one.uid}", one.home)
        return one

    @property
    def home(self) -> Path:
        return self.folder / self.name

    @property
    def project(self) -> Path:
        return self.home / "tensorflow_volume"

    @property
    def key(self) -> Path:
        return self.folder / f"key_{self.name}"

    @property
    def answer(self) -> dict[str, object]:
        return {"uid": self.uid, "home": str(self.home)}

    def allow(self, lines: str) -> None:
        (self.home / ".ssh/authorized_keys").write_text(lines)

    def service(self, version: str) -> str:
        return version if self.name == "ai" else f"{self.name}-{version}"


@dataclass(frozen=True)
class Lab:
    """The host, and who is on it."""

    path: Path
    generate: Callable[..., CopierProject]
    people: dict[str, Colleague]

    @property
    def answers(self) -> dict[str, Any]:
        recorded: dict[str, Any] = yaml.safe_load((self.path / ".copier-answers.yml").read_text())
        return {name: answer for name, answer in recorded.items() if name[0] != "_"}

    @property
    def directory(self) -> Directory:
        return Directory(self.path, self.answers)

    @property
    def config(self) -> Path:
        """The ssh_config of all their laptops, which are on the server itself."""
        return self.people["ai"].folder / f"{HOST}.conf"

    def give_containers_to(self, *names: str, **answers: Any) -> None:
        """Generate the directory over that of before: what an update makes of one unedited."""
        people = {name: self.people[name].answer for name in names}
        project = self.generate(**answers, people=people)
        shutil.copytree(project.path, self.path, dirs_exist_ok=True)
        config = (self.path / "ssh_config").read_text().replace(f"    ProxyJump {HOST}\n", "")
        known = f"Host *\n    UserKnownHostsFile {self.config.parent}/known_hosts\n"
        self.config.write_text(f"{config}\n{known}")

    def name(self, *names: str) -> None:
        """Give containers to these people and nobody else, by the commands of the README."""
        answers = {name: value for name, value in self.answers.items() if name != "people"}
        self.give_containers_to(*names, **answers)
        done = self.directory.compose("up", "-d", "--wait", "--remove-orphans")
        assert done.returncode == 0, done.stderr

    def ssh(
        self, name: str, command: str, version: str = NEW, key: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Log in to somebody's container, with her own key or that of another."""
        options = ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=accept-new"]
        options += ["-o", "IdentitiesOnly=yes", "-i", str(self.people[key or name].key)]
        alias = f"{HOST}-{self.people[name].service(version)}"
        return run("ssh", "-F", self.config, "-o", "LogLevel=ERROR", *options, alias, command)

    def shell(self, name: str, command: str, version: str = NEW) -> str:
        done = self.ssh(name, command, version)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def ids(self) -> dict[str, str]:
        """Return the container of each service, by name."""
        lines = self.directory.compose("ps", "--format", "{{.Service}} {{.ID}}").stdout.split("\n")
        return dict(line.split() for line in lines if line)


@pytest.fixture(scope="module")
def lab(
    stand_in: Callable[..., None],
    generate: Callable[..., CopierProject],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Lab]:
    """Three people and the shared account, two versions, all started by one command."""
    stand_in(official(RELEASES["bionic"]))
    stand_in(JAMMY)
    folder = Path(tempfile.mkdtemp(prefix="copier-tensorflow-host-", dir="/srv"))
    folder.chmod(0o755)
    people = {name: Colleague.arrive(folder, name) for name in UIDS}
    conda = people["ai"].home / "miniforge3"
    install_conda(conda)
    output("chown", "-R", f"{UIDS['ai']}:{UIDS['ai']}", conda)
    made = Lab(tmp_path_factory.mktemp("people") / HOST, generate, people)
    answers = {
        "host": HOST,
        "tf_versions": VERSIONS,
        "port_offset": 170,
        "uid": UIDS["ai"],
        "gid": UIDS["ai"],
        "host_home": str(people["ai"].home),
        "project_path": str(people["ai"].project),
        "conda_path": str(conda),
        "bind_address": "127.0.0.1",
        "driver": "",
        "gpus": [],
        "registry": REGISTRY,
        "mirror": "none",
    }
    made.give_containers_to("alice", "bob", "carol", **answers)
    made.directory.up()
    yield made
    made.directory.remove()
    shutil.rmtree(folder)


def test_all_are_up_and_each_logs_in_with_her_own_key_only(lab: Lab) -> None:
    assert len(lab.ids()) == 8
    with ThreadPoolExecutor(4) as at_once:
        logins = {
            (name, version): at_once.submit(
                lab.shell, name, "id -un; id -u; hostname; stat -c %u /AI", version
            )
            for name in UIDS
            for version in (OLD, NEW)
        }
        with_keys_of_others = [
            at_once.submit(lab.ssh, name, "true", key=other)
            for name in UIDS
            for other in UIDS.keys() - {name}
        ]
    for (name, version), login in logins.items():
        hostname = f"{HOST}-{lab.people[name].service(version)}"
        assert login.result().split() == [name, str(UIDS[name]), hostname, str(UIDS[name])]
    for refused in with_keys_of_others:
        assert "Permission denied (publickey)" in refused.result().stderr


SEEN_BY_BOB = ["secret\n", "bob@laptop\n", "sleep 4242"]
"""In his files, his home and his processes."""


def test_nobody_sees_the_files_processes_or_keys_of_another(lab: Lab) -> None:
    bob = lab.people["bob"]
    lab.shell("bob", "echo secret >/AI/thesis; nohup sleep 4242 >/dev/null 2>&1 &")
    look = (
        f"cat {bob.home}/.ssh/authorized_keys {bob.project}/thesis /AI/thesis 2>/dev/null; "
        "cat /proc/[0-9]*/cmdline | tr '\\0' ' '; cat /proc/mounts"
    )
    for name in UIDS.keys() - {"bob"}:
        found = lab.shell(name, look)
        assert not [his for his in SEEN_BY_BOB if his in found]
        homes = [lab.people[other].home for other in UIDS.keys() - {name}]
        assert not [home for home in homes if f" {home} " in found]
        as_her = ["setpriv", f"--reuid={UIDS[name]}", f"--regid={UIDS[name]}", "--clear-groups"]
        assert run(*as_her, "ls", bob.project).returncode != 0
    found = lab.shell("bob", look)
    assert [his for his in SEEN_BY_BOB if his in found] == SEEN_BY_BOB
    keys = {(p.project / ".ssh/ssh_host_ed25519_key.pub").read_text() for p in lab.people.values()}
    assert len(keys) == len(UIDS)


def test_logs_of_a_container_whose_conda_is_anothers_hold_no_warning(lab: Lab) -> None:
    assert "container-start:" not in lab.directory.log(lab.people["alice"].service(NEW))


def test_conda_is_shared_and_what_each_makes_of_a_release_is_her_own(lab: Lab) -> None:
    lab.shell("ai", "/environments/new.sh 2.17.0")
    for name in ("alice", "bob"):
        lab.shell(name, "/environments/new.sh 2.17.0 mnist")
    for name in ("alice", "bob"):
        for version in (OLD, NEW):  # conda runs in the second only
            command = (
                "for name in mnist tf2.17.0; do conda activate $name; echo $CONDA_PREFIX; done"
            )
            assert lab.shell(name, command, version).splitlines() == [
                "/AI/.conda/envs/mnist",
                f"{lab.people['ai'].home}/miniforge3/envs/tf2.17.0",
            ]
        made = lab.people[name].project / ".conda/envs/mnist"
        assert made.stat().st_uid == UIDS[name]
    refused = lab.ssh("bob", "conda activate tf2.17.0; touch $CONDA_PREFIX/thesis")
    assert "Permission denied" in refused.stderr


def test_who_comes_and_goes_leaves_all_others_running(lab: Lab) -> None:
    before = lab.ids()
    lab.name("alice", "bob")
    without = lab.ids()
    assert without == {name: one for name, one in before.items() if "carol" not in name}
    assert (lab.people["carol"].project / ".ssh/ssh_host_ed25519_key").exists()
    lab.name("alice", "bob", "carol")
    assert lab.ids().items() > without.items()
    ports = lab.answers["ports"]
    assert (ports[VERSIONS[1]], ports[f"carol/{VERSIONS[1]}"]) == (21892, 21895)
    assert lab.shell("carol", "id -un") == "carol\n"  # by the host key that is known


def test_people_wait_for_each_other_for_a_gpu(lab: Lab, tmp_path: Path) -> None:
    services = [lab.people[name].service(NEW) for name in ("alice", "bob")]
    add_gpu(tmp_path, "people", *map(lab.directory.image, services))
    lab.shell("alice", "nohup gpu run -- sleep 4 >/dev/null 2>&1 & sleep 1")
    assert f"alice@laptop in {HOST}-alice-{NEW} for " in lab.shell("bob", "gpu")
    waited = lab.ssh("bob", "gpu run -- printenv CUDA_VISIBLE_DEVICES")
    assert (waited.returncode, waited.stdout) == (0, "0\n")
    assert "gpu: waiting, first in the queue" in waited.stderr


def test_a_key_expires_where_sshd_knows_how(lab: Lab) -> None:
    key = lab.people["carol"].key.with_suffix(".pub").read_text()
    try:
        lab.people["carol"].allow(f'expiry-time="20990101" {key}')
        assert lab.shell("carol", "echo $LOGIN_NAME") == "carol@laptop\n"
        assert lab.ssh("carol", "true", OLD).returncode != 0
        lab.people["carol"].allow(f'expiry-time="20200101" {key}')
        assert "Permission denied" in lab.ssh("carol", "true").stderr
    finally:
        lab.people["carol"].allow(key)


def test_what_was_backed_up_comes_back_with_its_owners_and_the_host_key(lab: Lab) -> None:
    bob = lab.people["bob"]
    lab.shell(
        "bob", "mkdir -p data .cache; echo 1 >data/set; ln data/set data/same; chmod 640 data/*"
    )
    archive = bob.folder / "bob.tar"

    def as_documented(found: re.Match[str] | None) -> None:
        assert found
        line = found[0].replace("/backup/carol.tar", quote(str(archive)))
        output("bash", "-euc", line.replace("/home/carol", quote(str(bob.home))))

    as_documented(BACKUP)
    services = [bob.service(OLD), bob.service(NEW)]
    assert lab.directory.compose("stop", "--timeout=1", *services).returncode == 0
    shutil.rmtree(bob.project)
    shutil.rmtree(bob.home / ".ssh")
    as_documented(RESTORE)
    assert lab.directory.compose("start", *services).returncode == 0
    eventually(lambda: lab.ssh("bob", "true").returncode == 0)
    facts = lab.shell("bob", "cat thesis data/same; stat -c '%u %a %h' data/set; stat -c %a /AI")
    assert facts.splitlines() == ["secret", "1", f"{UIDS['bob']} 640 2", "700"]
    assert not (bob.project / ".cache").exists()
    assert (bob.home / ".ssh/authorized_keys").stat().st_uid == UIDS["bob"]
