"""Editors' servers: the script that gives them a newer glibc, and extensions that take a Python."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from extensions.editors import extensions_for
from tests.support import ROOT

SCRIPTS = ROOT / "example/gpu01/images/editors"

# What the script needs of patchelf and of loaders, on files that are shell scripts.
PATCHELF = """#!/bin/sh
echo "$@" >>{folder}/calls
case $1 in
    --print-interpreter) echo /lib64/ld-linux-x86-64.so.2 ;;
    *) for file; do :; done; {patch} ;;
esac
"""
PATCHES = 'echo "# $5" >>"$file"'
CORRUPTS = 'echo "exit 1 # $5" >"$file"'
LOADER = """#!/bin/sh
if grep -q newest "$2" || {{ grep -q new "$2" && ! grep -q {loader} "$2"; }}; then
    echo "$2: version \\`GLIBC_2.28' not found (required by $2)"
fi
"""


class Container:
    """A container's folders, below one folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.libraries = folder / "opt/editors/lib"
        self.home = folder / "AI"
        self.loader = self.libraries / "ld-linux-x86-64.so.2"
        for path in (self.libraries, self.home, folder / "run/container", folder / "lib64"):
            path.mkdir(parents=True)
        text = (SCRIPTS / "patchelf.sh").read_text()
        for name in ("/opt/editors", "/run/container", "/lib64", "/AI"):
            text = text.replace(name, f"{folder}{name}")
        self.script = self.program(folder / "opt/editors/patchelf", text)
        text = LOADER.format(loader=self.loader)
        self.program(self.loader, text)
        self.program(folder / "lib64/ld-linux-x86-64.so.2", text)
        self.let(PATCHES)

    def program(self, path: Path, text: str = "#!/bin/sh\n# new\necho started\n") -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
        return path

    def let(self, patch: str) -> None:
        """Replace what patchelf does."""
        text = PATCHELF.format(folder=self.folder, patch=patch)
        text = text.replace("/lib64", f"{self.folder}/lib64")
        self.program(self.libraries / "patchelf", text)

    def start(self, server: Path) -> subprocess.CompletedProcess[str]:
        """Do what a server's start script does."""
        both = '"$0" --set-rpath /lib "$1" && "$0" --set-interpreter /ld "$1"'
        command = ["bash", "-c", both, str(self.script), str(server)]
        return subprocess.run(command, capture_output=True, text=True)

    def patched(self, program: Path) -> bool:
        return str(self.loader) in program.read_text()


@pytest.fixture
def container(tmp_path: Path) -> Container:
    return Container(tmp_path)


def test_a_server_gets_its_glibc_once(container: Container) -> None:
    server = container.program(container.home / ".vscode/tf/.vscode-server/bin/1/node")
    for _ in range(2):
        done = container.start(server)
        assert (done.returncode, done.stderr) == (0, "")
        assert container.patched(server)
    calls = (container.folder / "calls").read_text().splitlines()
    options = f"--force-rpath --set-rpath {container.libraries} --set-interpreter"
    assert [call.rpartition(" ")[0] for call in calls] == [f"{options} {container.loader}"]


def test_a_server_that_would_not_start_stays_as_it_is(container: Container) -> None:
    container.let(CORRUPTS)
    server = container.program(container.home / "node")
    before = server.read_text()
    done = container.start(server)
    assert done.returncode == 1
    said = f"editors: {server} does not start with the newer glibc, so it stays as it is\n"
    assert done.stderr == said
    assert (server.read_text(), list(container.home.iterdir())) == (before, [server])


def test_a_server_in_a_folder_of_all_containers_stays_as_it_is(container: Container) -> None:
    server = container.program(container.home / ".vscode-server/bin/1/node")
    done = container.start(server)
    assert done.returncode == 1
    assert done.stderr.startswith(f"editors: {container.home}/.vscode-server is one folder for all")
    assert not container.patched(server)


def test_programs_of_extensions_get_it_where_this_ubuntu_cannot_start_them(
    container: Container,
) -> None:
    folder = container.home / ".vscode/tf/.vscode-server"
    server = container.program(folder / "bin/1/node")
    built_in = container.program(folder / "bin/1/extensions/git/dist/ask")
    first = container.program(folder / "extensions/first/bin/tool")
    old = container.program(folder / "extensions/first/bin/old tool", "#!/bin/sh\n")
    too_new = container.program(folder / "bin/1/newest", "#!/bin/sh\n# newest\n")
    done = container.start(server)
    said = f"editors: {too_new} does not start with the newer glibc, so it stays as it is\n"
    assert (done.returncode, done.stderr) == (0, said)
    second = container.program(folder / "extensions/second/tool")
    done = container.start(server)
    assert (done.returncode, done.stderr) == (0, "")
    assert [container.patched(p) for p in (built_in, first, second)] == [True] * 3
    assert not container.patched(old)
    assert not container.patched(too_new)


@pytest.mark.parametrize(
    ("python", "debugger", "debugpy", "test_explorer"),
    [
        ("3.5", "2023.1.12492010", "1.5.1", "2022.4.1"),
        ("3.6", "2023.1.12492010", "1.5.1", "2024.6.0"),
        ("3.7", "2024.0.1", "1.7.0", "2024.6.0"),
        ("3.8", "2026.6.0", "1.8.21", None),
        ("3.9", "2026.6.0", "1.8.21", None),
        ("3.10", None, None, None),
        ("3.13", None, None, None),
    ],
)
def test_extensions_that_take_a_python(
    python: str, debugger: str | None, debugpy: str | None, test_explorer: str | None
) -> None:
    found = extensions_for(python)
    assert (found.debugger, found.debugpy) == (debugger, debugpy)
    assert found.test_explorer == test_explorer
