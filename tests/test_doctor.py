"""The doctor of a host says every line that it can, where stand-ins for its tools give reason."""

# ruff: noqa: E501 (a sentence stands whole, as it is printed)

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pytest_copier.plugin import CopierProject

TOOLS = "bash awk cat df dirname env find grep head id sed sort stat tail timeout tr".split()
"""What the doctor takes from the real machine; all else is a stand-in or missing."""

Answers = dict[str, tuple[str, int]]
"""What a stand-in prints and exits with, by a shell pattern of its arguments; first match."""


@dataclass
class Host:
    """A directory and the tools of its host; as made, a sound host before its first start."""

    path: Path
    home: Path
    tools: dict[str, Answers] = field(default_factory=dict)

    def answer(self, tool: str, arguments: str, printed: str, status: int = 0) -> None:
        """Let a tool answer in another way."""
        others = self.tools.get(tool, {})
        others.pop(arguments, None)
        self.tools[tool] = {arguments: (printed, status), **others}

    def start(self, state: str = "running healthy") -> None:
        """Let the container of 2.17.0 have been started."""
        self.answer("docker", "container inspect*-tf2.17.0", state)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        folder = self.path.parent / "bin"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for tool in TOOLS:
            if tool not in self.tools:
                (folder / tool).symlink_to(shutil.which(tool) or tool)
        for tool, answers in self.tools.items():
            cases = "".join(
                f"{pattern.replace(' ', chr(92) + ' ')}) printf '%s\\n' "
                f"{shlex.quote(printed)}; exit {status} ;;\n"
                for pattern, (printed, status) in answers.items()
            )
            script = (
                f'#!/bin/bash\ncase "$*" in\n{cases}*) echo "{tool} $*?" >&2; exit 99 ;;\nesac\n'
            )
            (folder / tool).write_text(script)
            (folder / tool).chmod(0o755)
        return subprocess.run(
            ["bash", str(self.path / "host/doctor.sh"), *arguments],
            env={"PATH": str(folder), "HOME": str(self.home)},
            capture_output=True,
            text=True,
            check=False,
        )

    def lines(self) -> list[str]:
        done = self.run()
        assert done.stderr == ""
        assert done.returncode == any(line.startswith("fail") for line in done.stdout.splitlines())
        return [re.sub(r"  +", " ", line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def project(
    generate: Callable[..., CopierProject], tmp_path_factory: pytest.TempPathFactory
) -> CopierProject:
    home = tmp_path_factory.mktemp("home")
    return generate(
        host="gpu01",
        tf_versions=["1.15.5", "2.11.0", "2.13.0", "2.17.0"],
        gpus=[],
        driver="",
        uid=os.getuid() or 1000,
        gid=1000,
        host_home=str(home),
        conda_path=str(home / "conda"),
        project_path=str(home / "projects"),
        mirror="https://mirror.example.com",
        registry="registry.example.com/hub",
    )


@pytest.fixture
def host(project: CopierProject, tmp_path: Path) -> Host:
    path, home = tmp_path / "gpu01", Path(project.answers["host_home"])
    shutil.copytree(project.path, path)
    shutil.rmtree(home, ignore_errors=True)
    python = home / "conda/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("GLIBC_2.2.5\0GLIBC_2.17\0")
    (home / "conda/bin/conda").symlink_to("/bin/true")
    key = home / "projects/.ssh/ssh_host_ed25519_key"
    key.parent.mkdir(parents=True)
    key.touch(mode=0o600)
    if os.getuid() == 0:
        for folder in (home, home / "conda", home / "projects", key):
            os.chown(folder, 1000, 1000)
    made = Host(path, home)
    made.tools = {
        "nvidia-smi": {
            "*driver_version*": ("550.54.15\n550.54.15", 0),
            "*compute_cap*": ("7.5", 0),
        },
        "docker": {
            "version *": ("24.0.7", 0),
            "compose version *": ("v2.24.5", 0),
            "buildx version": ("buildx", 0),
            "info *Runtimes*": ('{"nvidia":{},"runc":{}}', 0),
            "info *DockerRootDir*": ("/", 0),
            "image inspect *": ("", 1),
            "container inspect *": ("", 1),
            "port *": ("", 1),
            "exec gpu01-tf2.17.0 nvidia-smi -L": ("GPU 0: RTX\nGPU 1: RTX", 0),
            "exec gpu01-tf2.17.0 bash *": ("", 0),
            "exec gpu01-tf2.17.0 dpkg-query *": ("hi libcudnn8\nii vim", 0),
        },
        "df": {"*": ("Avail\n  500", 0)},
        "ss": {"*": ("LISTEN 0 128 0.0.0.0:22 0.0.0.0:*", 0)},
        "curl": {"*": ("200", 0)},
        "timedatectl": {"*": ("yes", 0)},
    }
    return made


SOUND = [
    "ok driver 550.54.15 is new enough for every container",
    "ok gpus every release runs on turing",
    "ok docker engine 24.0.7",
    "ok compose Compose 2.24.5",
    "ok buildx buildx is there",
    "ok paths all directories to mount are there",
    "ok user the containers run as {uid}:1000",
    "ok conda {home}/conda",
    "ok mirror https://mirror.example.com/ubuntu/dists/bionic/InRelease answers",
    "ok registry https://registry.example.com/v2/ answers",
    "ok clock the clock is synchronised",
    "ok toolkit Docker has the NVIDIA runtime",
    "ok disk 500 GB are free in /, and 25 GB are needed for images",
    "ok ports every port is free or its container's",
    "ok tf1.15.5 is not started",
    "ok tf2.11.0 is not started",
    "ok tf2.13.0 is not started",
    "ok tf2.17.0 is not started",
    "ok hostkey only {uid} can read {home}/projects/.ssh/ssh_host_ed25519_key",
]
SOUND_CONTAINER = [
    "ok tf2.17.0 is healthy",
    "ok tf2.17.0 sees 2 GPU(s)",
    "ok tf2.17.0 loads every library that its TensorFlow opens for a GPU",
    "ok tf2.17.0 holds every CUDA package",
]


def filled(line: str, host: Host) -> str:
    """Return a line with the names of this host and this person."""
    uid = os.getuid() or 1000
    owner = f"{uid}:{1000 if os.getuid() == 0 else os.getgid()}"
    me = subprocess.run(["id", "-un"], capture_output=True, text=True).stdout.strip()
    return line.format(home=host.home, uid=uid, owner=owner, me=me)


def test_a_sound_host_has_no_failure_and_no_warning(host: Host) -> None:
    assert host.lines() == [filled(line, host) for line in SOUND]


def test_a_sound_container_has_its_lines(host: Host) -> None:
    host.start()
    assert [line for line in host.lines() if " tf2.17.0 " in line] == SOUND_CONTAINER


def no(*tools: str) -> Callable[[Host], None]:
    """Take tools off the host."""

    def change(host: Host) -> None:
        for tool in tools:
            del host.tools[tool]

    return change


def says(tool: str, arguments: str, printed: str, status: int = 0) -> Callable[[Host], None]:
    """Let a tool answer in another way."""
    return lambda host: host.answer(tool, arguments, printed, status)


def inside(arguments: str, printed: str, status: int = 0) -> Callable[[Host], None]:
    """Let a running container answer in another way."""

    def change(host: Host) -> None:
        host.start()
        host.answer("docker", f"exec gpu01-tf2.17.0 {arguments}", printed, status)

    return change


def state(text: str) -> Callable[[Host], None]:
    return lambda host: host.start(text)


def env(text: str) -> Callable[[Host], None]:
    def change(host: Host) -> None:
        (host.path / ".env").write_text(text)

    return change


def no_home(host: Host) -> None:
    shutil.rmtree(host.home)


def no_conda(host: Host) -> None:
    shutil.rmtree(host.home / "conda")


def foreign_environments(host: Host) -> None:
    folder = host.home / "conda/envs"
    folder.mkdir()
    if os.getuid() == 0:
        os.chown(folder, 1000, 1000)
    env("CURRENT_UID=4321:4321\n")(host)


def strict_umask(host: Host) -> None:
    env("CURRENT_UID=4321:4321\n")(host)
    for path in (host.path / "environments", *(host.path / "environments").iterdir()):
        path.chmod(0o700)


def half_a_conda(host: Host) -> None:
    (host.home / "conda/bin/python").unlink()


def new_conda(host: Host) -> None:
    (host.home / "conda/bin/python").write_text("GLIBC_2.17\0GLIBC_2.28\0GLIBC_2.4\0")


def open_key(host: Host) -> None:
    (host.home / "projects/.ssh/ssh_host_ed25519_key").chmod(0o640)


def hook(host: Host) -> None:
    host.answer("docker", "info *Runtimes*", '{"runc":{}}')
    host.answer("nvidia-container-runtime-hook", "*", "")


def devices(host: Host) -> None:
    host.answer("docker", "info *Runtimes*", '{"runc":{}}')
    host.answer("nvidia-ctk", "cdi list", "nvidia.com/gpu=all")


def own_port(host: Host) -> None:
    host.answer("ss", "*", "LISTEN 0 128 0.0.0.0:21722 0.0.0.0:*")
    host.answer("docker", "port gpu01-tf2.17.0 22", "0.0.0.0:21722")


SSHD = 'LISTEN 0 128 0.0.0.0:21722 0.0.0.0:* users:(("sshd",pid=7,fd=3))'

CASES: dict[str, tuple[Callable[[Host], None], str]] = {
    "no driver": (no("nvidia-smi"), "fail driver there is no nvidia-smi, so no NVIDIA driver; host/setup.sh --check names the command that installs it"),
    "another driver loaded": (says("nvidia-smi", "*driver_version*", "Failed to initialize NVML: Driver/library version mismatch", 18), "fail driver the driver was updated, and the old one is still loaded; reboot the host"),
    "a broken driver": (says("nvidia-smi", "*driver_version*", "No devices were found", 6), "fail driver nvidia-smi fails: No devices were found; reboot the host, and install the driver anew if that does not help"),
    "an old driver": (says("nvidia-smi", "*driver_version*", "470.82.01"), "fail driver 470.82.01 is too old for tf2.17.0, which needs 525.60.13 or newer; upgrade it: host/setup.sh --check names the command; or leave that version out"),
    "GPUs unknown": (says("nvidia-smi", "*compute_cap*", "Field is not valid", 2), "warn gpus nvidia-smi does not tell the GPU generations, so they are not checked; compare the GPUs of nvidia-smi -L with the table in README.md"),
    "a GPU too new": (says("nvidia-smi", "*compute_cap*", "8.0"), "fail gpus TensorFlow 1.15.5 does not run on ampere (CUDA 10 has no code for Ampere and newer); choose a release that does: README.md names the generations of each"),
    "a GPU that compiles": (says("nvidia-smi", "*compute_cap*", "9.0"), "warn gpus TensorFlow 2.13.0 compiles for hopper at its first start, half an hour or more; wait once, and keep ~/.nv/ComputeCache"),
    "a GPU unverified": (says("nvidia-smi", "*compute_cap*", "9.0"), "warn gpus nobody could verify TensorFlow 2.11.0 on hopper; try it, or choose a release whose row in README.md has no question mark"),
    "no Docker": (no("docker"), "fail docker Docker is not installed; run: sudo host/setup.sh"),
    "Docker refused": (says("docker", "version *", "permission denied while trying to connect", 1), "fail docker {me} may not use Docker; run: sudo usermod --append --groups docker {me}, and log in anew"),
    "Docker stopped": (says("docker", "version *", "Cannot connect to the Docker daemon", 1), "fail docker the Docker engine does not answer; run: sudo systemctl start docker"),
    "an old Docker": (says("docker", "version *", "19.03.15"), "fail docker engine 19.03.15 is too old, 20.10 is needed; upgrade Docker: https://docs.docker.com/engine/install"),
    "no Compose": (says("docker", "compose version *", "", 1), "fail compose Docker has no Compose plugin; run: sudo host/setup.sh"),
    "an old Compose": (says("docker", "compose version *", "2.3.3"), "fail compose Compose 2.3.3 is too old, 2.4 is needed; upgrade the package docker-compose-plugin"),
    "no buildx": (says("docker", "buildx version", "", 1), "fail buildx Docker has no buildx plugin; run: sudo host/setup.sh"),
    "no toolkit": (says("docker", "info *Runtimes*", '{"runc":{}}'), "fail toolkit Docker cannot hand out GPUs: there is no NVIDIA runtime, hook or CDI device; run: sudo host/setup.sh"),
    "a hook": (hook, "ok toolkit Docker has NVIDIA's hook"),
    "CDI devices": (devices, "ok toolkit Docker has NVIDIA's CDI devices"),
    "no home": (no_home, "fail paths {home} is no directory that {me} can see; run: sudo host/setup.sh"),
    "no uid": (env("CURRENT_UID=me\n"), "fail user CURRENT_UID in .env is 'me', which is no uid:gid of an ordinary user; write: CURRENT_UID={uid}:1000"),
    "another owner": (env("CURRENT_UID=4321:4321\n"), "fail user {home}/projects belongs to {owner} and the containers run as 4321:4321; run: sudo chown 4321:4321 {home}/projects"),
    "a conda of somebody else": (foreign_environments, "fail user {home}/conda/envs belongs to {owner} and the containers run as 4321:4321; run: sudo chown -R 4321:4321 {home}/conda/envs"),
    "a strict umask": (strict_umask, "fail user environments/ is closed to the containers; run: chmod -R o+rX environments"),
    "no conda": (no_conda, "fail conda there is no conda in {home}/conda; run: sudo host/setup.sh"),
    "a conda without Python": (half_a_conda, "ok clock the clock is synchronised"),  # it goes on
    "a new conda": (new_conda, "warn conda conda needs glibc 2.28 and tf1.15.5 has 2.27: conda itself does not run there; use an environment by its own python there, or the Miniforge that host/setup.sh installs"),
    "no curl": (no("curl"), "warn mirror there is no curl, so https://mirror.example.com/ubuntu/dists/bionic/InRelease is not checked; run: sudo apt-get install curl"),
    "an empty mirror": (says("curl", "*InRelease", "404"), "fail mirror https://mirror.example.com/ubuntu/dists/bionic/InRelease answers with HTTP 404; compare the answer 'mirror' with what is served there"),
    "a registry with login": (says("curl", "*/v2/", "401"), "ok registry https://registry.example.com/v2/ answers"),
    "a foreign certificate": (says("curl", "*/v2/", "000", 60), "fail registry https://registry.example.com/v2/ has a certificate that this host does not trust; put the company's CA into images/certs/ as *.crt and run: sudo host/setup.sh"),
    "no network": (says("curl", "*InRelease", "000", 6), "fail mirror https://mirror.example.com/ubuntu/dists/bionic/InRelease is not reached, curl ends with 6; compare the answers 'mirror' and 'proxy' with your network"),
    "a wrong clock": (says("timedatectl", "*", "no"), "warn clock the clock is not synchronised, and certificates are refused where it is wrong; run: sudo timedatectl set-ntp true"),
    "no timedatectl": (no("timedatectl"), "warn clock timedatectl does not tell whether the clock is right; compare the output of date with another clock"),
    "a full disk": (says("df", "*", "Avail\n 9"), "fail disk 9 GB are free in / and the images that are not there yet need 25 GB; free some (docker system df names what Docker holds), or give Docker another data-root"),
    "images present": (says("docker", "image inspect *", "[]"), "ok disk 500 GB are free in /, and 0 GB are needed for images"),
    "images built": (says("docker", "image inspect gpu01-*", "[]"), "ok disk 500 GB are free in /, and 0 GB are needed for images"),
    "a hidden disk": (says("df", "*", "", 1), "warn disk {me} cannot see the disk of /; run: sudo df -h /"),
    "no ss": (no("ss"), "warn ports there is no ss, so the ports are not checked; run: sudo apt-get install iproute2"),
    "a port held": (says("ss", "*", SSHD), 'fail ports port 21722 of tf2.17.0 is held by "sshd",pid=7; stop that; or, while nobody knows the port, write another to ports in .copier-answers.yml, commit, and run: copier recopy --trust --force --vcs-ref :current:'),
    "a port held unseen": (says("ss", "*", "LISTEN 0 128 [::]:21722 [::]:*"), "fail ports port 21722 of tf2.17.0 is held by a process that only root sees: sudo ss -ltnp sport = :21722; stop that; or, while nobody knows the port, write another to ports in .copier-answers.yml, commit, and run: copier recopy --trust --force --vcs-ref :current:"),
    "a port of its own": (own_port, "ok ports every port is free or its container's"),
    "starting": (state("running starting"), "warn tf2.17.0 is starting; run host/doctor.sh again in a minute"),
    "unhealthy": (state("running unhealthy"), "fail tf2.17.0 is unhealthy; read: docker compose logs tf2.17.0"),
    "restarting": (state("restarting unhealthy"), "fail tf2.17.0 keeps restarting; read: docker compose logs tf2.17.0"),
    "stopped": (state("exited "), "fail tf2.17.0 has stopped (exited ); read: docker compose logs tf2.17.0; then run: docker compose up -d tf2.17.0"),
    "GPUs lost": (inside("nvidia-smi -L", "Failed to initialize NVML: Unknown Error", 255), "fail tf2.17.0 has lost its GPUs, as after systemctl daemon-reload; run: docker compose up -d --force-recreate tf2.17.0; for good: https://github.com/NVIDIA/nvidia-container-toolkit/issues/48"),
    "driver upgraded": (inside("nvidia-smi -L", "Failed to initialize NVML: Driver/library version mismatch", 255), "fail tf2.17.0 has the driver of before an upgrade; run: docker compose up -d --force-recreate tf2.17.0; if the host's nvidia-smi fails too, reboot"),
    "no driver inside": (inside("nvidia-smi -L", 'exec: nvidia-smi: executable file not found in PATH', 127), "fail tf2.17.0 was started without a driver; run: sudo host/setup.sh; then: docker compose up -d --force-recreate tf2.17.0"),
    "no GPU inside": (inside("nvidia-smi -L", "No devices found.", 6), "fail tf2.17.0 sees no GPU: No devices found.; compare with nvidia-smi on the host, and with the answer gpu_devices"),
    "no libcuda": (inside("bash *", "libcuda.so.1"), "fail tf2.17.0 cannot load libcuda.so.1, the driver's library; run: docker compose up -d --force-recreate tf2.17.0; NVIDIA_DRIVER_CAPABILITIES must name compute"),
    "no cuDNN": (inside("bash *", "libcusolver.so.11\nlibcudnn.so.8"), "fail tf2.17.0 cannot load libcusolver.so.11 libcudnn.so.8, so its TensorFlow runs on the CPU; run: docker compose build --pull tf2.17.0 && docker compose up -d tf2.17.0"),
    "closed": (inside("bash *", "OCI runtime exec failed", 126), "fail tf2.17.0 cannot be looked into: OCI runtime exec failed; run: docker compose up -d --force-recreate tf2.17.0"),
    "a hold gone": (inside("dpkg-query *", "ii libcudnn8\nhi libcublas-12-3\nii vim"), "fail tf2.17.0 apt may move libcudnn8; run: docker compose build tf2.17.0 && docker compose up -d tf2.17.0"),
    "no packages": (inside("dpkg-query *", "", 1), "fail tf2.17.0 does not list its packages; run: docker compose up -d --force-recreate tf2.17.0"),
    "a key to all": (open_key, "fail hostkey {home}/projects/.ssh/ssh_host_ed25519_key is 640 and belongs to {uid}, so sshd refuses it; run: sudo chown {uid} {home}/projects/.ssh/ssh_host_ed25519_key; sudo chmod 600 {home}/projects/.ssh/ssh_host_ed25519_key"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_it_tells_what_ails_the_host_and_the_cure(host: Host, case: str) -> None:
    ail, line = CASES[case]
    ail(host)
    assert filled(line, host) in host.lines()


def test_every_line_of_the_script_has_its_case(project: CopierProject) -> None:
    script = (project / "host/doctor.sh").read_text()
    sentences = re.findall(r'\b(ok|warn|fail) ("?\$?\w+"?) "((?:[^"\\]|\\.)*)"', script)
    assert len(sentences) > 50
    seen = "\n".join([*SOUND, *SOUND_CONTAINER, *(line for _, line in CASES.values())])
    seen = seen.replace("{uid}", str(project.answers["uid"]))
    for status, _, sentence in sentences:
        pattern = ".+".join(
            re.escape(part) for part in re.split(r"\$\{.*?\}|\$\(.*?\)|\$\w+", sentence)
        )
        assert re.search(f"{status} \\S+ {pattern}", seen), f"{status}: {sentence}"


def test_json_has_the_same_lines(host: Host) -> None:
    host.answer("nvidia-smi", "*driver_version*", 'a "quoted" \\ line', 1)
    text, report = host.lines(), json.loads(host.run("--json").stdout)
    assert report["host"] == "gpu01"
    assert [
        f"{c['status']} {c['check']} {c['message']}" + (f"; {c['cure']}" if c["cure"] else "")
        for c in report["checks"]
    ] == text
    assert all(c["cure"] for c in report["checks"] if c["status"] != "ok")


@pytest.mark.parametrize(("argument", "status"), [("--help", 0), ("--jsn", 2)])
def test_it_tells_how_it_is_called(host: Host, argument: str, status: int) -> None:
    done = host.run(argument)
    assert (done.returncode, "Exits with 0" in done.stdout + done.stderr) == (status, True)
