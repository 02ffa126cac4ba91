"""What the company network meets at the port, and what those inside can reach."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from string import punctuation

import pexpect
import pytest
from pytest_copier.plugin import CopierProject

from tests.e2e.support import PERSON, Directory, Laptop, output, run

EFFECTIVE = """
    allowusers ai
    allowagentforwarding no
    allowtcpforwarding yes
    authenticationmethods publickey
    gatewayports no
    hostbasedauthentication no
    ignorerhosts yes
    kbdinteractiveauthentication no
    logingracetime 30
    maxauthtries 4
    passwordauthentication no
    permitemptypasswords no
    permitrootlogin no
    permittunnel no
    permituserenvironment no
    strictmodes yes
    usepam no
    x11forwarding no
"""
"""Of what OpenSSH and this directory decide, what keeps the door shut."""

ENCRYPT_AND_MAC = "using encrypt-and-MAC mode"
"""No attack on it is known in SSH with counter mode, and old SSH libraries have no other MAC."""

AWAITS_QUANTUM_COMPUTERS = "does not provide protection against post-quantum attacks"


def port(laptop: Laptop, service: str) -> int:
    return int(laptop.directory.answers["ports"][service.removeprefix("tf")])


def test_sshd_keeps_the_door_shut(host: Directory, service: str) -> None:
    options = "source <(sed '/^main() {/,$d' /usr/local/bin/container-start)"
    script = f'{options}; /usr/sbin/sshd -T "${{sshd_options[@]}}"'
    effective = host.exec(service, "bash", "-c", script).splitlines()
    if "challengeresponseauthentication no" in effective:  # its name up to OpenSSH 8.6
        effective.append("kbdinteractiveauthentication no")
    wanted = {line.strip() for line in EFFECTIVE.strip().splitlines()}
    assert wanted - set(effective) == set()


def test_a_scanner_finds_no_weak_algorithm(laptop: Laptop, service: str) -> None:
    scanner = Path(sys.executable).with_name("ssh-audit")
    scan = run(scanner, "--json", "--skip-rate-test", f"127.0.0.1:{port(laptop, service)}")
    found = json.loads(scan.stdout)
    offered = [(kind, entry) for kind in ("kex", "key", "enc", "mac") for entry in found[kind]]
    assert {kind for kind, _ in offered} == {"kex", "key", "enc", "mac"}
    weak = [
        (kind, entry["algorithm"], grade, entry["notes"][grade])
        for kind, entry in offered
        for grade in ("fail", "warn")
        if set(entry["notes"].get(grade, [])) - {AWAITS_QUANTUM_COMPUTERS, ENCRYPT_AND_MAC}
    ]
    assert weak == []
    if service == "tf2.17.0-nv25.02":  # OpenSSH 9.0 and newer offer a remedy first
        assert AWAITS_QUANTUM_COMPUTERS not in found["kex"][0]["notes"].get("warn", [])


@pytest.mark.parametrize("way", ["password", "keyboard-interactive", "hostbased", "none"])
def test_no_other_way_of_logging_in_is_offered(laptop: Laptop, service: str, way: str) -> None:
    refused = laptop.ssh(service, "true", "-o", f"PreferredAuthentications={way}")
    assert refused.returncode == 255
    assert "Permission denied (publickey)." in refused.stderr


def test_agent_display_and_network_devices_of_a_laptop_stay_there(
    laptop: Laptop, service: str
) -> None:
    agent = output("ssh-agent", "-s")
    variables = dict(line.split(";")[0].split("=") for line in agent.splitlines()[:2])
    try:
        shown = subprocess.run(
            ["ssh", "-A", "-X", "-F", laptop.config, laptop.alias(service),
             "echo agent=$SSH_AUTH_SOCK display=$DISPLAY"],
            capture_output=True, text=True, env={**os.environ, **variables, "DISPLAY": ":0"},
        )  # fmt: skip
    finally:
        run("ssh-agent", "-k", env={**os.environ, **variables})
    assert shown.stdout == "agent= display=\n"


def test_a_port_forwarded_back_is_open_inside_the_container_alone(
    laptop: Laptop, service: str
) -> None:
    listeners = laptop.shell(
        service, "cat /proc/net/tcp /proc/net/tcp6", "-R", "0.0.0.0:7777:localhost:9"
    )
    addresses = {line.split()[1] for line in listeners.splitlines() if ":1E61 " in line}
    assert addresses <= {"0100007F:1E61", f"{'0' * 24}01000000:1E61"}
    assert addresses


def test_only_the_answered_address_of_the_host_is_open(laptop: Laptop, service: str) -> None:
    assert laptop.directory.answers["bind_address"] == "127.0.0.1"
    with socket.create_connection(("127.0.0.1", port(laptop, service)), timeout=10):
        pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", port(laptop, service)), timeout=10)


def test_a_container_holds_nothing_of_the_host_but_what_was_answered(
    host: Directory, service: str
) -> None:
    """The Docker CIS benchmark's section on running containers, where it can be inspected."""
    config = host.container(service)["HostConfig"]
    assert not config["Privileged"]
    assert (config["CapDrop"], config["CapAdd"]) == (["ALL"], None)
    assert config["SecurityOpt"] == ["no-new-privileges"]
    shares = {config[mode] for mode in ("PidMode", "IpcMode", "UTSMode", "UsernsMode")}
    assert shares <= {"", "private"}
    assert config["NetworkMode"] == f"{host.answers['host']}_ai-bridge"
    assert not config["Devices"]
    assert config["PidsLimit"] == 16384
    mounts = host.container(service)["Mounts"]
    assert not [mount for mount in mounts if "docker.sock" in mount["Source"]]
    assert {mount["Propagation"] for mount in mounts} == {"rprivate"}


def test_no_setuid_program_makes_a_person_root(laptop: Laptop, service: str) -> None:
    assert laptop.shell(service, "find $(command -v su) -perm -4000 -user root") != ""
    terminal = pexpect.spawn("ssh", ["-tt", "-F", str(laptop.config), laptop.alias(service), "su"])
    try:
        terminal.expect("Password:", timeout=30)
        running = "cat $(dirname $(grep -lx su /proc/[0-9]*/comm))/status"
        status = laptop.shell(service, running).splitlines()
    finally:
        terminal.close(force=True)
    assert [line.split()[1:] for line in status if line.startswith("Uid:")] == [[str(PERSON)] * 4]
    assert "Seccomp:\t2" in status


def test_sshd_reads_the_answered_path_whatever_is_in_it(
    host: Directory, service: str, generate: Callable[..., CopierProject]
) -> None:
    accepted = set(punctuation + " éİß李🎤") - set(":$#\"'`\\/")
    home = f"/data/{''.join(sorted(accepted))}"
    start = generate(host_home=home, conda_path=f"{home}/c") / "images/container/start.sh"
    script = start.read_text().partition("\nmain() {")[0]
    script += '\n/usr/sbin/sshd -T -f /etc/ssh/sshd_config "${sshd_options[@]}"'
    effective = output(
        "docker", "exec", "-i", "-e", "LANG=C.UTF-8", host.image(service), "bash", "-c", script,
    )  # fmt: skip
    (line,) = [x for x in effective.splitlines() if x.startswith("authorizedkeysfile ")]
    wanted = f"{home.replace('%', '%%')}/.ssh/authorized_keys /AI/.ssh/authorized_keys"
    assert line.removeprefix("authorizedkeysfile ") == wanted
