"""A host with a container on each Ubuntu, used as its people use it."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
from datetime import datetime, timedelta
from pathlib import Path
from shlex import quote

import pytest

from extensions import catalogue
from tests.e2e.bases import NEEDS_NEWER
from tests.e2e.conftest import RELEASES, UNLISTED
from tests.e2e.support import PERSON, Directory, Laptop, Person, in_image, output, run

ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "CUDA_VERSION", "NVIDIA_VISIBLE_DEVICES", "LANG")
PRINT_ENVIRONMENT = f"printenv {' '.join(ENVIRONMENT)}"


def test_it_gets_healthy_and_its_log_stays_quiet(host: Directory, service: str) -> None:
    assert host.container(service)["State"]["Health"]["Status"] == "healthy"
    for line in host.log(service).splitlines():
        known = ("Server listening", "Accepted publickey", "Received disconnect", "Disconnected",
                 "==", "Starting session", "Close session",
                 "Attempt to write login records by non-root user")  # fmt: skip
        if "bin/python does not run on this Ubuntu" in line:  # as in test_conda.py
            continue
        assert not line or line.startswith(known), line


def test_the_clock_is_in_the_time_zone_of_the_host(
    host: Directory, laptop: Laptop, service: str
) -> None:
    assert laptop.shell(service, "date +%z").split() == output("date", "+%z").split()
    assert laptop.shell(service, "TZ=Asia/Shanghai date +%z") == "+0800\n"
    assert host.exec(service, "readlink", "/etc/localtime") == "/run/host-localtime\n"


def test_tensorflow_takes_memory_as_it_needs_it_unless_a_person_says_otherwise(
    laptop: Laptop, service: str
) -> None:
    shown = "echo $TF_FORCE_GPU_ALLOW_GROWTH $CUDA_DEVICE_ORDER"
    assert laptop.shell(service, shown) == "true PCI_BUS_ID\n"
    other = f"export TF_FORCE_GPU_ALLOW_GROWTH=false; bash -c {quote(shown)}"
    assert laptop.shell(service, other) == "false PCI_BUS_ID\n"


def test_the_ssh_of_every_ubuntu_reads_the_ssh_config(
    host: Directory, person: Person, service: str
) -> None:
    """From OpenSSH 7.6, which does not know SetEnv, to 9.6."""
    config = (host.path / "ssh_config").read_text()
    assert "SetEnv" in config
    (person.projects / "laptop.conf").write_text(config)
    told = host.exec(service, "ssh", "-G", "-F", "/AI/laptop.conf", f"e2e-gpu01-{service}")
    assert {"user ai", "hostkeyalias e2e-gpu01-containers"} <= set(told.splitlines())


def test_work_outlives_a_laptop_that_sleeps(host: Directory, laptop: Laptop, service: str) -> None:
    """tmux keeps what runs; sshd waits for a client that does not answer, for a day."""
    told = host.exec(service, "/usr/sbin/sshd", "-T", "-h", "/AI/.ssh/ssh_host_ed25519_key")
    settings = dict(line.split(" ", 1) for line in told.splitlines() if " " in line)
    days = int(settings["clientaliveinterval"]) * int(settings["clientalivecountmax"]) / 86400
    assert days == 1
    laptop.shell(service, "tmux new-session -d -s work 'sleep 1; echo done >/AI/done; sleep 60'")
    laptop.shell(service, "timeout 10 sh -c 'until [ -e /AI/done ]; do sleep 0.2; done'")
    laptop.shell(service, "tmux kill-session -t work; rm /AI/done")
    assert len(laptop.shell(service, "command -v git less wget vim").split()) == 4


def test_ssh_runs_a_command_as_the_person(laptop: Laptop, service: str) -> None:
    assert laptop.shell(service, "id -u; id -g; id -un; pwd; echo $HOME").split() == [
        str(PERSON),
        str(PERSON),
        "ai",
        "/AI",
        "/AI",
    ]


@pytest.mark.parametrize(
    "command",
    [PRINT_ENVIRONMENT, f"bash -lc '{PRINT_ENVIRONMENT}'", f"sh -c '{PRINT_ENVIRONMENT}'"],
)
def test_every_way_in_has_the_environment_of_the_image(
    host: Directory, laptop: Laptop, service: str, command: str
) -> None:
    of_the_image = host.exec(service, "printenv", *ENVIRONMENT)
    assert "/usr/local/cuda" in of_the_image
    assert laptop.shell(service, command) == of_the_image
    assert host.exec(service, "bash", "-lc", PRINT_ENVIRONMENT) == of_the_image


def test_a_terminal_has_the_environment_of_the_image(
    host: Directory, laptop: Laptop, service: str
) -> None:
    session = run(
        "ssh", "-tt", "-F", laptop.config, laptop.alias(service),
        input=f"tty; {PRINT_ENVIRONMENT}; exit\n", timeout=60,
    )  # fmt: skip
    printed = session.stdout.replace("\r\n", "\n")
    assert "\n/dev/pts/" in printed
    assert host.exec(service, "printenv", *ENVIRONMENT) in printed
    assert "Permission denied" not in printed + session.stderr


@pytest.mark.parametrize("kind", ["-ic", "-lc", "-c"])
def test_a_shell_in_a_shell_keeps_what_the_person_changed(
    laptop: Laptop, service: str, kind: str
) -> None:
    command = f"export PATH=/AI/env/bin:$PATH; bash {kind} 'echo $PATH' 2>/dev/null | tail -n 1"
    assert laptop.shell(service, command).startswith("/AI/env/bin:")


@pytest.mark.parametrize("tool", ["scp", "sftp", "rsync"])
def test_files_travel_both_ways_unchanged(
    laptop: Laptop, service: str, tool: str, tmp_path: Path
) -> None:
    sent, received = tmp_path / "sent", tmp_path / "received"
    sent.write_bytes(os.urandom(3_000_000))
    remote = f"{laptop.alias(service)}:{tool}-{service}"
    if tool == "sftp":
        batch = f"put {sent} {tool}-{service}\nget {tool}-{service} {received}\n"
        output("sftp", "-F", laptop.config, "-b", "-", laptop.alias(service), input=batch)
    else:
        client: list[str | Path] = ["scp", "-F", laptop.config]
        if tool == "rsync":
            client = ["rsync", "-e", f"ssh -F {laptop.config}"]
        output(*client, sent, remote)
        output(*client, remote, received)
    assert received.read_bytes() == sent.read_bytes()
    checksum = laptop.shell(service, f"sha256sum {tool}-{service}").split()[0]
    assert checksum == hashlib.sha256(sent.read_bytes()).hexdigest()


def test_a_port_of_the_container_is_reached_through_ssh(laptop: Laptop, service: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    forward = ["-o", "ExitOnForwardFailure=yes", "-f", "-L", f"{port}:localhost:22"]
    subprocess.run(
        ["ssh", "-F", laptop.config, *forward, laptop.alias(service), "sleep 5"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True,
    )  # fmt: skip
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        assert connection.recv(64).startswith(b"SSH-2.0-OpenSSH_")


def test_files_written_to_ai_belong_to_the_person(
    person: Person, laptop: Laptop, service: str
) -> None:
    laptop.shell(service, f"mkdir -p /AI/{service} && touch /AI/{service}/file")
    written = (person.projects / service / "file").stat()
    assert (written.st_uid, written.st_gid) == (PERSON, PERSON)


def test_the_home_of_the_host_is_readable_and_cannot_be_written(
    person: Person, laptop: Laptop, service: str
) -> None:
    assert laptop.shell(service, f"ls {quote(str(person.home))}").split() == [
        "miniconda3",
        "tensorflow_volume",
    ]
    refused = laptop.ssh(service, f"touch {quote(str(person.home))}/file")
    assert "Read-only file system" in refused.stderr


def test_no_process_is_root_or_could_become_it(laptop: Laptop, service: str) -> None:
    status = laptop.shell(service, "cat /proc/[0-9]*/status 2>/dev/null || true")
    facts = [line.split() for line in status.splitlines()]
    assert {tuple(f[1:]) for f in facts if f[0] in ("Uid:", "Gid:")} == {(str(PERSON),) * 4}
    assert {f[1] for f in facts if f[0] in ("CapEff:", "CapPrm:", "CapBnd:")} == {"0" * 16}
    assert {f[1] for f in facts if f[0] == "NoNewPrivs:"} == {"1"}


def test_only_the_keys_of_the_person_open_the_door(
    laptop: Laptop, service: str, tmp_path: Path
) -> None:
    stranger = tmp_path / "key"
    output("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", stranger)
    for options in (
        ["-i", str(stranger), "-o", "IdentitiesOnly=yes", "-F", "none"],
        ["-l", "root"],
        ["-o", "PubkeyAuthentication=no"],
    ):
        target = ["-p", str(laptop.directory.answers["ports"][service.removeprefix("tf")])]
        if "none" in options:
            target += ["-o", "StrictHostKeyChecking=no", "-o", "BatchMode=yes"]
            refused = run("ssh", *options, *target, "ai@127.0.0.1", "true")
        else:
            refused = laptop.ssh(service, "true", *options)
        assert refused.returncode == 255
        assert "Permission denied (publickey)." in refused.stderr


def test_every_cuda_package_is_held_and_nothing_else(host: Directory, service: str) -> None:
    assert host.exec(service, "apt-mark", "showhold").split() == cuda_of(service)


def cuda_of(service: str) -> list[str]:
    """The CUDA packages of a service's stand-in, in order."""
    release = catalogue.releases()[service.removeprefix("tf")]
    return sorted(release.toolkit.packages or UNLISTED)


def where_newer_is_offered(host: Directory, service: str, then: str) -> str:
    """Run a script where apt knows newer CUDA only; `versions` prints those that are there."""
    script = f"""
        rm -f /etc/apt/sources.list.d/ubuntu.sources; : >/etc/apt/sources.list
        apt-get -qq update
        versions() {{ dpkg-query -Wf '${{Package}} ${{Version}}\\n' {" ".join(cuda_of(service))}; }}
        versions >before
        {then}
    """
    return in_image(host.image(service), script)


def test_apt_moves_no_cuda_package_though_newer_ones_are_offered(
    host: Directory, service: str
) -> None:
    script = f"""
        apt-get -qqy upgrade && apt-get -qqy dist-upgrade && apt-get -qqy autoremove
        versions | cmp - before
        apt-mark -qq unhold {cuda_of(service)[0]}
        apt-get -qqy dist-upgrade
        versions | diff before - | grep -c '^>'
    """
    moved_when_unheld = where_newer_is_offered(host, service, script).split()[-1]
    assert moved_when_unheld == "1"


def test_apt_refuses_what_needs_a_newer_cuda_and_says_why(host: Directory, service: str) -> None:
    script = f"""
        if apt-get -qy install {NEEDS_NEWER} 2>&1; then exit 1; fi
        versions | cmp - before
    """
    said = where_newer_is_offered(host, service, script)
    assert f"{NEEDS_NEWER} : Depends: {cuda_of(service)[0]} (>= " in said
    assert "you have held broken packages" in said


def test_the_gpus_are_asked_for(host: Directory, service: str) -> None:
    facts = host.container(service)
    (request,) = facts["HostConfig"]["DeviceRequests"]
    assert (request["Driver"], request["Count"]) == ("nvidia", -1)
    log = Path(os.environ.get("NVIDIA_HOOK_STANDIN_LOG", "/var/log/nvidia-hook-standin.log"))
    calls = [json.loads(line) for line in log.read_text().splitlines()]
    (call,) = [c for c in calls if c["state"]["id"] == facts["Id"] and c["call"] == "prestart"][-1:]
    assert "NVIDIA_VISIBLE_DEVICES=all" in call["env"]


def test_an_image_adds_two_content_layers_without_traces(host: Directory, service: str) -> None:
    history = output("docker", "history", "--format={{.CreatedBy}}\t{{.Size}}", host.image(service))
    ours = history.split("init_env1.sh")[0].splitlines()
    newer_glibc = service == f"tf{RELEASES['bionic']}"  # of editors, a third one
    assert len([line for line in ours if not line.endswith("\t0B")]) == 2 + newer_glibc
    traces = in_image(
        host.image(service),
        """find /var/lib/apt/lists /var/cache/apt/archives /var/log/apt /tmp -type f -not -name lock
        find /etc/ssh -name 'ssh_host_*'; ls /var/log/dpkg.log 2>/dev/null || true""",
    )
    assert traces == ""


def test_all_containers_show_one_host_key_that_only_the_person_can_read(
    person: Person, host: Directory, laptop: Laptop
) -> None:
    for version in host.answers["tf_versions"]:
        laptop.shell(f"tf{version}", "true")
    known = (person.laptop / "known_hosts").read_text().splitlines()
    public = (person.projects / ".ssh/ssh_host_ed25519_key.pub").read_text().split()[:2]
    assert [line.split() for line in known] == [["e2e-gpu01-containers", *public]]
    private = (person.projects / ".ssh/ssh_host_ed25519_key").stat()
    assert (private.st_mode & 0o777, private.st_uid) == (0o600, PERSON)
    # all four started at the same moment on an empty project directory
    assert not list((person.projects / ".ssh").glob("new.*"))


def test_a_container_is_healthy_seconds_after_its_start(host: Directory) -> None:
    service = "tf2.17.0"
    host.compose("restart", "--timeout=1", service)
    started = datetime.fromisoformat(host.container(service)["State"]["StartedAt"])
    host.up()
    health = host.container(service)["State"]["Health"]
    ended = [datetime.fromisoformat(c["End"]) for c in health["Log"] if c["ExitCode"] == 0]
    assert health["Status"] == "healthy"
    assert min(ended) - started < timedelta(seconds=20)  # on a busy machine


def test_a_container_comes_back_with_the_same_host_key(host: Directory, laptop: Laptop) -> None:
    before = laptop.shell("tf2.17.0", "hostname")
    host.compose("rm", "--stop", "--force", "tf2.17.0")
    host.up()
    # the laptop would refuse another key: StrictHostKeyChecking
    assert laptop.shell("tf2.17.0", "hostname") == before == "e2e-gpu01-tf2.17.0\n"


def doctor(host: Directory) -> dict[tuple[str, str], dict[str, str]]:
    """What the doctor finds, by check and subject; on stand-ins for the GPU some fail."""
    done = run(host.path / "host/doctor", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    return {(one["check"], one["subject"]): one for one in json.loads(done.stdout)["checks"]}


def test_the_doctor_finds_a_running_host_sound_but_for_what_is_stood_in(host: Directory) -> None:
    found = doctor(host)
    name = host.answers["host"]
    for check in (
        *("facts", "docker", "compose", "buildx", "users", "toolkit", "paths", "user", "conda"),
        *("memory", "networks", "project", "ports", "images"),
    ):
        assert found[check, name]["status"] == "ok", found[check, name]
    assert found["user", name]["message"] == f"the containers run as {PERSON}:{PERSON}"
    assert found["hostkey", "project_path"]["message"].startswith(f"only {PERSON} can read ")
    assert found["driver", name]["status"] == "fail"
    for version in host.answers["tf_versions"]:
        service = f"tf{version}"
        assert found["container", service]["message"] == "is healthy"
        assert found["gpu", service]["message"] == "was started without a driver"
        libraries = " ".join(catalogue.releases()[version].toolkit.libraries)
        missing = f"cannot load {libraries}, so its TensorFlow runs on the CPU"
        assert found["libraries", service]["message"] == missing
        assert found["holds", service]["message"] == "holds every CUDA package"
        assert ("cuda", service) not in found  # nvidia-smi does not work, so it is not asked


def test_the_doctor_loads_libraries_and_sees_a_hold_that_is_gone(host: Directory) -> None:
    service = f"tf{RELEASES['jammy']}"
    *others, cudnn = catalogue.releases()[RELEASES["jammy"]].toolkit.libraries

    def as_root(script: str) -> None:
        output("docker", "exec", "--user=0", host.image(service), "sh", "-ec", script)

    def said() -> list[str]:
        found = doctor(host)
        return [found[check, service]["message"] for check in ("libraries", "holds")]

    as_root(f"""mkdir -p /usr/local/cuda/lib64; cd /usr/local/cuda/lib64; echo text >{cudnn}
        for library in {" ".join(others)}; do ln -s /lib/x86_64-linux-gnu/libm.so.6 $library; done
        apt-mark unhold libcudnn8""")
    assert said() == [
        f"cannot load {cudnn}, so its TensorFlow runs on the CPU",
        "apt can change libcudnn8",
    ]
    as_root(f"cd /usr/local/cuda/lib64; ln -sf /lib/x86_64-linux-gnu/libm.so.6 {cudnn}")
    as_root("apt-mark hold libcudnn8")
    assert said() == [
        "loads every library that its TensorFlow opens for a GPU",
        "holds every CUDA package",
    ]
