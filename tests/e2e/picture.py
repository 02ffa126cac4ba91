"""The terminal of the README: a session on a real engine, recorded and drawn.

``uv run python -m tests.e2e.picture`` renews ``docs/terminal-light.svg`` and
``docs/terminal-dark.svg``, on a server with a GPU with `gpu` too. Every line is what a command
printed; an ellipsis stands for lines that are left out. The base images are the stand-ins of the
tests with TensorFlow's wheels: Ubuntu, users, sshd, TensorFlow and the names of the CUDA packages
are real, CUDA is not.
"""

from __future__ import annotations

import html
import io
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pexpect
import yaml
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from tests.e2e.bases import build
from tests.e2e.conftest import RELEASES, official
from tests.e2e.support import REGISTRY, Directory, Person
from tests.releases import working_tree
from tests.support import ROOT

HOST = "gpu01"
BASES = (
    official(RELEASES["bionic"], extra=("python3.6",), wheels=("tensorflow-gpu==1.15.5",)),
    official(RELEASES["jammy"], extra=("python3.11",), wheels=("tensorflow==2.17.0",)),
)
"""Those of the versions that Copier chooses by default."""

SERVER = f"admin@{HOST}:~/infra$ "
LAPTOP = "alice@laptop:~$ "
"""Prompts of the two shells that are not in a container."""

PROMPT = r"\[\S+\] \S+@\S+:\S+\$ $"
"""Prompts of the containers."""

WIDTH = 104
"""Characters in a line."""


@dataclass(frozen=True)
class Command:
    """What is typed in a shell on the server, and which lines of what it prints are shown."""

    typed: str
    shown: str
    """Lines that match are shown, in this order; an ellipsis stands for all others."""

    in_any_order: bool = False
    """Whether the command prints them in the order in which things happen to end."""

    def order(self, lines: list[str]) -> list[str]:
        return sorted(lines) if self.in_any_order else lines


@dataclass(frozen=True)
class Login:
    """A session over ssh from the laptop, and what is typed in it."""

    alias: str
    typed: tuple[str, ...]


FACTS = '. /etc/os-release; echo "$NAME $VERSION_ID, CUDA $CUDA_VERSION"'
TENSORFLOW = "python3 -c 'import tensorflow as tf; print(tf.__version__)' 2>log"
GPU = "gpu"

SESSION = (
    Command(
        "uvx git+$URL hosts/gpu01 --defaults",
        r"^gpu01 is ready|^    per-version|^Next|^    \d\. |^       cd ",
    ),
    Command(
        "cd hosts/gpu01 && docker compose up -d --build --wait",
        r"Container .* Healthy$",
        in_any_order=True,
    ),
    Login("gpu01-tf1.15.5", (FACTS, TENSORFLOW, "echo made in 1.15.5 >notes")),
    Login("gpu01-tf2.17.0", (FACTS, TENSORFLOW, "cat notes", GPU)),
)
"""What a newcomer types."""


def without(*commands: str) -> list[Command | Login]:
    """Return the session without what is typed in containers, such as `gpu`."""
    return [
        replace(step, typed=tuple(line for line in step.typed if line not in commands))
        if isinstance(step, Login)
        else step
        for step in SESSION
    ]


LIGHT = TerminalTheme(
    (255, 255, 255),
    (31, 35, 40),
    [(87, 96, 106), (207, 34, 46), (17, 99, 41), (77, 45, 0), (9, 105, 218), (130, 80, 223),
     (27, 124, 131), (110, 119, 129)],
)  # fmt: skip
DARK = TerminalTheme(
    (13, 17, 23),
    (230, 237, 243),
    [(139, 148, 158), (255, 123, 114), (63, 185, 80), (210, 153, 34), (88, 166, 255),
     (188, 140, 255), (57, 197, 207), (139, 148, 158)],
)  # fmt: skip
"""GitHub's colours."""

FILES = {ROOT / "docs/terminal-light.svg": LIGHT, ROOT / "docs/terminal-dark.svg": DARK}

# Rich's own form fetches a font, which no page that shows a picture allows.
SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" \
aria-label="A terminal: the directory is made, its two containers start, ssh opens each">
<style>
.{unique_id}-matrix {{ font: {char_height}px/{line_height}px ui-monospace, SFMono-Regular, Menlo, \
Consolas, monospace; }}
.{unique_id}-title {{ font: bold 18px system-ui, sans-serif; }}
{styles}
</style>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


class Recorder:
    """The admin's shell on the server and the researcher's laptop, both on this machine."""

    def __init__(self, person: Person) -> None:
        self._person = person
        self._folder = person.folder / "infra"
        self._folder.mkdir()
        # A conda that runs on every Ubuntu, as the one that host/setup.sh installs.
        (person.conda / "bin/python").write_text("#!/bin/sh\n")
        template = working_tree(person.folder / "copier-tensorflow-host")
        answers = person.answers(registry=REGISTRY, mirror="none", bind_address="0.0.0.0")
        settings = person.folder / "settings.yml"
        settings.write_text(yaml.safe_dump({"defaults": answers}))
        self._environment = {
            **os.environ,
            "HOME": str(person.folder),
            "URL": template.as_uri(),
            "COPIER_SETTINGS_PATH": str(settings),
            "UV_CACHE_DIR": subprocess.check_output(["uv", "cache", "dir"], text=True).strip(),
            "DOCKER_CONFIG": str(Path("~/.docker").expanduser()),
            "TERM": "dumb",
        }

    def record(self, session: Sequence[Command | Login]) -> Text:
        """Type a session; return what the terminals showed."""
        shown = Text()
        for step in session:
            shown.append_text(self._type(step) if isinstance(step, Command) else self._log_in(step))
        shown.rstrip()
        return shown

    def remove(self) -> None:
        """Remove the containers and images of the session."""
        directory = self._folder / "hosts" / HOST
        if directory.exists():
            Directory(directory, {"host": HOST}).remove()

    def _type(self, command: Command) -> Text:
        shell = ["bash", "-euc", command.typed]
        done = subprocess.run(
            shell, cwd=self._folder, env=self._environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{command.typed} failed:\n{done.stdout}")
        lines = [line.rstrip() for line in done.stdout.splitlines()]
        kept = [line for line in lines if re.search(command.shown, line)]
        shown = Text.assemble((SERVER, "green"), (command.typed, "bold"), "\n")
        return shown.append("…\n", "bright_black").append("\n".join(command.order(kept)) + "\n")

    def _log_in(self, login: Login) -> Text:
        config = self._person.laptop / "config"
        config.write_text(
            "Host *\n    HostName 127.0.0.1\n    StrictHostKeyChecking accept-new\n"
            f"    IdentityFile {self._person.key}\n    LogLevel ERROR\n"
            f"    UserKnownHostsFile {self._person.laptop}/known_hosts\n"
            f"Include {self._folder}/hosts/{HOST}/ssh_config\n"
        )
        session = pexpect.spawn(
            "ssh", ["-F", str(config), login.alias], env=self._environment, encoding="utf-8",
            dimensions=(50, WIDTH), timeout=60,
        )  # fmt: skip
        shown = Text.assemble((LAPTOP, "green"), (f"ssh {login.alias}", "bold"), "\n")
        for typed in login.typed:
            shown.append_text(_until_prompt(session)).append(str(session.after), "green")
            shown.append(typed + "\n", "bold")
            session.sendline(typed)
            session.expect_exact(typed + "\r\n")
        shown.append_text(_until_prompt(session))
        session.sendeof()
        session.expect(pexpect.EOF)
        return shown


def _until_prompt(session: pexpect.spawn[str]) -> Text:
    """Wait for the prompt of a container; return what was printed before it."""
    session.expect(PROMPT)
    return Text.from_ansi((session.before or "").replace("\r", ""))


def draw(shown: Text, theme: TerminalTheme) -> str:
    """Draw a terminal."""
    console = Console(record=True, file=io.StringIO(), width=WIDTH, color_system="standard")
    console.print(shown, soft_wrap=False)
    svg = console.export_svg(title=HOST, theme=theme, code_format=SVG, unique_id="terminal")
    return re.sub(r' clip-path="[^"]*"|[ ]+$', "", svg, flags=re.MULTILINE)


def read(svg: str) -> list[str]:
    """Return the lines of text of a drawn terminal."""
    lines: dict[float, str] = {}
    matrix = svg[svg.index('-matrix">') :]
    for y, text in re.findall(r'<text [^>]* y="([0-9.]+)"[^>]*>(.*?)</text>', matrix):
        lines[float(y)] = lines.get(float(y), "") + html.unescape(text).replace("\xa0", " ")
    return [lines[y].rstrip() for y in sorted(lines)]


def main() -> None:
    """Record the session and draw it."""
    made = [build(replace(base, tag=f"{REGISTRY}/{base.tag}")) for base in BASES]
    with tempfile.TemporaryDirectory(prefix="copier-tensorflow-host-", dir="/srv") as folder:
        Path(folder).chmod(0o755)
        recorder = Recorder(Person.arrive(Path(folder)))
        try:
            shown = recorder.record(SESSION if shutil.which("nvidia-smi") else without(GPU))
        finally:
            recorder.remove()
            subprocess.run(["docker", "image", "rm", "--force", *made], check=True)
    for path, theme in FILES.items():
        path.write_text(draw(shown, theme))
    print(shown.plain)


if __name__ == "__main__":
    main()
