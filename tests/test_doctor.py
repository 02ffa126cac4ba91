"""The doctor of a host reports every problem that it can see, and what it could not see."""

# ruff: noqa: E501 (a sentence stands whole, as it is printed)

from __future__ import annotations

import ast
import errno
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_copier.plugin import CopierProject

from tests.doctor import (
    COMPOSED,
    INFO,
    NAME,
    NETWORK,
    PROGRAM,
    UID,
    Host,
    container,
    doctor,
    furnish,
    sound_machine,
    space,
)

Change = Callable[[Host], None]

FORBIDDEN = PermissionError(errno.EACCES, "Permission denied")
GONE = FileNotFoundError(errno.ENOENT, "No such file or directory")


@pytest.fixture(scope="module")
def project(generate: Callable[..., CopierProject], on_disk: Path) -> CopierProject:
    home = on_disk / "home"
    return generate(
        host="gpu01",
        tf_versions=["1.15.5", "2.11.0", "2.13.0", "2.17.0"],
        gpus=[],
        driver="",
        uid=UID,
        gid=UID,
        host_home=str(home),
        conda_path=str(home / "conda"),
        project_path=str(home / "projects"),
        mirror="https://mirror.example.com",
        registry="registry.example.com/hub",
    )


def made(project: CopierProject, path: Path) -> Host:
    """Return a sound host with the generated directory at a path."""
    home = Path(project.answers["host_home"])
    shutil.rmtree(path, ignore_errors=True)
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(project.path, path, ignore=shutil.ignore_patterns(".git"))
    return furnish(path, home)


@pytest.fixture
def host(project: CopierProject, tmp_path: Path) -> Host:
    return made(project, tmp_path / "gpu01")


SOUND = [
    "ok facts 4 containers are defined here",
    "ok driver 550.54.15 is new enough for every container",
    "ok gpus every release runs on turing",
    "ok docker Docker Engine 24.0.7",
    "ok compose Compose v2.24.5, and it reads docker-compose.yml",
    "ok buildx buildx is installed",
    "ok users UIDs in containers are those of the server",
    "ok toolkit Docker has the NVIDIA runtime",
    "ok paths all directories to mount exist",
    "ok timezone /etc/localtime has the time zone of the containers",
    "ok gpuqueue all can write to /var/lib/gpu-queue",
    "ok user the containers run as {uid}:{uid}",
    "ok conda {home}/conda",
    "ok glibc every container has the glibc 2.17 that conda needs",
    "ok mirror https://mirror.example.com/ubuntu/dists/bionic/InRelease answers",
    "ok clock the clock is synchronised",
    "ok disk docker: 500 GB are free in /var/lib/docker, and 25 GB are needed for images",
    "ok disk project_path: 500 GB are free in {home}/projects",
    "ok memory no container has a memory limit; the server has 64 GB",
    "ok networks no route of the server overlaps Docker's networks",
    "ok project no other directory has containers under the name gpu01",
    "ok ports every port is free or used by its container",
    "ok hostkey project_path: only {uid} can read {home}/projects/.ssh/ssh_host_ed25519_key",
    "ok images the 4 that are not here are in registry.example.com",
    "ok container tf1.15.5: is not started",
    "ok container tf2.11.0: is not started",
    "ok container tf2.13.0: is not started",
    "ok container tf2.17.0: is not started",
]
SOUND_CONTAINER = [
    "ok container tf2.17.0: is healthy",
    "ok gpu tf2.17.0: sees 2 GPU(s)",
    "ok libraries tf2.17.0: loads every library that its TensorFlow opens for a GPU",
    "ok environments tf2.17.0: every library that TensorFlow opens for a GPU can be loaded in tf2.17.0",
    "ok cuda tf2.17.0: CUDA uses 2 GPU(s)",
    "ok holds tf2.17.0: holds every CUDA package",
]


def filled(line: str, host: Host) -> str:
    """Return a line with the names of this host."""
    return line.format(home=host.home, uid=UID, here=host.path)


def test_a_sound_host_has_no_failure_and_no_warning(host: Host) -> None:
    assert host.lines() == [filled(line, host) for line in SOUND]


def test_a_sound_container_has_its_lines(host: Host) -> None:
    host.machine.has(container())
    assert [line for line in host.lines() if " tf2.17.0: " in line] == SOUND_CONTAINER


def no(*commands: str) -> Change:
    """Take commands off the host."""

    def change(host: Host) -> None:
        for pattern in list(host.machine.commands):
            if pattern.split()[0] in commands:
                del host.machine.commands[pattern]

    return change


def says(pattern: str, out: str = "", status: int = 0, error: str = "") -> Change:
    """Let a command answer in another way."""
    return lambda host: host.machine.says(pattern, out, status, error)


def hangs(pattern: str) -> Change:
    """Let a command not end."""
    slow = doctor.Answer(problem="did not end within 20 s")
    return lambda host: host.machine.commands.update({pattern: slow})


def info(**changes: Any) -> Change:
    """Let the engine say other things about itself."""
    return says("docker info *", json.dumps({**INFO, **changes}))


def network(**changes: Any) -> Change:
    return says("docker network inspect *", json.dumps({**NETWORK, **changes}))


def has(*containers: Any) -> Change:
    return lambda host: host.machine.has(*containers)


def inside(command: str, out: str = "", status: int = 0, error: str = "") -> Change:
    """Let a container that runs answer in another way."""
    return both(has(container()), says(f"docker exec {NAME} {command}", out, status, error))


def cuda(code: int, gpus: int = 0) -> Change:
    return inside("bash -c for python*", f"CUDA {code} {gpus}")


def file(pattern: str, content: Any) -> Change:
    """Let a file have another content, or not be read."""
    return lambda host: host.machine.files.update({filled(pattern, host): content})


def web(pattern: str, reply: Any) -> Change:
    """Let a server answer in another way."""
    return lambda host: host.machine.replies.update({pattern: reply})


def facts(**changes: Any) -> Change:
    """Let facts.json have other values, None for none; ``image`` is that of every container."""

    def change(host: Host) -> None:
        path = host.path / "host/facts.json"
        data = {**json.loads(path.read_text()), **changes}
        if image := data.pop("image", None):
            for one in data["containers"].values():
                one["image"] = image
        path.write_text(json.dumps({key: value for key, value in data.items() if value != ""}))

    return change


def write(path: str, text: str) -> Change:
    def change(host: Host) -> None:
        (host.path / path).write_text(text)

    return change


def at_home(change: Callable[[Path], object]) -> Change:
    return lambda host: (change(host.home), None)[1]


def both(*changes: Change) -> Change:
    def change(host: Host) -> None:
        for one in changes:
            one(host)

    return change


def strict_umask(host: Host) -> None:
    write(".env", "CURRENT_UID=4321:4321\n")(host)
    for path in (host.path / "environments", *(host.path / "environments").iterdir()):
        path.chmod(0o700)


def closed_to(mode: int, path: str) -> Change:
    """Let somebody else own a path of the directory, with that mode."""

    def change(host: Host) -> None:
        write(".env", "CURRENT_UID=4321:4321\n")(host)
        (host.path / path).chmod(mode)

    return change


def foreign_environments(host: Host) -> None:
    folder = host.home / "conda/envs"
    folder.mkdir(exist_ok=True)
    if os.getuid() == 0:
        os.chown(folder, UID, UID)
    write(".env", "CURRENT_UID=4321:4321\n")(host)


def half_made(host: Host) -> None:
    host.machine.has(container())
    (host.home / "conda/envs/tf2.17.0/.unfinished").touch()


def closed_environments(host: Host) -> None:
    host.machine.has(container())
    file("{home}/conda/envs", FORBIDDEN)(host)


def another(host: str = "gpu01", name: str = "gpu01-tf2.9.3") -> dict[str, Any]:
    """Return a container of another directory whose host is called so."""
    labels = {"com.docker.compose.project": host, "com.docker.compose.project.working_dir": "/usr"}
    return {**container(name), "Config": {"Labels": labels}}


def limited(gigabytes: int, name: str) -> dict[str, Any]:
    return {**container(name), "HostConfig": {"Memory": gigabytes * 10**9}}


def certificate_error() -> URLError:
    error = ssl.SSLCertVerificationError()
    error.verify_message = "unable to get local issuer certificate"
    return URLError(error)


SSHD = 'LISTEN 0 128 0.0.0.0:21722 0.0.0.0:* users:(("sshd",pid=7,fd=3))'
WRITE_PORT = "stop it; or, if nobody uses the port yet, change it under ports in .copier-answers.yml, commit, and run: uvx --with copier-template-extensions copier recopy --trust --force --vcs-ref :current:"
NETWORK_FIX = "check the answers 'mirror', 'registry' and 'proxy'"
RECREATE = "run: docker compose up -d --force-recreate tf2.17.0"
MIRROR = "https://mirror.example.com/ubuntu/dists/bionic/InRelease"
HUB = "HEAD https://registry.example.com/v2/*"
NEEDED = "(needed for tf1.15.5, tf2.11.0, tf2.13.0, tf2.17.0)"
LOGS = "read: docker compose logs --tail 50 tf2.17.0"
POOLS = "https://docs.docker.com/engine/network/#subnet-allocation"
OTHER_POOLS = f"give Docker other default-address-pools in /etc/docker/daemon.json ({POOLS}), restart Docker, and create the network again"
OTHER_SUBNET = "run: docker compose down; then answer 'subnet' with a free network, and start again"
UNREACHABLE = "this server and its containers may not reach what is there"

FREE = "free some space (host/doctor --usage names what takes it), or change data-root in /etc/docker/daemon.json"
CONTAINERD = info(
    DriverStatus=[["driver-type", "io.containerd.snapshotter.v1"]],
    Containerd={"Address": "/run/containerd/containerd.sock"},
)

CASES: dict[str, tuple[Change, str]] = {
    "no facts": (file("*/facts.json", GONE), "fail facts host/facts.json cannot be read (No such file or directory), so little can be checked; restore it: git checkout -- host/facts.json"),
    "half of the facts": (write("host/facts.json", '{"host": "gpu01",'), "fail facts host/facts.json is damaged (Expecting property name enclosed in double quotes: line 1 column 18 (char 17)), so little can be checked; restore it: git checkout -- host/facts.json"),
    "other facts": (facts(uid="me"), "fail facts host/facts.json is damaged ('me' is not a int), so little can be checked; restore it: git checkout -- host/facts.json"),
    "no driver": (no("nvidia-smi"), "fail driver there is no nvidia-smi, so no NVIDIA driver; host/setup.sh --check names the command that installs it"),
    "another driver loaded": (says("nvidia-smi *driver_version*", "Failed to initialize NVML: Driver/library version mismatch", 18), "fail driver the driver was updated, and the old one is still loaded; reboot the server"),
    "a broken driver": (says("nvidia-smi *driver_version*", "No devices were found", 6), "fail driver nvidia-smi says: No devices were found; look for NVRM in: sudo dmesg; reboot the server, and install the driver again if that does not help"),
    "a driver that hangs": (hangs("nvidia-smi *"), "fail driver nvidia-smi did not end within 20 s; look for NVRM in: sudo dmesg; reboot the server, and install the driver again if that does not help"),
    "no version of the driver": (says("nvidia-smi *driver_version*", "[N/A]"), "warn driver nvidia-smi says: [N/A], which is not a version, so the driver is not checked; run: nvidia-smi"),
    "an old driver": (says("nvidia-smi *driver_version*", "418.40.04"), "fail driver tf2.17.0: the driver 418.40.04 is too old, 525.60.13 or newer is needed; host/setup.sh --check names the command that upgrades it; or remove that version"),
    "a driver between branches": (says("nvidia-smi *driver_version*", "530.30.02"), "fail driver tf2.17.0: the driver 530.30.02 is between the branches that it starts on (525, 535; 545.23.06 or newer); install one of these: host/setup.sh --check names the command that upgrades it; or remove that version"),
    "a driver for data centres": (says("nvidia-smi *driver_version*", "470.82.01"), "warn driver tf2.17.0: starts with the driver 470.82.01 on data-centre GPUs only (such as T4 or A100); for any other GPU upgrade it to 525.60.13 or newer: host/setup.sh --check names the command that upgrades it"),
    "a driver of a branch": (says("nvidia-smi *driver_version*", "525.147.05"), "ok driver 525.147.05 is new enough for every container"),
    "GPUs unknown": (says("nvidia-smi *compute_cap*", "Field is not valid", 2), "warn gpus nvidia-smi says: Field is not valid, so the GPU generations are not checked; compare the GPUs of nvidia-smi -L with the table in README.md"),
    "a GPU of tomorrow": (says("nvidia-smi *compute_cap*", "7.5\n14.0"), "warn gpus the generation of compute capability 14.0 is not known here, so that GPU is not checked; compare it with the TensorFlow release: https://developer.nvidia.com/cuda-gpus"),
    "a GPU too new": (says("nvidia-smi *compute_cap*", "8.0"), "fail gpus tf1.15.5: TensorFlow 1.15.5 does not run on ampere (CUDA 10 has no code for Ampere and newer); choose a release that does: README.md names the generations of each"),
    "a GPU that compiles": (says("nvidia-smi *compute_cap*", "9.0"), "warn gpus tf2.13.0: TensorFlow 2.13.0 compiles for hopper at its first start, half an hour or more; wait once, and keep ~/.nv/ComputeCache"),
    "a GPU unverified": (says("nvidia-smi *compute_cap*", "9.0"), "warn gpus tf2.11.0: TensorFlow 2.11.0 is not verified on hopper; try it, or choose a release whose row in README.md has no question mark"),
    "no Docker": (no("docker"), "fail docker Docker is not installed; run: sudo host/setup.sh"),
    "Docker refused": (says("docker version *", error="permission denied while trying to connect", status=1), "fail docker alice is not allowed to use Docker; run: sudo usermod --append --groups docker alice, and log in again"),
    "Docker stopped": (says("docker version *", error="Cannot connect to the Docker daemon", status=1), "fail docker the Docker engine does not answer: docker version says: Cannot connect to the Docker daemon; run: sudo systemctl restart docker; its log: sudo journalctl --unit docker"),
    "another program": (says("docker version *", "podman"), "fail docker docker version says: podman, which is not a version of Docker Engine; install Docker Engine: https://docs.docker.com/engine/install"),
    "an old Docker": (says("docker version *", "20.10.9"), "fail docker Docker Engine 20.10.9 is too old, 20.10.10 or newer is needed; upgrade Docker: https://docs.docker.com/engine/install"),
    "another machine's Docker": (lambda host: host.machine.environment.update(DOCKER_HOST="ssh://gpu02"), "warn docker DOCKER_HOST is ssh://gpu02: what follows about Docker may be another machine's; run: unset DOCKER_HOST"),
    "another Docker of this machine": (lambda host: host.machine.environment.update(DOCKER_HOST="unix:///run/docker2.sock"), "ok docker Docker Engine 24.0.7"),
    "Docker from snap": (info(DockerRootDir="/var/snap/docker/common/var-lib-docker"), "fail docker Docker is installed from snap, which cannot mount directories outside of homes; run: sudo snap remove docker, which removes its containers and images too; then run: sudo host/setup.sh"),
    "no Compose": (says("docker compose version *", error="docker: 'compose' is not a docker command.", status=1), "fail compose Docker has no working Compose plugin: docker compose version says: docker: 'compose' is not a docker command.; run: sudo host/setup.sh"),
    "an old Compose": (says("docker compose version *", "2.3.3"), "fail compose Compose 2.3.3 is too old, 2.4 or newer is needed; run: sudo host/setup.sh"),
    "a slip in the compose file": (says("docker compose config *", error="yaml: line 3: mapping values are not allowed in this context", status=15), "fail compose Compose cannot read docker-compose.yml and .env: it says: yaml: line 3: mapping values are not allowed in this context; correct the file that it names; git diff shows what was changed"),
    "no buildx": (says("docker buildx version", "", 1), "fail buildx Docker has no working buildx plugin: docker buildx version prints nothing; run: sudo host/setup.sh"),
    "no info about users": (says("docker info *", "garbage"), "warn users docker info cannot be read, so it is not checked whether Docker maps UIDs; run: docker info"),
    "rootless": (info(SecurityOptions=["name=seccomp,profile=default", "name=rootless"]), "fail users rootless Docker is not supported: the containers' user owns nothing in the mounted directories; use the system's engine, which sudo host/setup.sh installs: docker context use default"),
    "userns-remap": (info(SecurityOptions=["name=userns"]), "fail users userns-remap of Docker is not supported: the containers' user owns nothing in the mounted directories; remove userns-remap from /etc/docker/daemon.json, and run: sudo systemctl restart docker"),
    "no toolkit": (info(Runtimes={"runc": {}}), "fail toolkit Docker cannot give GPUs to containers: there is no NVIDIA runtime, hook or CDI device; run: sudo host/setup.sh"),
    "no info about the toolkit": (says("docker info *", "[]"), "warn toolkit docker info cannot be read, so it is not checked whether containers get GPUs; run: docker info"),
    "a hook": (both(info(Runtimes={}), says("nvidia-container-runtime-hook")), "ok toolkit Docker has NVIDIA's hook"),
    "CDI devices": (both(info(Runtimes={}), says("nvidia-ctk cdi list", "nvidia.com/gpu=all")), "ok toolkit Docker has NVIDIA's CDI devices"),
    "no home": (at_home(shutil.rmtree), "fail paths host_home: {home} does not exist; run: sudo host/setup.sh"),
    "no data": (facts(mounts=["/nowhere/data"]), "fail paths /nowhere/data: /nowhere/data does not exist; mount its disk or create it; or remove it from the answer 'mounts'"),
    "a file for projects": (both(at_home(lambda home: shutil.rmtree(home / "projects")), at_home(lambda home: (home / "projects").touch())), "fail paths project_path: {home}/projects is not a directory; move it away, and run: sudo host/setup.sh"),
    "a closed home": (file("{home}/*", FORBIDDEN), "warn paths conda_path: {home}/conda is closed to alice ({home} has mode 750), so it is not checked; run: sudo {here}/host/doctor"),
    "a file server that is down": (file("{home}/projects", TimeoutError("no answer within 10 s")), "fail paths project_path: {home}/projects cannot be read: no answer within 10 s; check its disk or file server: findmnt --target {home}/projects"),
    "no time zone": (file("/etc/localtime", GONE), "fail timezone /etc/localtime is missing, and the containers mount it; run: sudo host/setup.sh"),
    "a directory that Docker made for the time zone": (file("/etc/localtime", Path("/").stat()), "fail timezone /etc/localtime is not a file, and the containers mount it; run: sudo rmdir /etc/localtime; sudo host/setup.sh"),
    "no queue": (file("/var/lib/gpu-queue", GONE), "warn gpuqueue /var/lib/gpu-queue is missing, so gpu run does not work; run: sudo host/setup.sh"),
    "a queue that Docker made": (file("/var/lib/gpu-queue", Path("/").stat()), "warn gpuqueue /var/lib/gpu-queue is not a directory that all can write to, so gpu run does not work; run: sudo host/setup.sh"),
    "no .env": (file("{here}/.env", GONE), "fail user .env: .env cannot be read: No such file or directory; write CURRENT_UID={uid}:{uid} to .env"),
    "a closed .env": (file("{here}/.env", FORBIDDEN), "warn user .env: .env cannot be read: Permission denied, so owners are not checked; run: sudo {here}/host/doctor"),
    "no uid": (write(".env", "CURRENT_UID=me\n"), "fail user .env: CURRENT_UID in .env is 'me', not the uid:gid of an ordinary user; write CURRENT_UID={uid}:{uid} to .env"),
    "a quoted uid": (write(".env", "CURRENT_UID=0:0\nexport CURRENT_UID='4321:4321' # mine\n"), "fail user project_path: {home}/projects belongs to {uid}:{uid} and the containers run as 4321:4321; run: sudo chown 4321:4321 {home}/projects"),
    "a conda of somebody else": (foreign_environments, "fail user conda_envs: {home}/conda/envs belongs to {uid}:{uid} and the containers run as 4321:4321; run: sudo chown -R 4321:4321 {home}/conda/envs"),
    "a strict umask": (strict_umask, "fail user environments: the containers cannot read environments/; run: chmod -R o+rX environments"),
    "a folder that can only be listed": (closed_to(0o754, "environments"), "fail user environments: the containers cannot read environments/; run: chmod -R o+rX environments"),
    "a script that cannot be run": (closed_to(0o754, "environments/new.sh"), "fail user environments: the containers cannot read environments/; run: chmod -R o+rX environments"),
    "no environments": (lambda host: shutil.rmtree(host.path / "environments"), "fail user environments: environments/ cannot be read: No such file or directory; restore it: git checkout -- environments; or run: chmod -R o+rX environments"),
    "no conda": (at_home(lambda home: shutil.rmtree(home / "conda")), "fail conda there is no conda in {home}/conda; run: sudo host/setup.sh"),
    "a closed conda": (file("{home}/conda/*", FORBIDDEN), "warn conda {home}/conda is closed to alice ({home}/conda has mode 755), so conda is not checked; run: sudo {here}/host/doctor"),
    "a conda on a file server that is down": (file("{home}/conda/bin/conda", TimeoutError("no answer within 10 s")), "warn conda {home}/conda cannot be read (no answer within 10 s), so conda is not checked; check its disk or file server: findmnt --target {home}/conda"),
    "a conda without Python": (at_home(lambda home: (home / "conda/bin/python").unlink()), "warn glibc {home}/conda/bin/python cannot be read (No such file or directory), so its glibc is not checked; run: {home}/conda/bin/python -V"),
    "a conda that names no glibc": (at_home(lambda home: (home / "conda/bin/python").write_text("")), "warn glibc {home}/conda/bin/python does not name the glibc that it needs, so its glibc is not checked; run: {home}/conda/bin/python -V"),
    "a new conda": (at_home(lambda home: (home / "conda/bin/python").write_text("GLIBC_2.17\0GLIBC_2.28\0GLIBC_2.4\0")), "warn glibc tf1.15.5: conda needs glibc 2.28 and the container has 2.27: conda itself does not run there; there use conda activate, which works without it; or replace conda by the Miniforge that host/setup.sh installs"),
    "an empty mirror": (web(f"HEAD {MIRROR}", doctor.Reply(404)), f"fail mirror {MIRROR} answers with HTTP 404; check the answer 'mirror'"),
    "no mirror": (web(f"HEAD {MIRROR}", URLError(ConnectionRefusedError(111, "Connection refused"))), f"fail mirror {MIRROR} cannot be reached: Connection refused; {NETWORK_FIX}"),
    "a mirror of the company": (web(f"HEAD {MIRROR}", certificate_error()), f"fail mirror {MIRROR} has a certificate that this server does not trust: unable to get local issuer certificate; put the company's CA into images/certs/ as *.crt and run: sudo host/setup.sh"),
    "a wrong clock": (says("timedatectl *", "no"), "warn clock the clock is not synchronised, and certificates are refused where it is wrong; run: sudo timedatectl set-ntp true"),
    "no timedatectl": (no("timedatectl"), "warn clock timedatectl is not installed, so the clock is not checked; compare the output of date -u with another clock"),
    "a full disk": (file("/var/lib/docker", space(9, 10**6)), f"fail disk docker: 9 GB are free in /var/lib/docker, and the missing images need 25 GB; {FREE}"),
    "a full disk with all images": (both(file("/var/lib/docker", space(0.2, 10**6)), says("docker image inspect *", "sha256:1")), f"fail disk docker: 0 GB are free in /var/lib/docker, and the missing images need 0 GB; {FREE}"),
    "no inode": (file("/var/lib/docker", space(90, 0)), f"fail disk docker: 90 GB and no inode are free in /var/lib/docker, and the missing images need 25 GB; {FREE}"),
    "images of containerd": (both(CONTAINERD, file("/var/lib/containerd", space(9, 10**6))), f"fail disk docker: 9 GB are free in /var/lib/containerd, and the missing images need 25 GB; {FREE.replace('data-root in /etc/docker/daemon.json', 'root in /etc/containerd/config.toml')}"),
    "images present": (says("docker image inspect *", "sha256:1"), "ok images every image is on this server"),
    "images built": (says("docker image inspect * gpu01-*", "sha256:1"), "ok disk docker: 500 GB are free in /var/lib/docker, and 0 GB are needed for images"),
    "no word about images": (hangs("docker image inspect *"), "warn images docker does not say which images are here; run: docker image ls"),
    "no word about images, for the disk": (hangs("docker image inspect *"), "ok disk docker: 500 GB are free in /var/lib/docker"),
    "an engine without a place": (info(DockerRootDir=""), "warn disk docker: alice cannot see the disk of the engine; run: sudo df -h /var/lib/docker"),
    "a hidden disk": (file("/var/lib/docker", FORBIDDEN), "warn disk docker: alice cannot see the disk of /var/lib/docker: Permission denied; run: sudo df -h /var/lib/docker"),
    "projects without room": (file("*/projects", space(0.5, 10**6)), "fail disk project_path: 0.5 GB and 1000000 inodes are free in {home}/projects; free some space: host/doctor --usage names what takes it"),
    "limits beyond the host": (has(limited(40, NAME), limited(32, "alice-tf2.17.0")), "warn memory the memory limits of 2 containers are 72 GB together, and the server has 64 GB; lower the limits; otherwise the kernel may kill processes of any container"),
    "limits of tomorrow": (both(has(limited(32, NAME)), says("docker compose config *", json.dumps({"services": {"a": {"container_name": NAME, "mem_limit": "8000000000"}, "b": {"container_name": "gpu01-b", "deploy": {"resources": {"limits": {"memory": "4000000000"}}}}}}))), "ok memory memory limits are 12 GB together, and the server has 64 GB"),
    "no list of containers for memory": (hangs("docker ps *"), "warn memory docker does not list its containers or the server's memory, so limits are not checked; run: docker ps --all; docker info"),
    "no list of networks": (says("docker network ls *", "garbage"), "warn networks docker does not list its networks, so they are not compared with the server's routes; run: docker network ls; ip route"),
    "the company's network": (file("/proc/net/route", b"Iface\ntun0 000012AC 0 0 0 0 0 00F0FFFF 0 0 0\n"), f"warn networks gpu01_ai-bridge: overlaps the route 172.18.0.0/20 of tun0 (172.18.0.0/16 is Docker's): {UNREACHABLE}; {OTHER_SUBNET}"),
    "the company's network, and another directory": (both(network(Name="lab_default"), file("/proc/net/route", b"Iface\ntun0 000012AC 0 0 0 0 0 00F0FFFF 0 0 0\n")), f"warn networks lab_default: overlaps the route 172.18.0.0/20 of tun0 (172.18.0.0/16 is Docker's): {UNREACHABLE}; {OTHER_POOLS}"),
    "a network in the server's own": (both(network(Driver="macvlan"), file("/proc/net/route", b"Iface\neth0 000012AC 0 0 0 0 0 0000FFFF 0 0 0\n")), "ok networks no route of the server overlaps Docker's networks"),
    "the company's name server": (file("/etc/resolv.conf", b"nameserver 172.18.9.53\n"), f"warn networks gpu01_ai-bridge: overlaps the name server 172.18.9.53 (172.18.0.0/16 is Docker's): {UNREACHABLE}; {OTHER_SUBNET}"),
    "a name server in the bridge": (file("/etc/resolv.conf", b"nameserver 172.18.0.1\n"), "ok networks no route of the server overlaps Docker's networks"),
    "no routes": (file("/proc/net/route", GONE), "warn networks the server's routes cannot be read, so they are not compared; run: ip route"),
    "odd routes": (file("/proc/net/route", b""), "warn networks the server's routes cannot be read, so they are not compared; run: ip route"),
    "enough subnets": (info(DefaultAddressPools=[{"Base": "10.9.0.0/16", "Size": 18}, {"Base": "fd00::/8", "Size": 64}]), "ok networks no route of the server overlaps Docker's networks"),
    "few more subnets": (info(DefaultAddressPools=[{"Base": "10.9.0.0/16", "Size": 17}]), f"warn networks subnets: Docker uses 1 of about 2 subnets: another directory may not start; run: docker network prune; or give Docker more default-address-pools in /etc/docker/daemon.json: {POOLS}"),
    "the same host twice": (has(container(), another()), "fail project /usr: has gpu01-tf2.9.3 under the same name gpu01: docker compose up here would replace or remove them; answer 'host' with another name in this directory, then run host/doctor for its ports; or, to start them from here, first run there: docker compose down"),
    "a directory that was moved": (both(has(another()), file("/usr", GONE)), "warn project /usr: no longer exists, and gpu01-tf2.9.3 was started from there; if it was renamed to this one, run: docker compose up -d --wait"),
    "another host": (has(another("gpu02")), "ok project no other directory has containers under the name gpu01"),
    "no ss": (no("ss"), "warn ports ss is not installed, so the ports are not checked; run: sudo apt-get install iproute2"),
    "an odd ss": (says("ss *", "?"), "warn ports ss says: ?, so the ports are not checked; run: ss -ltn"),
    "a port held": (says("ss *", SSHD), f'fail ports tf2.17.0: its port 21722 is in use by "sshd",pid=7; {WRITE_PORT}'),
    "a port held unseen": (says("ss *", "LISTEN 0 128 [::]:21722 [::]:*"), f"fail ports tf2.17.0: its port 21722 is in use by a process that only root sees: sudo ss -ltnp sport = :21722; {WRITE_PORT}"),
    "a port of another directory": (both(says("ss *", SSHD), has(container("alice-tf2.17.0"))), f"fail ports tf2.17.0: its port 21722 is in use by the container alice-tf2.17.0; {WRITE_PORT}"),
    "a port of its own": (both(says("ss *", SSHD), has(container())), "ok ports every port is free or used by its container"),
    "a port of nobody knows whom": (both(says("ss *", SSHD), hangs("docker ps *")), "warn ports tf2.17.0: its port 21722 is in use, and docker does not list its containers; run: docker ps"),
    "no host key yet": (at_home(lambda home: shutil.rmtree(home / "projects/.ssh")), "ok hostkey project_path: the first start makes the host key"),
    "a key that nobody can write": (at_home(lambda home: (home / "projects/.ssh/ssh_host_ed25519_key").chmod(0o400)), "ok hostkey project_path: only {uid} can read {home}/projects/.ssh/ssh_host_ed25519_key"),
    "a key to all": (at_home(lambda home: (home / "projects/.ssh/ssh_host_ed25519_key").chmod(0o640)), "fail hostkey project_path: {home}/projects/.ssh/ssh_host_ed25519_key has mode 640 and belongs to {uid}, so sshd refuses it; run: sudo chown {uid} {home}/projects/.ssh/ssh_host_ed25519_key; sudo chmod 600 {home}/projects/.ssh/ssh_host_ed25519_key"),
    "a key of somebody else": (write(".env", "CURRENT_UID=4321:4321\n"), "fail hostkey project_path: {home}/projects/.ssh/ssh_host_ed25519_key has mode 600 and belongs to {uid}, so sshd refuses it; run: sudo chown 4321 {home}/projects/.ssh/ssh_host_ed25519_key; sudo chmod 600 {home}/projects/.ssh/ssh_host_ed25519_key"),
    "a closed key": (file("*_key", FORBIDDEN), "warn hostkey project_path: {home}/projects/.ssh/ssh_host_ed25519_key cannot be seen by alice (closed), so it is not checked; run: sudo {here}/host/doctor"),
    "a proxy with a password": (info(HttpsProxy="http://xxxxx:xxxxx@proxy:3128"), "warn images 4 images are not here, and Docker's proxy has a password, so their registries are not checked; run: docker pull registry.example.com/hub/tensorflow/tensorflow:1.15.5-gpu"),
    "no such image": (web(f"{HUB}2.11.0*", doctor.Reply(404)), "fail images tf2.11.0: registry.example.com does not have registry.example.com/hub/tensorflow/tensorflow:2.11.0-gpu; check the answers 'registry' and 'digests'"),
    "a registry with login": (web(HUB, doctor.Reply(401, {"www-authenticate": "Basic realm=x"})), "warn images tf1.15.5: registry.example.com requires a login (HTTP 401), so registry.example.com/hub/tensorflow/tensorflow:1.15.5-gpu is not checked; if docker pull registry.example.com/hub/tensorflow/tensorflow:1.15.5-gpu fails, run: docker login registry.example.com"),
    "too many requests": (web(HUB, doctor.Reply(429)), "warn images registry.example.com: refuses more requests for now (toomanyrequests); wait some hours, or run: docker login registry.example.com"),
    "a registry out of order": (web(HUB, doctor.Reply(503, {}, b"down\n")), "fail images registry.example.com: answers with HTTP 503 down; try again later; check the answers 'registry' and 'proxy'"),
    "a registry that hangs": (web(HUB, URLError(TimeoutError("timed out"))), f"fail images registry.example.com: cannot be reached: i/o timeout {NEEDED}; {NETWORK_FIX}"),
    "a registry behind a proxy that hangs": (both(info(HttpsProxy="http://proxy:3128"), web(HUB, TimeoutError())), f"fail images registry.example.com: cannot be reached: i/o timeout (through the proxy http://proxy:3128) {NEEDED}; {NETWORK_FIX}"),
    "a registry without a name": (web(HUB, URLError(socket.gaierror(-2, "Name or service not known"))), f"fail images registry.example.com: cannot be reached: its name does not resolve {NEEDED}; check DNS; {NETWORK_FIX}"),
    "no list of containers": (says("docker ps *", "", 1), "warn container docker does not list its containers, so they are not checked; run: docker ps"),
    "starting": (has(container(Health="starting")), "warn container tf2.17.0: is starting; run host/doctor again in a minute"),
    "unhealthy": (has(container(Health="unhealthy")), f"fail container tf2.17.0: is unhealthy; {LOGS}"),
    "without a health check": (has(container(Health="")), "ok container tf2.17.0: is running, without a health check"),
    "restarting": (has(container(Status="restarting", ExitCode=1)), f"fail container tf2.17.0: restarts again and again, with exit code 1; {LOGS}"),
    "paused": (has(container(Status="paused")), "fail container tf2.17.0: is paused; run: docker compose unpause tf2.17.0"),
    "stopped": (has(container(Status="exited", ExitCode=137)), f"fail container tf2.17.0: has stopped (exited, exit code 137); {LOGS}; then run: docker compose up -d tf2.17.0"),
    "out of memory": (has(container(Status="exited", OOMKilled=True)), "fail container tf2.17.0: was killed: out of memory; run: docker compose up -d tf2.17.0"),
    "not started": (has(container(Status="created", Error='could not select device driver "nvidia" with capabilities: [[gpu]]')), 'fail container tf2.17.0: was not started: could not select device driver "nvidia" with capabilities: [[gpu]]; run: sudo host/setup.sh; run: docker compose up -d tf2.17.0'),
    "not started for another reason": (has(container(Status="created", Error="OCI runtime create failed")), "fail container tf2.17.0: was not started: OCI runtime create failed; run: docker compose up -d tf2.17.0"),
    "GPUs lost": (inside("nvidia-smi -L", "Failed to initialize NVML: Unknown Error", 255), f"fail gpu tf2.17.0: has lost its GPUs, as after systemctl daemon-reload; {RECREATE}; for good: https://github.com/NVIDIA/nvidia-container-toolkit/issues/48"),
    "driver upgraded": (inside("nvidia-smi -L", "Failed to initialize NVML: Driver/library version mismatch", 255), f"fail gpu tf2.17.0: still has the driver from before an upgrade; {RECREATE}; if the server's nvidia-smi fails too, reboot"),
    "no driver inside": (inside("nvidia-smi -L", "exec: nvidia-smi: executable file not found in PATH", 127), "fail gpu tf2.17.0: was started without a driver; run: sudo host/setup.sh; then: docker compose up -d --force-recreate tf2.17.0"),
    "no GPU inside": (inside("nvidia-smi -L", "No devices found.", 6), "fail gpu tf2.17.0: sees no GPU: nvidia-smi says: No devices found.; compare with nvidia-smi on the server, and with the answer gpu_devices"),
    "no libcuda": (inside("bash -c for library*", "libcuda.so.1\nchecked"), f"fail libraries tf2.17.0: cannot load libcuda.so.1, the driver's library; {RECREATE}; NVIDIA_DRIVER_CAPABILITIES must name compute"),
    "no cuDNN": (inside("bash -c for library*", "libcusolver.so.11\nlibcudnn.so.8\nchecked"), "fail libraries tf2.17.0: cannot load libcusolver.so.11 libcudnn.so.8, so its TensorFlow runs on the CPU; run: docker compose build --pull tf2.17.0 && docker compose up -d tf2.17.0"),
    "closed": (inside("bash -c for library*", "OCI runtime exec failed", 126), f"fail libraries tf2.17.0: cannot be checked: docker exec says: OCI runtime exec failed; {RECREATE}"),
    "no cuDNN in an environment": (inside("bash -c environment=*", "libcudnn.so.8\nchecked"), "fail environments tf2.17.0: tf2.17.0 cannot load libcudnn.so.8, so TensorFlow runs on the CPU there; make it again: rm -rf {home}/conda/envs/tf2.17.0; environments/new.sh 2.17.0"),
    "an environment that does not activate": (inside("bash -c environment=*", "", 1), "warn environments tf2.17.0: cannot be checked: tf2.17.0 (prints nothing); in Python of that environment, try: tf.config.list_physical_devices('GPU')"),
    "an environment half made": (half_made, "ok environments tf2.17.0: has no environment of its releases yet"),
    "closed environments": (closed_environments, "warn environments tf2.17.0: {home}/conda/envs cannot be listed (Permission denied); run: sudo {here}/host/doctor"),
    "no Python inside": (inside("bash -c for python*", "no Python"), "warn cuda tf2.17.0: cuInit could not be called (it has no Python), so CUDA is not checked; in Python in the container, try: tf.config.list_physical_devices('GPU')"),
    "CUDA not asked": (inside("bash -c for python*", "", 137), "warn cuda tf2.17.0: cuInit could not be called (docker exec prints nothing), so CUDA is not checked; in Python in the container, try: tf.config.list_physical_devices('GPU')"),
    "CUDA without GPUs": (cuda(0), "fail cuda tf2.17.0: nvidia-smi works and CUDA does not, error 100: CUDA finds no GPU; compare CUDA_VISIBLE_DEVICES in the container and the answer gpu_devices with nvidia-smi -L"),
    "no fabric manager": (cuda(802), "fail cuda tf2.17.0: nvidia-smi works and CUDA does not, error 802: the GPUs are not ready: NVSwitch systems need NVIDIA's Fabric Manager; on the server run: sudo systemctl enable --now nvidia-fabricmanager (of the driver's exact version); nvidia-smi -q names the state of the fabric"),
    "forward compatibility": (cuda(804), "fail cuda tf2.17.0: nvidia-smi works and CUDA does not, error 804: the image's cuda-compat needs forward compatibility, which only data-centre GPUs have; upgrade the server's driver to 545.23.06 or newer, where cuda-compat is not used"),
    "another error of CUDA": (cuda(710), f"fail cuda tf2.17.0: nvidia-smi works and CUDA does not, error 710: see CUresult in https://docs.nvidia.com/cuda/cuda-driver-api/group__CUDA__TYPES.html; {RECREATE}; if that does not help, reboot the server"),
    "a hold gone": (inside("dpkg-query *", "ii libcudnn8\nhi libcublas-12-3\nii vim"), f"fail holds tf2.17.0: apt can change libcudnn8; {RECREATE}, unless its Dockerfile unholds it on purpose"),
    "no packages": (inside("dpkg-query *", "", 1), f"fail holds tf2.17.0: does not list its packages: dpkg-query prints nothing; {RECREATE}"),
    "what takes the disk": (lambda _: None, "ok usage project_path: largest in {home}/projects: /p/b 12.0 GB, /p/a 0.3 GB"),
    "what Docker takes": (lambda _: None, "ok usage docker: Images 45GB (12GB (26%) can be removed)"),
    "a slow Docker": (hangs("docker system df *"), "warn usage docker: docker system df did not end within 20 s; run: docker system df"),
    "a slow disk": (lambda host: host.machine.commands.update({"du *": doctor.Answer("1500000000\t/p/a", problem="did not end within 60 s")}), "warn usage project_path: du did not end within 60 s in {home}/projects; seen so far: /p/a 1.5 GB; run: sudo du --one-file-system --block-size=1 --max-depth=1 {home}/projects | sort -n"),
}  # fmt: skip


REPORTED: dict[str, set[int]] = {}
"""The lines of the program that reported something, by case."""


def reported(host: Host, case: str, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return what is found where that is the case."""
    seen = REPORTED[case] = set()

    def watched(original: Callable[..., Any]) -> Callable[..., Any]:
        def report(*arguments: Any) -> Any:
            seen.add(sys._getframe(1).f_lineno)
            return original(*arguments)

        return report

    for status in ("ok", "warn", "fail"):
        monkeypatch.setattr(doctor, status, watched(getattr(doctor, status)))
    change, _ = CASES[case]
    change(host)
    return host.report("--usage")


@pytest.mark.parametrize("case", CASES)
def test_it_reports_the_problem_and_the_fix(
    host: Host, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = reported(host, case, monkeypatch)
    assert filled(CASES[case][1], host) in [" ".join(r.line().split()) for r in results]
    assert_promises(results)


def assert_promises(results: list[Any]) -> None:
    """Every check and subject has one line, every problem a fix, and no check is broken."""
    assert results
    names = [(result.check, result.subject) for result in results]
    assert len(names) == len(set(names))
    for result in results:
        assert result.status in ("ok", "warn", "fail")
        assert "the check itself failed" not in result.message
        assert bool(result.fix) == (result.status != "ok")
        assert len(result.line().splitlines()) == 1


def test_every_sentence_of_the_program_is_reported_in_some_case(
    project: CopierProject, tmp_path: Path
) -> None:
    for case in CASES:
        if case not in REPORTED:  # where this test runs alone
            with pytest.MonkeyPatch.context() as monkeypatch:
                reported(made(project, tmp_path / "gpu01"), case, monkeypatch)
    seen = set().union(*REPORTED.values())
    missing = [
        ast.unparse(call)
        for call in ast.walk(ast.parse(PROGRAM.read_text()))
        if isinstance(call, ast.Call)
        and getattr(call.func, "id", "") in ("ok", "warn", "fail")
        and not seen & set(range(call.lineno, (call.end_lineno or 0) + 1))
    ]
    assert [sentence for sentence in missing if "the check itself failed" not in sentence] == []


def test_a_check_that_breaks_is_a_line_and_stops_no_other(host: Host) -> None:
    info(Runtimes={})(host)
    host.machine.which = None  # type: ignore[assignment,method-assign]
    (line,) = [line for line in host.lines() if line.startswith("fail")]
    assert line.startswith("fail toolkit the check itself failed at line ")
    assert "(TypeError(\"'NoneType' object is not callable\"); report this line to" in line.replace(
        "))", ")"
    )
    assert len(host.lines()) == len(SOUND)


def test_json_has_the_same_lines(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    says("nvidia-smi *driver_version*", 'a "quoted" \\ \x07 line\nand another', 1)(host)
    assert doctor.main(["--json", "--usage"], host.machine, str(host.path)) == 1
    report = json.loads(capsys.readouterr().out)
    assert doctor.main(["--usage"], host.machine, str(host.path)) == 1
    text = capsys.readouterr().out.splitlines()
    assert report["host"] == "gpu01"
    assert report["checks"][-1]["check"] == "usage"
    for line, record in zip(text, report["checks"], strict=True):
        assert list(record) == ["check", "subject", "status", "message", "fix"]
        assert line.split()[:2] == [record["status"], record["check"]]
        assert record["message"] in line
        assert record["fix"] in line
    assert {"check": "paths", "subject": "gpu01", "status": "ok"}.items() <= report["checks"][
        8
    ].items()


def test_one_check_alone_decides_before_a_start(
    host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    """A driver that is missing is no reason, another directory's containers are."""
    no("nvidia-smi")(host)
    assert doctor.main(["--only", "project"], host.machine, str(host.path)) == 0
    assert capsys.readouterr().out == (
        "ok    project    no other directory has containers under the name gpu01\n"
    )
    has(another())(host)
    assert doctor.main(["--only", "project"], host.machine, str(host.path)) == 1
    assert capsys.readouterr().out.startswith("fail  project    /usr: has gpu01-tf2.9.3 under the")


def test_without_facts_nothing_is_said_to_be_good_that_they_decide(host: Host) -> None:
    CASES["no facts"][0](host)
    CASES["no .env"][0](host)
    good = "docker compose buildx users toolkit timezone gpuqueue clock memory networks project"
    assert {r.check: r.status for r in host.report()} == {
        **dict.fromkeys(good.split(), "ok"),
        **dict.fromkeys(["facts", "user"], "fail"),
    }
    restore = "restore it: git checkout -- .env"
    assert (
        f"fail user .env: .env cannot be read: No such file or directory; {restore}" in host.lines()
    )


def test_only_a_failure_is_a_failure(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    no("timedatectl")(host)
    assert doctor.main([], host.machine, str(host.path)) == 0
    assert "\nwarn  clock " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["--help"], 0),
        (["--jsn"], 2),
        (["--js"], 2),
        (["--json", "x"], 2),
        (["--json=1"], 2),
        (["--only", "projects"], 2),
    ],
)
def test_it_says_how_it_is_called(
    arguments: list[str], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        doctor.main(arguments)
    assert end.value.code == status
    printed = capsys.readouterr()
    assert "usage: host/doctor [-h] [--json] [--usage] [--only CHECK]" in printed.out + printed.err
    if status == 0:
        assert "exit status: 0 no check fails; 1 a check fails; 2 wrong arguments" in printed.out


def test_a_repeated_capability_is_named_once(host: Host) -> None:
    says("nvidia-smi *compute_cap*", "7.0\n7.5\n7.5")(host)
    assert "ok gpus every release runs on volta, turing" in host.lines()


@pytest.mark.parametrize("case", ["no GPU inside", "no libcuda"])
def test_cuda_is_not_asked_where_the_driver_is_not_there(host: Host, case: str) -> None:
    CASES[case][0](host)
    checks = {result.check for result in host.report()}
    assert "libraries" in checks
    assert "cuda" not in checks


def test_environments_with_their_own_cuda_need_a_driver_of_their_own(host: Host) -> None:
    containers = json.loads((host.path / "host/facts.json").read_text())["containers"]
    containers["tf2.17.0"]["releases"]["2.17.0"]["drivers"] = {"toolkit": "560.28.03"}
    containers["tf2.17.0"]["drivers"] = {"toolkit": "580.65.06"}
    facts(containers=containers)(host)
    (line,) = [line for line in host.lines() if " driver " in line]
    assert line.startswith(
        "fail driver tf2.17.0: the driver 550.54.15 is too old, 560.28.03 or newer"
    )


def test_people_have_lines_of_their_own(host: Host, tmp_path: Path) -> None:
    home = tmp_path / "alice"
    (home / "projects").mkdir(parents=True)
    data = json.loads((host.path / "host/facts.json").read_text())
    data["containers"]["tf2.17.0"]["ports"] = {"alice": 21723}
    alice = {"uid": 4321, "gid": 4321, "home": str(home), "project": f"{home}/projects"}
    facts(containers=data["containers"], people={"alice": alice})(host)
    host.machine.has(container("gpu01-alice-tf2.17.0", Health="starting"))
    says("ss *", SSHD.replace("21722", "21723"))(host)
    lines = host.lines()
    owner = (home / "projects").stat()
    for line in (
        "ok facts 8 containers are defined here",
        f"fail user project of alice: {home}/projects belongs to {owner.st_uid}:{owner.st_gid} and the containers run as 4321:4321; run: sudo chown 4321:4321 {home}/projects",
        f"ok disk project of alice: 500 GB are free in {home}/projects",
        f'fail ports alice-tf2.17.0: its port 21723 is in use by "sshd",pid=7; {WRITE_PORT}',
        "ok hostkey project of alice: the first start makes the host key",
        "warn container alice-tf2.17.0: is starting; run host/doctor again in a minute",
    ):
        assert line in lines, line
    shutil.rmtree(home)
    assert (
        f"fail paths home of alice: {home} does not exist; run: sudo host/setup.sh" in host.lines()
    )


# THE NETWORK


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("ubuntu:22.04", ("docker.io", "library/ubuntu", "22.04")),
        ("tensorflow/tensorflow:2.17.0-gpu", ("docker.io", "tensorflow/tensorflow", "2.17.0-gpu")),
        (
            "nvcr.io/nvidia/tensorflow:23.03-tf2-py3",
            ("nvcr.io", "nvidia/tensorflow", "23.03-tf2-py3"),
        ),
        ("localhost:5000/a/b", ("localhost:5000", "a/b", "latest")),
        ("registry:5000/a@sha256:0f", ("registry:5000", "a", "sha256:0f")),
        ("docker.io/a:b@sha256:0f", ("docker.io", "library/a", "sha256:0f")),
    ],
)
def test_an_image_is_named_as_docker_names_it(name: str, parts: tuple[str, ...]) -> None:
    assert doctor.parsed(name) == doctor.Image(*parts)


@pytest.mark.parametrize(
    ("url", "no_proxy", "used"),
    [
        ("https://registry.example.com/v2/", "", True),
        ("https://registry.example.com/v2/", "localhost, .example.com", False),
        ("https://registry.example.com/v2/", "example.com", False),
        ("https://registry.example.com/v2/", "ample.com", True),
        ("https://registry.example.com/v2/", "*", False),
        ("https://10.1.2.3:5000/v2/", "10.0.0.0/8", False),
        ("https://11.1.2.3:5000/v2/", "10.0.0.0/8,garbage/8", True),
        ("https://localhost:5000/v2/", "", False),
        ("https://127.0.0.1:5000/v2/", "", False),
        ("http://registry.example.com/v2/", "", False),
    ],
)
def test_the_proxy_is_used_as_docker_uses_it(url: str, no_proxy: str, used: bool) -> None:
    proxy = {"https_proxy": "http://proxy:3128", "no_proxy": no_proxy}
    assert doctor.proxy_for(url, proxy) == ("http://proxy:3128" if used else "")


BEARER = {
    "www-authenticate": 'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull"'
}
TOKEN = (
    "GET https://auth.docker.io/token?service=registry.docker.io&scope=repository%3Aa%2Fb%3Apull"
)
FIRST = "HEAD https://registry-1.docker.io/v2/*"


@pytest.mark.parametrize("key", ["token", "access_token"])
def test_anybodys_token_is_fetched_where_the_registry_wants_one(host: Host, key: str) -> None:
    replies = iter([doctor.Reply(401, BEARER), doctor.Reply(200)])
    host.machine.replies[TOKEN] = doctor.Reply(200, {}, json.dumps({key: "t0k3n"}).encode())
    original = host.machine.ask

    def ask(method: str, url: str, headers: Any, *more: Any) -> Any:
        if method == "HEAD":
            host.machine.replies[FIRST] = next(replies)
        return original(method, url, headers, *more)

    host.machine.ask = ask  # type: ignore[assignment,method-assign]
    image = doctor.parsed("a/b:c")
    assert doctor.image_status(doctor.Host(host.machine, str(host.path)), image, {}) == (200, "")
    assert [(method, token) for method, _, token, *_ in host.machine.asked] == [
        ("HEAD", ""),
        ("GET", ""),
        ("HEAD", "Bearer t0k3n"),
    ]


@pytest.mark.parametrize(
    ("token", "status"),
    [
        (doctor.Reply(401), 401),
        (doctor.Reply(429), 429),
        (doctor.Reply(500), 500),
        (doctor.Reply(200, {}, b"garbage"), 401),
        (doctor.Reply(200, {}, b'{"token": "a\\nb"}'), 401),
    ],
)
def test_a_token_that_is_not_given_is_no_image(host: Host, token: Any, status: int) -> None:
    host.machine.replies = {FIRST: doctor.Reply(401, BEARER), TOKEN: token}
    asked = doctor.Host(host.machine, str(host.path))
    assert doctor.image_status(asked, doctor.parsed("a/b:c"), {})[0] == status


def test_the_engines_mirrors_are_asked_before_docker_hub(host: Host) -> None:
    config = {"Mirrors": ["https://mirror.example.com/"], "IndexConfigs": {}}
    info(RegistryConfig=config)(host)
    host.machine.replies = {
        "HEAD https://mirror.example.com/v2/*": doctor.Reply(404),
        FIRST: doctor.Reply(200),
    }
    asked = doctor.Host(host.machine, str(host.path))
    assert doctor.image_status(asked, doctor.parsed("a/b:c"), {}) == (200, "")
    assert [url.split("/")[2] for _, url, *_ in host.machine.asked] == [
        "mirror.example.com",
        "registry-1.docker.io",
    ]


@pytest.mark.parametrize("registry", ["localhost:5000", "127.0.0.1:5000", "lab:5000"])
def test_an_insecure_registry_is_asked_by_http_too(host: Host, registry: str) -> None:
    info(RegistryConfig={"IndexConfigs": {"lab:5000": {"Secure": False}}})(host)
    host.machine.replies = {f"HEAD http://{registry}/*": doctor.Reply(200)}
    asked = doctor.Host(host.machine, str(host.path))
    assert doctor.image_status(asked, doctor.parsed(f"{registry}/a:b"), {}) == (200, "")
    assert [(url.split(":")[0], verify) for _, url, _, _, verify in host.machine.asked] == [
        ("https", "False"),
        ("http", "True"),
    ]


@pytest.fixture
def server() -> Iterator[str]:
    """The address of a web server that knows /file, sends /old there, and answers as a proxy."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response({"/file": 200, "/old": 301}.get(self.path, 404))
            self.send_header("Location", "/file")
            self.send_header("X-Path", self.path)
            self.end_headers()

        do_GET = do_HEAD  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as made:
        threading.Thread(target=made.serve_forever, args=[0.01], daemon=True).start()
        yield f"127.0.0.1:{made.server_port}"
        made.shutdown()


def test_a_server_is_asked_and_its_redirects_are_followed(server: str) -> None:
    machine = doctor.Machine()
    assert machine.ask("HEAD", f"http://{server}/file", {}, "").status == 200
    assert machine.ask("HEAD", f"http://{server}/old", {}, "").status == 200
    assert machine.ask("HEAD", f"http://{server}/none", {}, "").status == 404
    proxied = machine.ask("HEAD", "http://mirror.invalid/x", {}, f"http://{server}")
    assert (proxied.status, proxied.headers["x-path"]) == (404, "http://mirror.invalid/x")


def test_no_answer_is_an_error_of_the_system(server: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}/", f"https://{server}/", "http://[::1/", "http://a b/"):
        with pytest.raises(OSError) as failure:
            doctor.Machine().ask("HEAD", url, {}, "")
        assert all(doctor.unreachable(failure.value, ""))


# THE MACHINE ITSELF


def test_a_command_that_does_not_end_is_ended_with_its_children() -> None:
    begun = time.monotonic()
    answer = doctor.Machine().run("sh", "-c", "echo begun; sleep 97 & sleep 97", seconds=0.5)
    assert (answer.out, answer.problem) == ("begun\n", "did not end within 0.5 s")
    assert time.monotonic() - begun < 5


def test_a_child_that_holds_the_output_open_is_not_waited_for() -> None:
    begun = time.monotonic()
    assert doctor.Machine().run("sh", "-c", "sleep 5 & echo done").out == "done\n"
    assert time.monotonic() - begun < 4


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (("no-such-command",), "is not installed"),
        (("/etc/passwd",), "cannot be run (Permission denied)"),
        (("/etc",), "cannot be run (Permission denied)"),
        (("sh", "-c", "exit 3"), "prints nothing"),
        (("sh", "-c", "echo no >&2; exit 3"), "says: no"),
        (("printf", r"\n\377\001x\n"), "says: \N{REPLACEMENT CHARACTER} x"),
        (("yes",), "prints without end"),
        (("a\0b",), "cannot be run (embedded null byte)"),
    ],
)
def test_what_a_command_does_is_said(
    command: tuple[str, ...], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "LIMIT", 1 << 20)
    assert doctor.Machine().run(*command).reason == reason


def test_a_directory_that_is_gone_is_not_a_missing_command() -> None:
    answer = doctor.Machine().run("true", folder="/no/such/folder")
    assert answer.problem == "cannot be run (No such file or directory)"


def test_a_file_that_does_not_answer_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TimeoutError, match=r"no answer within 0\.2 s"):
        doctor.promptly(doctor._read, str(tmp_path / "pipe"), seconds=0.2)


def test_the_largest_directories_are_named(project: CopierProject, tmp_path: Path) -> None:
    for name, size in (("small", 10), ("large", 5_000_000)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(b"x" * size)
    host = doctor.Host(doctor.Machine(), str(project.path))
    (result,) = doctor.largest(host, "project_path", str(tmp_path))
    assert result.status == "ok"
    assert result.message.startswith(
        f"largest in {tmp_path}: {tmp_path}/large 0.0 GB, {tmp_path}/small"
    )


# ITS SURROUNDINGS

COMMANDS = {
    "nvidia-smi *driver_version*": {"driver"},
    "nvidia-smi *compute_cap*": {"gpus"},
    "docker version *": {"docker"},
    "docker compose version *": {"compose"},
    "docker compose config *": {"compose"},
    "docker buildx version": {"buildx"},
    "docker info *": {"users", "toolkit", "memory"},
    "docker ps *": {"memory", "container", "project"},
    "docker container inspect *": {"memory", "container", "project"},
    "docker network ls *": {"networks"},
    "docker network inspect *": {"networks"},
    "docker image inspect *": {"images"},
    f"docker exec {NAME} nvidia-smi -L": {"gpu"},
    f"docker exec {NAME} bash -c for library*": {"libraries"},
    f"docker exec {NAME} bash -c environment=*": {"environments"},
    f"docker exec {NAME} bash -c for python*": {"cuda"},
    f"docker exec {NAME} dpkg-query *": {"holds"},
    "docker system df *": {"usage"},
    "du *": {"usage"},
    "ss *": {"ports"},
    "timedatectl *": {"clock"},
}
"""The checks that cannot say ok where a command does not answer as it should."""

ANSWERS = {
    "missing": doctor.Answer(problem=doctor.MISSING),
    "forbidden": doctor.Answer(problem="cannot be run (Permission denied)"),
    "slow": doctor.Answer(problem="did not end within 20 s"),
    "half of it": doctor.Answer("{", problem="did not end within 20 s"),
    "empty": doctor.Answer(),
    "garbage": doctor.Answer("\x07\ufffd{[\u674e"),
    "numbers": doctor.Answer("1\n2\n"),
    "another's JSON": doctor.Answer("null\n[]\n7"),
    "deep JSON": doctor.Answer("[" * 100_000),
    "refusal": doctor.Answer("", "denied", 1),
    "killed": doctor.Answer("", "", -9),
    "error of Docker": doctor.Answer("", "Error response from daemon: \ufffd", 125),
    "what it should, and no end": doctor.Answer(problem="did not end within 20 s"),
    "what it should, and fails": doctor.Answer(status=1),
}


@pytest.fixture(scope="module")
def started(project: CopierProject, tmp_path_factory: pytest.TempPathFactory) -> Host:
    """A sound host with a container that runs; who changes it changes its machine alone."""
    return made(project, tmp_path_factory.mktemp("started") / "gpu01")


@pytest.fixture
def surroundings(started: Host) -> Host:
    host = Host(started.path, started.home, sound_machine())
    host.machine.has(container())
    return host


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("command", COMMANDS)
def test_no_check_says_ok_where_its_command_does_not_answer(
    surroundings: Host, command: str, answer: str
) -> None:
    good = {
        ("docker ps *", "empty"),  # no container
        ("docker network ls *", "empty"),
        ("docker version *", "numbers"),  # versions, as far as anybody can tell
        ("docker compose version *", "numbers"),
        ("docker buildx version", "garbage"),
        ("docker buildx version", "numbers"),
        ("docker buildx version", "another's JSON"),
        ("docker buildx version", "deep JSON"),
        ("docker container inspect *", "what it should, and fails"),  # one has gone meanwhile
        ("docker network inspect *", "what it should, and fails"),
        ("docker system df *", "half of it"),
        ("du *", "empty"),
        ("du *", "garbage"),
        ("du *", "numbers"),
        ("du *", "another's JSON"),
        ("du *", "deep JSON"),
    }
    given = ANSWERS[answer]
    if "what it should" in answer:
        given = replace(given, out=surroundings.machine.commands[command].out)
    surroundings.machine.commands[command] = given
    results = surroundings.report("--usage")
    assert_promises(results)
    if (command, answer) not in good:
        subjects = {"usage": ("docker",) if "df" in command else ("host_home",)}
        sound = {
            result.check
            for result in results
            if result.status == "ok"
            and result.subject in subjects.get(result.check, (result.subject,))
            and result.subject not in ("tf1.15.5", "tf2.11.0", "tf2.13.0")
        }
        assert not sound & COMMANDS[command]


FILES = ["host/facts.json", ".env", "environments", "environments/*"]
FILES_OF_HOME = [
    "",
    "/conda",
    "/conda/bin/conda",
    "/conda/bin/python",
    "/projects",
    "/projects/.ssh/*",
]
FILES_OF_SYSTEM = [
    "/proc/net/route",
    "/etc/resolv.conf",
    "/run/systemd/resolve/resolv.conf",
    "/var/lib/docker",
]
CONTENTS: dict[str, Any] = {
    "missing": GONE,
    "forbidden": FORBIDDEN,
    "slow": TimeoutError("no answer within 10 s"),
    "a directory": IsADirectoryError(errno.EISDIR, "Is a directory"),
    "a loop": OSError(errno.ELOOP, "Too many levels of symbolic links"),
    "stale": OSError(errno.ESTALE, "Stale file handle"),
    "empty": b"",
    "garbage": bytes(range(256)) * 3,
    "a number": b"7",
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("path", [*FILES, *FILES_OF_HOME, *FILES_OF_SYSTEM])
def test_whatever_is_in_a_file_there_are_lines(surroundings: Host, path: str, content: str) -> None:
    if path in FILES:
        path = f"{surroundings.path}/{path}"
    elif path in FILES_OF_HOME:
        path = f"{surroundings.home}{path}"
    surroundings.machine.files[path] = CONTENTS[content]
    results = surroundings.report("--usage")
    assert_promises(results)
    if path.endswith("facts.json"):
        assert results[0].status == "fail"
        assert "docker" in {result.check for result in results}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def mutated(draw: st.DrawFn, original: Any) -> Any:
    """Return decoded JSON with something else in one or some of its places."""
    if draw(st.integers(0, 5)) == 0:
        return draw(JSON)
    if isinstance(original, dict):
        return {key: draw(mutated(value)) for key, value in original.items()}
    if isinstance(original, list):
        return [draw(mutated(value)) for value in original]
    return original


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_whatever_docker_says_there_are_lines(surroundings: Host, data: st.DataObject) -> None:
    host = Host(surroundings.path, surroundings.home, sound_machine())
    containers = [another(), container(), container(Status="created", Error="no")]
    host.machine.has(*(data.draw(mutated(one)) for one in containers))
    for command, said in {
        "info": INFO,
        "network inspect": NETWORK,
        "compose config": COMPOSED,
    }.items():
        host.machine.says(f"docker {command} *", json.dumps(data.draw(mutated(said))))
    for command in data.draw(st.sets(st.sampled_from(sorted(COMMANDS)), max_size=3)):
        host.machine.commands[command] = data.draw(st.sampled_from(list(ANSWERS.values())))
    for server in ("https://registry.example.com/*", "https://mirror.example.com/*"):
        status = data.draw(st.sampled_from([200, 401, 404, 429, 500, 0]))
        host.machine.replies[f"HEAD {server}"] = doctor.Reply(status, BEARER, b"\xff")
    assert_promises(host.report("--usage"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_whatever_is_in_facts_json_there_are_lines(surroundings: Host, data: st.DataObject) -> None:
    facts = json.loads((surroundings.path / "host/facts.json").read_text())
    host = Host(surroundings.path, surroundings.home, sound_machine())
    content = json.dumps(data.draw(mutated(facts))).encode()
    host.machine.files[f"{surroundings.path}/host/facts.json"] = content
    assert_promises(host.report())


# THE PROGRAM AS IT IS RUN


def run(program: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *arguments], capture_output=True, text=True, **options)


def test_it_runs_from_anywhere_as_it_is_and_changes_nothing(
    project: CopierProject, tmp_path: Path
) -> None:
    path = shutil.copytree(project.path, tmp_path / "gpu 01", ignore=shutil.ignore_patterns(".git"))
    before = {file: file.stat().st_mtime_ns for file in path.rglob("*")}
    environment = {"PATH": "/nowhere", "PYTHONPATH": "/nowhere", "PYTHONHOME": "/nowhere"}
    done = run(path / "host/doctor", cwd=tmp_path, env=environment)
    assert (done.returncode, done.stderr) == (1, "")
    assert "fail  docker     Docker is not installed; run: sudo host/setup.sh\n" in done.stdout
    report = run(path / "host/doctor", "--json", cwd="/", env={**environment, "LC_ALL": "C"})
    assert [check["status"] for check in json.loads(report.stdout)["checks"]] == [
        line.split()[0] for line in done.stdout.splitlines()
    ]
    assert {file: file.stat().st_mtime_ns for file in path.rglob("*")} == before


def test_its_lines_are_printed_whatever_is_printed_to(project: CopierProject) -> None:
    program = project.path / "host/doctor"
    first = subprocess.run(["bash", "-c", '"$0" | head -n 1', program], capture_output=True)
    assert (first.returncode, first.stdout[:5], first.stderr) == (0, b"ok   ", b"")
    closed = subprocess.run(["bash", "-c", '"$0" >&-', program], capture_output=True)
    assert (closed.returncode, closed.stderr) == (1, b"")
    full = subprocess.run(["bash", "-c", '"$0" >/dev/full', program], capture_output=True)
    assert full.returncode == 1
    assert b"host/doctor: No space left on device" in full.stderr


def test_it_runs_on_the_python_of_ubuntu_20_04() -> None:
    done = run(Path(sys.executable).with_name("vermin"), "--target=3.8-", "--no-tips", str(PROGRAM))
    assert done.returncode == 0, done.stdout
