"""The README as a newcomer follows it: each command as it stands there, from an empty machine.

Only in the full profile, since every system downloads what it lacks. The commands before Docker's
run in a fresh root file system with Python and sudo alone, those after it on the engine of this
machine, with stand-ins for the base images.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest
import yaml

from tests.e2e.bases import rootfs_image
from tests.e2e.conftest import JAMMY, RELEASES, official
from tests.e2e.support import PERSON, REGISTRY, Directory, Person, output, run
from tests.releases import working_tree
from tests.support import ROOT

pytestmark = pytest.mark.full

SYSTEMS = ("jammy", "noble", "bookworm", "trixie")
"""Python is managed by the system in all but the first."""

CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
"""Those of this machine, with a company's."""

DOCKERFILE = """FROM {base}
RUN apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y \\
    --no-install-recommends python3 sudo && rm -rf /var/lib/apt/lists/*
RUN useradd --uid {uid} --no-create-home --home-dir {home!r} --shell /bin/bash ai \\
    && echo 'ai ALL=(ALL) NOPASSWD: SETENV: ALL' >/etc/sudoers.d/ai
"""

PROMPT = "ready to type: "
ANSWERED = 60
"""Questions that are answered by Enter, at most."""


def commands(page: str) -> list[str]:
    """The shell blocks of the section with the three commands, in their order."""
    text = (ROOT / page).read_text()
    (section,) = re.findall(r"^## (?:Three commands|三条命令)\n(.*?)^<details", text, re.M | re.S)
    return re.findall(r"^```sh\n(.*?)\n```", section, re.M | re.S)


def test_both_languages_have_the_same_commands() -> None:
    assert commands("README.md") == commands("README.zh-CN.md")


@pytest.fixture(scope="module")
def template(arrive: Callable[[], Person]) -> str:
    """The address of the repository: a clone that everybody can read."""
    person = arrive()
    clone = working_tree(person.folder / "copier-tensorflow-host")
    person.owns(clone)
    return clone.as_uri()


@pytest.fixture(params=SYSTEMS)
def newcomer(
    request: pytest.FixtureRequest, arrive: Callable[[], Person], stand_in: Callable[..., None]
) -> Iterator[tuple[Person, str]]:
    """A person with a key, and the image of an empty machine with an account for them."""
    for base in (official(RELEASES["bionic"]), JAMMY):
        stand_in(base)
    person = arrive()
    # a conda that runs on every Ubuntu, as the one that host/setup.sh installs
    (person.conda / "bin/python").write_text("#!/bin/sh\n")
    infra = person.folder / "infra"
    infra.mkdir()
    settings = {"registry": REGISTRY, "mirror": "none"}
    (person.folder / "settings.yml").write_text(yaml.safe_dump({"defaults": settings}))
    person.owns(person.folder)
    image = f"copier-tensorflow-host/e2e-empty:{request.param}"
    recipe = DOCKERFILE.format(base=rootfs_image(request.param), uid=PERSON, home=str(person.home))
    output("docker", "build", "--quiet", f"--tag={image}", "-", input=recipe)
    yield person, image
    directory = infra / "hosts/gpu01"
    if directory.exists():
        Directory(directory, {"host": "gpu01"}).remove()
    run("docker", "image", "rm", "--force", image)


def test_an_empty_machine_becomes_an_ssh_session_by_the_commands_of_the_readme(
    newcomer: tuple[Person, str], template: str
) -> None:
    get_uv, generate, start, log_in = commands("README.md")
    person, image = newcomer
    infra = person.folder / "infra"
    variables = {"URL": template, "COPIER_SETTINGS_PATH": str(person.folder / "settings.yml")}
    on_empty_machine(person, image, [get_uv, generate], Path(template.removeprefix("file://")),
                     variables)  # fmt: skip
    recorded = yaml.safe_load((infra / "hosts/gpu01/.copier-answers.yml").read_text())
    assert recorded["_src_path"] == f"git+{template}"
    assert (recorded["uid"], recorded["host_home"]) == (PERSON, str(person.home))
    assert recorded["project_path"] == str(person.projects)

    environment = {**os.environ, "PATH": f"{ssh_to_this_machine(person)}:{os.environ['PATH']}"}
    started = subprocess.run(
        ["bash", "-euc", start], cwd=infra, env=environment, capture_output=True, text=True
    )
    assert started.returncode == 0, started.stderr
    assert started.stderr.count("Healthy") == 2
    session = pexpect.spawn("bash", ["-euc", log_in], env=environment, encoding="utf-8", timeout=30)
    session.expect(r"ai@gpu01-tf1\.15\.5:~\$ ")
    session.sendline("echo $CUDA_VERSION; cat /etc/issue.net; touch notes")
    session.expect(r"10\.0\S*\r\nUbuntu 18\.04")
    session.sendline("exit")
    session.expect(pexpect.EOF)
    assert (person.projects / "notes").exists()


def on_empty_machine(
    person: Person, image: str, pasted: list[str], clone: Path, variables: dict[str, str]
) -> None:
    """Paste commands one after the other in a shell of the empty machine; Enter is each answer."""
    trusted = {name: str(CERTIFICATES) for name in ("SSL_CERT_FILE", "PIP_CERT")}
    given = [f"--env={name}={value}" for name, value in {**variables, **trusted}.items()]
    proxies = [f"--env={name}" for name in os.environ if name.lower().endswith("_proxy")]
    shell = pexpect.spawn(
        "docker",
        ["run", "--rm", "-it", "--init", "--hostname=gpu01", "--user=ai", "--env=TERM=xterm",
         f"--workdir={person.folder}/infra", f"--volume={person.folder}:{person.folder}",
         f"--volume={clone}:{clone}:ro", f"--volume={CERTIFICATES}:{CERTIFICATES}:ro",
         *given, *proxies, image, "bash", "--norc"],
        encoding="utf-8", dimensions=(40, 120), timeout=600,
    )  # fmt: skip
    shell.expect(r"\$ ")
    shell.sendline(f"PS1='{PROMPT[:5]}''{PROMPT[5:]}'")  # which is not what the terminal echoes
    shell.expect_exact(PROMPT)
    for command in pasted:
        for line in command.splitlines():
            shell.sendline(line)
            for _ in range(ANSWERED):
                if shell.expect_exact(["🎤", PROMPT]) == 1:
                    break
                shell.expect_exact("\x1b[?25h")  # the cursor is shown: it waits for input
                shell.send("\r")
            shell.sendline("echo status $?")
            shell.expect_exact("status 0\r\n", timeout=20)
            shell.expect_exact(PROMPT)
    shell.sendline("exit")
    shell.expect(pexpect.EOF)


def ssh_to_this_machine(person: Person) -> Path:
    """Return a folder with an ssh for which gpu01 is this machine, and the key the person's."""
    config = person.laptop / "config"
    config.write_text(
        "Host gpu01\n    HostName 127.0.0.1\n    StrictHostKeyChecking accept-new\n"
        f"    IdentityFile {person.key}\n    UserKnownHostsFile {person.laptop}/known_hosts\n"
    )
    folder = person.laptop / "bin"
    folder.mkdir()
    (folder / "ssh").write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {config} "$@"\n')
    (folder / "ssh").chmod(0o755)
    return folder
