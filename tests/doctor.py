"""The doctor of a host as a module, and a host that it can be run on in this process."""

from __future__ import annotations

import json
import os
import stat
import sys
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.support import ROOT

PROGRAM = ROOT / "template/host/host/doctor"


def load() -> Any:
    """Return the program as a module; no compiled file is left in the template."""
    module = ModuleType("doctor_of_a_host")
    module.__file__ = str(PROGRAM)
    sys.modules[module.__name__] = module  # dataclasses look it up
    exec(compile(PROGRAM.read_text(), PROGRAM, "exec"), module.__dict__)
    return module


doctor = load()

UID = os.getuid() or 1000
"""Owner of the directories, and of the containers."""

NAME = "gpu01-tf2.17.0"
"""The container that is started where one is."""


@dataclass
class StandIn(doctor.Machine):  # type: ignore[misc,name-defined]
    """A machine whose commands and network answer as they are told; its files are real."""

    commands: dict[str, Any] = field(default_factory=dict)
    """Answer by a pattern of the command; the last that fits holds."""
    replies: dict[str, Any] = field(default_factory=dict)
    """Reply, or the error, by a pattern of the method and URL."""
    files: dict[str, Any] = field(default_factory=dict)
    """Content, or the error, instead of that of the real file."""
    environment: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def run(self, *command: str, **_: Any) -> Any:
        line = " ".join(command)
        for pattern, answer in reversed(self.commands.items()):
            if fnmatchcase(line, pattern):
                return answer
        return doctor.Answer(problem=doctor.MISSING)

    def which(self, command: str) -> bool:
        return any(fnmatchcase(command, pattern) for pattern in self.commands)

    def ask(self, method: str, url: str, headers: Any, proxy: str = "", verify: bool = True) -> Any:
        self.asked.append((method, url, headers.get("Authorization", ""), proxy, str(verify)))
        for pattern, reply in reversed(self.replies.items()):
            if fnmatchcase(f"{method} {url}", pattern):
                if isinstance(reply, Exception):
                    raise reply
                return reply
        raise OSError("Network is unreachable")

    def read(self, path: str) -> bytes:
        found = self._file(path)
        return found if isinstance(found, bytes) else super().read(path)

    def stat(self, path: str) -> Any:
        found = self._file(path)
        return found if isinstance(found, os.stat_result) else super().stat(path)

    def names(self, folder: str) -> Any:
        self._file(folder)
        return super().names(folder)

    def space(self, path: str) -> Any:
        found = self._file(path)
        if not path:
            raise FileNotFoundError(2, "No such file or directory")
        return found if isinstance(found, os.statvfs_result) else space(500, 10**6)

    def person(self) -> str:
        return "alice"

    def _file(self, path: str) -> Any:
        for pattern, content in reversed(self.files.items()):
            if fnmatchcase(path, pattern):
                if isinstance(content, Exception):
                    raise content
                return content
        return None

    def says(self, pattern: str, out: str = "", status: int = 0, error: str = "") -> None:
        """Let a command answer in another way."""
        self.commands.pop(pattern, None)
        self.commands[pattern] = doctor.Answer(out, error, status)

    def has(self, *containers: Any) -> None:
        """Let the engine have these containers."""
        ids = [f"{number:064x}" for number in range(len(containers))]
        self.says("docker ps *", "\n".join(ids))
        self.says("docker container inspect *", "\n".join(map(json.dumps, containers)))


def space(gigabytes: float, inodes: int) -> os.statvfs_result:
    """Return the free space of a file system."""
    free = int(gigabytes * 1e9 / 1000)
    return os.statvfs_result((1000, 1000, free, free, free, 10**9, inodes, inodes, 0, 255))


def container(name: str = NAME, **state: Any) -> dict[str, Any]:
    """Return what Docker says of a container that runs, but for what is given."""
    health = state.pop("Health", "healthy")
    return {
        "Name": f"/{name}",
        "State": {
            "Status": "running",
            "Running": True,
            "Error": "",
            "ExitCode": 0,
            "OOMKilled": False,
            **({"Health": {"Status": health}} if health else {}),
            **state,
        },
        "HostConfig": {"Memory": 0},
        "Config": {"Labels": {}},
        "NetworkSettings": {"Ports": {"22/tcp": [{"HostIp": "0.0.0.0", "HostPort": "21722"}]}},
    }


INFO: dict[str, Any] = {
    "Runtimes": {"nvidia": {}, "runc": {}},
    "SecurityOptions": ["name=seccomp,profile=default"],
    "DockerRootDir": "/var/lib/docker",
    "MemTotal": 64 * 10**9,
    "RegistryConfig": {
        "Mirrors": [],
        "IndexConfigs": {"docker.io": {"Secure": True}},
    },
    "HttpProxy": "",
    "HttpsProxy": "",
    "NoProxy": "",
}
NETWORK: dict[str, Any] = {
    "Name": "gpu01_ai-bridge",
    "Id": "5" * 64,
    "Options": {},
    "IPAM": {"Config": [{"Subnet": "172.18.0.0/16", "Gateway": "172.18.0.1"}]},
}
ROUTES = b"""Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT
eth0 00000000 0100000A 0003 0 0 0 00000000 0 0 0
eth0 0000000A 00000000 0001 0 0 0 00FFFFFF 0 0 0
br-555555555555 000012AC 00000000 0001 0 0 0 0000FFFF 0 0 0
"""
COMPOSED: dict[str, Any] = {"services": {"tf2.17.0": {"container_name": NAME}}}


def sound_machine() -> StandIn:
    """Return a sound machine before its first start."""
    made = StandIn()
    for pattern, out in {
        "nvidia-smi *driver_version*": "550.54.15\n550.54.15",
        "nvidia-smi *compute_cap*": "7.5",
        "docker version *": "24.0.7",
        "docker compose version *": "v2.24.5",
        "docker compose config *": json.dumps(COMPOSED),
        "docker buildx version": "github.com/docker/buildx v0.12.1",
        "docker info *": json.dumps(INFO),
        "docker network ls *": "5" * 64,
        "docker network inspect *": json.dumps(NETWORK),
        f"docker exec {NAME} nvidia-smi -L": "GPU 0: RTX\nGPU 1: RTX",
        f"docker exec {NAME} bash -c for library*": "checked",
        f"docker exec {NAME} bash -c environment=*": "checked",
        f"docker exec {NAME} bash -c for python*": "CUDA 0 2",
        f"docker exec {NAME} dpkg-query *": "hi libcudnn8\nii vim",
        "docker system df *": '{"Type":"Images","Size":"45GB","Reclaimable":"12GB (26%)"}',
        "du *": "300000000\t/p/a\n12000000000\t/p/b",
        "ss *": "LISTEN 0 128 0.0.0.0:22 0.0.0.0:*",
        "timedatectl *": "yes",
    }.items():
        made.says(pattern, out)
    made.says("docker image inspect *", "", 1, "Error: No such image: tensorflow")
    made.has()
    made.replies = {
        "HEAD https://mirror.example.com/ubuntu/*": doctor.Reply(200),
        "HEAD https://registry.example.com/v2/hub/*/manifests/*": doctor.Reply(200),
    }
    made.files = {
        "/proc/net/route": ROUTES,
        "/etc/localtime": PROGRAM.stat(),
        "/var/lib/gpu-queue": os.stat_result((stat.S_IFDIR | 0o1777, 0, 0, 1, 0, 0, 0, 0, 0, 0)),
        "/run/systemd/resolve/resolv.conf": FileNotFoundError(2, "No such file or directory"),
        "/etc/resolv.conf": b"nameserver 10.0.0.53\nsearch example.com\n",
    }
    return made


@dataclass
class Host:
    """A generated directory and the machine that it is on."""

    path: Path
    home: Path
    machine: StandIn

    def report(self, *arguments: str) -> list[Any]:
        """Return what the checks find, as the program has it before it prints."""
        host = doctor.Host(self.machine, str(self.path))
        return list(
            doctor.results(
                host, [*doctor.CHECKS, doctor.usage] if "--usage" in arguments else doctor.CHECKS
            )
        )

    def lines(self, *arguments: str) -> list[str]:
        return [" ".join(result.line().split()) for result in self.report(*arguments)]


def furnish(path: Path, home: Path) -> Host:
    """Make home, conda and projects of the person, and return a sound host."""
    home.mkdir(mode=0o750, parents=True)
    python = home / "conda/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("GLIBC_2.2.5\0GLIBC_2.17\0")
    (home / "conda/bin/conda").symlink_to("/bin/true")
    (home / "conda/envs/tf2.17.0").mkdir(parents=True)
    key = home / "projects/.ssh/ssh_host_ed25519_key"
    key.parent.mkdir(parents=True)
    key.touch(mode=0o600)
    if os.getuid() == 0:
        for folder in (home, home / "conda", home / "conda/envs", home / "projects", key):
            os.chown(folder, UID, UID)
    return Host(path, home, sound_machine())
