"""Three people with containers of their own, who share a host, conda and GPUs."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

import pytest

from tests.e2e.conftest import JAMMY, RELEASES, official
from tests.e2e.support import REGISTRY, Directory, install_conda, output, run
from tests.e2e.test_gpus import QUEUE
from tests.releases import Host, Repository
from tests.support import ROOT
from tests.test_gpu import GPUS, NVIDIA_SMI

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

    host: Host
    people: dict[str, Colleague]

    @property
    def directory(self) -> Directory:
        return Directory(self.host.path, self.host.answers)

    def name(self, *names: str) -> None:
        """Give containers to these people and nobody else, by the commands of the README."""
        self.host.answer(people={name: self.people[name].answer for name in names})
        done = self.directory.compose("up", "-d", "--wait", "--remove-orphans")
        assert done.returncode == 0, done.stderr

    def ssh(
        self, name: str, command: str, version: str = NEW, key: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Log in to somebody's container, with her own key or that of another."""
        config = self.people["ai"].folder / f"{HOST}.conf"
        text = self.host.read("ssh_config").replace(f"    ProxyJump {HOST}\n", "")
        config.write_text(f"{text}\nHost *\n    UserKnownHostsFile {config.parent}/known_hosts\n")
        options = ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=accept-new"]
        options += ["-o", "IdentitiesOnly=yes", "-i", str(self.people[key or name].key)]
        alias = f"{HOST}-{self.people[name].service(version)}"
        return run("ssh", "-F", config, "-o", "LogLevel=ERROR", *options, alias, command)

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
    copier_template: Path,
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
    repository = Repository.create(tmp_path_factory.mktemp("people") / "repository")
    answers = {
        "host": HOST,
        "tf_versions": VERSIONS,
        "port_offset": 170,
        "uid": UIDS["ai"],
        "gid": UIDS["ai"],
        "host_home": str(people["ai"].home),
        "project_path": str(people["ai"].project),
        "conda_path": str(conda),
        "people": {name: people[name].answer for name in ("alice", "bob", "carol")},
        "bind_address": "127.0.0.1",
        "driver": "",
        "gpus": [],
        "registry": REGISTRY,
        "mirror": "none",
    }
    made = Lab(repository.copy(copier_template, answers), people)
    made.directory.up()
    yield made
    made.directory.remove()
    shutil.rmtree(folder)


def test_all_are_up_and_each_logs_in_with_her_own_key_only(lab: Lab) -> None:
    assert len(lab.ids()) == 8
    for name in UIDS:
        for version in (OLD, NEW):
            facts = lab.shell(name, "id -un; id -u; hostname; stat -c %u /AI", version).split()
            hostname = f"{HOST}-{lab.people[name].service(version)}"
            assert facts == [name, str(UIDS[name]), hostname, str(UIDS[name])]
        for other in UIDS.keys() - {name}:
            refused = lab.ssh(name, "true", key=other)
            assert "Permission denied (publickey)" in refused.stderr


def test_nobody_sees_the_files_processes_or_keys_of_another(lab: Lab) -> None:
    lab.shell("bob", "echo secret >/AI/thesis; nohup sleep 4242 >/dev/null 2>&1 &")
    fingerprints = set()
    for name in UIDS.keys() - {"bob"}:
        for place in (lab.people["bob"].home, lab.people["bob"].project):
            assert lab.ssh(name, f"ls {place}").returncode != 0
        assert lab.ssh(name, "cat /AI/thesis").returncode != 0
        found = lab.shell(name, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
        assert "sleep 4242" not in found
        mounts = lab.shell(name, "cat /proc/mounts")
        homes = [lab.people[other].home for other in UIDS.keys() - {name}]
        assert not [home for home in homes if f" {home} " in mounts]
        as_her = ["setpriv", f"--reuid={UIDS[name]}", f"--regid={UIDS[name]}", "--clear-groups"]
        assert run(*as_her, "ls", lab.people["bob"].project).returncode != 0
    for one in lab.people.values():
        fingerprints.add((one.project / ".ssh/ssh_host_ed25519_key.pub").read_text())
    assert len(fingerprints) == len(UIDS)
    assert "sleep 4242" in lab.shell("bob", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")


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
    ports = lab.host.answers["ports"]
    assert (ports[VERSIONS[1]], ports[f"carol/{VERSIONS[1]}"]) == (21892, 21895)
    assert lab.shell("carol", "id -un") == "carol\n"  # by the host key that is known


def test_people_wait_for_each_other_for_a_gpu(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "gpus").write_text(GPUS.splitlines()[0] + "\n")
    (tmp_path / "nvidia-smi").write_text(NVIDIA_SMI.replace("$GPUS", "/gpus"))
    (tmp_path / "nvidia-smi").chmod(0o755)
    for name in ("alice", "bob"):
        container = lab.directory.image(lab.people[name].service(NEW))
        for file, place in (("gpus", "/gpus"), ("nvidia-smi", "/usr/local/bin/nvidia-smi")):
            output("docker", "cp", tmp_path / file, f"{container}:{place}")
    mode = QUEUE.stat().st_mode
    QUEUE.chmod(0o1777)  # as host/setup.sh does
    try:
        lab.shell("alice", "nohup gpu run -- sleep 4 >/dev/null 2>&1 & sleep 1")
        assert f"alice@laptop in {HOST}-alice-{NEW} for " in lab.shell("bob", "gpu")
        waited = lab.ssh("bob", "gpu run -- printenv CUDA_VISIBLE_DEVICES")
        assert (waited.returncode, waited.stdout) == (0, "0\n")
        assert "gpu: waiting, first in the line" in waited.stderr
    finally:
        QUEUE.chmod(mode)


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
    done = lab.directory.compose("up", "-d", "--wait", *services)
    assert done.returncode == 0, done.stderr
    facts = lab.shell("bob", "cat thesis data/same; stat -c '%u %a %h' data/set; stat -c %a /AI")
    assert facts.splitlines() == ["secret", "1", f"{UIDS['bob']} 640 2", "700"]
    assert not (bob.project / ".cache").exists()
    assert (bob.home / ".ssh/authorized_keys").stat().st_uid == UIDS["bob"]
