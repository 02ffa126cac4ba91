"""A generated directory on a real engine, and real clients of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from shlex import quote
from typing import Any

from tests.support import ROOT
from tests.test_gpu import GPUS, NVIDIA_SMI

PERSON = 4321
"""UID and GID of the person on the server: nobody's in any image."""

REGISTRY = f"e2e{os.environ.get('PYTEST_XDIST_WORKER', '')}.invalid"
"""Where the stand-ins are: none is ever taken for an official image, nor for that of another
process of the tests."""

QUEUE = Path("/var/lib/gpu-queue")
"""Where jobs of all containers on this server wait for GPUs."""

LOGIN_NAME = "alice@laptop"
"""Comment of the person's key."""


def run(*command: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command; return what it did, whether it succeeded or not."""
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, **options)


def output(*command: str | Path, **options: Any) -> str:
    """Run a command that must succeed; return what it printed."""
    done = run(*command, **options)
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}{done.stderr}"
    return done.stdout


def in_image(image: str, script: str) -> str:
    """Run a script as root in a new container of an image; return what it printed."""
    return output(
        "docker", "run", "--rm", "--user=0", "--entrypoint=bash", image, "-euc", script
    )  # fmt: skip


@contextmanager
def same_host_in(directory: str, host: str) -> Iterator[None]:
    """Give another directory a container of the same host, as Compose there would."""
    labels = {"project": host, "project.working_dir": directory}
    options = [f"--label=com.docker.compose.{key}={value}" for key, value in labels.items()]
    name = f"{host}-elsewhere"
    image = output("docker", "image", "ls", "--quiet").split()[0]
    output("docker", "create", f"--name={name}", *options, image, "true")
    try:
        yield
    finally:
        output("docker", "rm", name)


def add_gpu(folder: Path, name: str, *containers: str) -> None:
    """Let containers see one GPU, as nvidia-smi would list it, and open the queue to all.

    Args:
        folder: An empty one. Its file `gpus` is what `nvidia-smi` there prints.
        name: Its UUID. All tests share the queue, and one GPU of it would be that of another.
        containers: Those that get both files.
    """
    gpu, *_ = GPUS.splitlines()
    (folder / "gpus").write_text(gpu.replace("bbbbbbbb", name) + "\n")
    (folder / "nvidia-smi").write_text(NVIDIA_SMI.replace("$GPUS", "/gpus"))
    (folder / "nvidia-smi").chmod(0o755)
    for container in containers:
        output("docker", "cp", folder / "gpus", f"{container}:/gpus")
        output("docker", "cp", folder / "nvidia-smi", f"{container}:/usr/local/bin")
    QUEUE.mkdir(exist_ok=True)
    QUEUE.chmod(0o1777)  # as host/setup.sh does: another process of the tests needs it too


def install_conda(root: Path, version: str = "25.3.1") -> None:
    """Install a stand-in of conda's shape, whose Python wants glibc 2.34 as this machine's do.

    Ubuntu 18.04 and 20.04 cannot run it, as they cannot run a real conda that is too new.

    Args:
        root: The directory to make.
        version: The conda that it behaves like: 4.12.0, 25.3.1 or 26.7.1.
    """
    stand_in = ROOT / "tests/e2e/conda"
    for folder in ("bin", "condabin", "conda-meta", "envs", "pkgs", "etc/profile.d"):
        (root / folder).mkdir(parents=True)
    shutil.copy("/usr/bin/true", root / "bin/python")
    for folder in ("bin", "condabin"):
        shutil.copy(stand_in / "conda", root / folder / "conda")
    hook = (stand_in / "conda.sh").read_text().replace("@ROOT@", quote(str(root)))
    (root / "etc/profile.d/conda.sh").write_text(hook)
    (root / "version").write_text(version)


@dataclass(frozen=True)
class Directory:
    """A generated directory."""

    path: Path
    answers: dict[str, Any]

    def compose(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run("docker", "compose", *arguments, cwd=self.path)

    def up(self) -> None:
        done = self.compose("up", "-d", "--build", "--wait")
        assert done.returncode == 0, done.stderr + self.compose("logs", "--no-color").stdout

    def build(self, *options: str) -> str:
        """Build all images; return the whole log."""
        done = self.compose("--progress=plain", "build", *options)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def remove(self) -> None:
        self.compose("down", "--volumes", "--rmi=all", "--timeout=1")

    def image(self, service: str) -> str:
        return f"{self.answers['host']}-{service}"

    def container(self, service: str) -> dict[str, Any]:
        (facts,) = json.loads(output("docker", "container", "inspect", self.image(service)))
        return dict(facts)

    def log(self, service: str) -> str:
        """Return what a service printed, errors too."""
        done = subprocess.run(
            ["docker", "logs", self.image(service)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True,
        )  # fmt: skip
        return done.stdout

    def exec(self, service: str, *command: str) -> str:
        return output("docker", "compose", "exec", "-T", service, *command, cwd=self.path)


@dataclass(frozen=True)
class Person:
    """A person on the server: a home with keys and conda, a project directory, a laptop."""

    folder: Path

    @classmethod
    def arrive(cls, folder: Path) -> Person:
        person = cls(folder)
        for path in (person.home / ".ssh", person.projects, person.laptop):
            path.mkdir(parents=True)
        install_conda(person.conda)
        output("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", LOGIN_NAME, "-f", person.key)
        shutil.copy(person.key.with_suffix(".pub"), person.home / ".ssh/authorized_keys")
        (person.home / ".ssh").chmod(0o700)
        person.owns(person.home)
        return person

    def owns(self, path: Path) -> None:
        """Give a path and all below it to the person."""
        output("chown", "-R", f"{PERSON}:{PERSON}", path)

    @property
    def home(self) -> Path:
        """An odd name, that every file and tool must take as it is."""
        return self.folder / "a=i/home & 100% 李"

    @property
    def conda(self) -> Path:
        return self.home / "miniconda3"

    @property
    def projects(self) -> Path:
        return self.home / "tensorflow_volume"

    @property
    def data(self) -> Path:
        return self.folder / "data set"

    @property
    def laptop(self) -> Path:
        return self.folder / "laptop"

    @property
    def key(self) -> Path:
        return self.laptop / "id_ed25519"

    def answers(self, **more: Any) -> dict[str, Any]:
        return {
            "uid": PERSON,
            "gid": PERSON,
            "host_home": str(self.home),
            "conda_path": str(self.conda),
            "project_path": str(self.projects),
            "bind_address": "127.0.0.1",
            "driver": "",
            "gpus": [],
            "registry": REGISTRY,
            **more,
        }


@dataclass(frozen=True)
class Laptop:
    """The person's laptop: real clients with the generated ssh_config."""

    person: Person
    directory: Directory

    @cached_property
    def config(self) -> Path:
        """The ssh_config for this host, without the jump to it, since this is it, and the key."""
        text = (self.directory.path / "ssh_config").read_text()
        host = self.directory.answers["host"]
        assert f"    ProxyJump {host}\n" in text
        path = self.person.laptop / f"{host}.conf"
        path.write_text(
            text.replace(f"    ProxyJump {host}\n", "")
            + f"    IdentityFile {self.person.key}\n"
            + f"    UserKnownHostsFile {self.person.laptop}/known_hosts\n"
            + "    StrictHostKeyChecking accept-new\n    BatchMode yes\n    LogLevel ERROR\n"
        )
        return path

    def alias(self, service: str) -> str:
        return f"{self.directory.answers['host']}-{service}"

    def ssh(
        self, service: str, command: str, *options: str, timeout: int = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a command over ssh, for at most so many seconds."""
        line = [*options, self.alias(service), command]
        return run("ssh", "-F", self.config, *line, timeout=timeout)

    def shell(self, service: str, command: str, *options: str) -> str:
        """Run a command that must succeed over ssh; return what it printed."""
        done = self.ssh(service, command, *options)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
