"""What the official images and the answers may differ in, on real images."""

from __future__ import annotations

import ensurepip
import hashlib
import http.server
import io
import ipaddress
import re
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from extensions import catalogue
from tests.e2e.bases import NVIDIA_ENTRYPOINT, Base
from tests.e2e.conftest import RELEASES, official
from tests.e2e.support import PERSON, Directory, Person, in_image, output
from tests.support import by_default

LEAN = {"ssh": False, "packages": []}
"""Answers that install nothing: a build takes seconds."""

VERSION = RELEASES["jammy"]
LISTED = catalogue.releases()[VERSION].toolkit.packages

BuildOn = Callable[..., Directory]


@pytest.fixture
def build_on(
    person: Person, directory: Callable[..., Directory], stand_in: Callable[..., None]
) -> BuildOn:
    """Generate a directory for a base of the test's own, from a registry that has only it."""

    def generate(base: Base, **answers: Any) -> Directory:
        registry = f"e2e-{hashlib.sha256(repr(base).encode()).hexdigest()[:8]}.invalid"
        stand_in(base, registry)
        ours = {"host": "e2e-image", "tf_versions": [version_of(base)], "registry": registry}
        return directory(**person.answers(**{**ours, **answers}))

    return generate


def version_of(base: Base) -> str:
    return next(v for v, r in catalogue.releases().items() if r.own_image and r.image == base.tag)


def service(made: Directory) -> str:
    (version,) = made.answers["tf_versions"]
    return f"tf{version}"


def test_differences_between_list_and_image_are_told_and_held(build_on: BuildOn) -> None:
    missing, *present = LISTED
    packages = {name: LISTED[name] for name in present} | {"libnccl2": "2.19.3-1+cuda12.3"}
    made = build_on(official(VERSION, packages=packages), **LEAN)
    log = built_anew(made)
    assert f"init_env1.sh: listed CUDA packages that this image lacks: {missing}\n" in log
    assert "init_env1.sh: CUDA packages beyond the list, held as well: libnccl2\n" in log
    held = in_image(made.image(service(made)), "apt-mark showhold").split()
    assert held == sorted([*present, "libnccl2"])


@pytest.mark.parametrize("codename", by_default("jammy", among=RELEASES))
def test_a_build_fails_where_apt_would_still_move_cuda(build_on: BuildOn, codename: str) -> None:
    deaf = official(RELEASES[codename], packages={"libcudnn8": "8.9.6.50-1"})
    made = build_on(deaf, **LEAN)
    dockerfile = made.path / f"images/{service(made)}/Dockerfile"
    text = dockerfile.read_text()
    dockerfile.write_text(
        text.replace("\n\n# Packages", "\nRUN ln -sf /bin/true /usr/bin/apt-mark\n\n# Packages")
    )
    failed = made.compose("--progress=plain", "build")
    assert failed.returncode != 0
    assert "init_env1.sh: apt would still move these CUDA packages: libcudnn8\n" in failed.stdout


DIFFERENCES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "no lists of NVIDIA": {"nvidia_lists": False, "newer_candidates": False},
    "no lists": {"ubuntu_lists": False, "newer_candidates": False, "nvidia_lists": False},
    "apt as in Ubuntu": {"docker_apt": False},
    "entrypoint of NVIDIA": {"entrypoint": NVIDIA_ENTRYPOINT},
    "no bashrc": {"bashrc": ""},
    "nothing newer": {"newer_candidates": False},
}
DIFFERENCES["most at once"] = {
    name: value for changes in DIFFERENCES.values() for name, value in changes.items()
}


@pytest.mark.parametrize("difference", by_default("most at once", among=DIFFERENCES))
def test_a_base_may_differ(build_on: BuildOn, difference: str) -> None:
    made = build_on(official(VERSION, **DIFFERENCES[difference]), **LEAN)
    assert "init_env1.sh: " not in built_anew(made)  # list and image agree
    made.up()
    assert made.exec(service(made), "apt-mark", "showhold").split() == sorted(LISTED)
    assert made.exec(service(made), "id", "-un") == "ai\n"
    assert made.exec(service(made), "bash", "-c", "command -v sshd || echo none") == "none\n"
    assert "LD_LIBRARY_PATH=/usr/local/cuda" in made.exec(service(made), "bash", "-lc", "printenv")
    made.compose("down", "--timeout=1")


TAKEN: dict[str, tuple[tuple[tuple[str, int, int], ...], int, int]] = {
    "UID": ((("ubuntu", PERSON, PERSON),), PERSON, PERSON),
    "name": ((("ai", 2000, 2000),), PERSON, PERSON),
    "both": ((("other", PERSON, 2000), ("ai", 2000, PERSON)), PERSON, PERSON),
    "GID, by users": ((), PERSON, 100),
    "nothing, with a huge UID": ((), 4294967294, 4294967294),
}
"""The users of a base: name, UID and GID; and the UID and GID of the person."""


@pytest.mark.parametrize("taken", by_default("both", among=TAKEN))
def test_the_person_exists_whoever_was_there_before(build_on: BuildOn, taken: str) -> None:
    users, uid, gid = TAKEN[taken]
    made = build_on(official(VERSION, users=users), uid=uid, gid=gid, **LEAN)
    made.build()
    script = f"getent passwd ai; getent passwd {uid} | wc -l; stat -c %u:%g /AI"
    script += "; du -s /var/log | cut -f1"
    entry, accounts, owner, log = in_image(made.image(service(made)), script).split("\n")[:4]
    assert entry.split(":")[2:4] == [str(uid), str(gid)]
    assert entry.endswith(":/AI:/bin/bash")
    assert (accounts, owner) == ("1", f"{uid}:{gid}")
    assert int(log) < 1000  # the login logs did not grow with the UID


@pytest.mark.full
def test_the_second_image_on_an_ubuntu_fetches_nothing_again(build_on: BuildOn) -> None:
    bases = [official(v, packages={}, newer_candidates=False) for v in ("1.15.5", "2.3.4")]
    made = [build_on(base, packages=["tree"], ssh=False) for base in bases]
    (made[0].path / "Forget").write_text(
        f"FROM {made[0].answers['registry']}/{bases[0].tag}\n"
        "RUN --mount=type=cache,id=copier-tensorflow-host-apt-bionic,target=/tmp/apt"
        f" rm -f /tmp/apt/cache/archives/tree_* # {uuid4()}\n"
    )
    output("docker", "build", "--file", made[0].path / "Forget", made[0].path)
    logs = [built_anew(host) for host in made]
    fetched = [re.search(r"Need to get (.*?) of archives", log) for log in logs]
    assert re.match(r"[1-9]", fetched[0][1])  # type: ignore[index]
    assert re.match(r"0 B/", fetched[1][1])  # type: ignore[index]
    assert {line.split()[-3] for line in logs[1].splitlines() if " Get:" in line} <= {"InRelease"}


@pytest.mark.full
def test_two_builds_have_the_same_files_with_the_same_content(build_on: BuildOn) -> None:
    made = build_on(official(VERSION), packages=[])
    contents = []
    for _ in range(2):
        built_anew(made)
        contents.append(content(made.image(service(made))))
    assert contents[0] == contents[1]
    shadow = in_image(made.image(service(made)), "cat /etc/shadow")
    assert not re.search(r"^[^:]*:[^:]*:[0-9]", shadow, re.MULTILINE)  # the day of the build


def built_anew(made: Directory) -> str:
    """Build without results of earlier builds, but with apt's cache; return the log.

    Docker 20.10 takes `--no-cache` to mean that cache as well.
    """
    script = made.path / "images/init_env1.sh"
    script.write_text(f"{script.read_text()}# {uuid4()}\n")
    return made.build()


def content(image: str) -> dict[str, tuple[Any, ...]]:
    """Return kind, rights, owner and content of every file of an image."""
    container = output("docker", "create", image).strip()
    found = {}
    with (
        subprocess.Popen(["docker", "export", container], stdout=subprocess.PIPE) as export,
        tarfile.open(fileobj=export.stdout, mode="r|") as archive,
    ):
        for member in archive:
            file = archive.extractfile(member) if member.isreg() else None
            digest = hashlib.sha256(file.read()).hexdigest() if file else member.linkname
            found[member.name] = (member.type, member.mode, member.uid, member.gid, digest)
    output("docker", "rm", container)
    return found


@dataclass
class Mirror:
    """A mirror in the person's network; what it serves of Ubuntu is real."""

    url: str
    asked: list[str] = field(default_factory=list)
    out_of_order: bool = False


WHEEL = "hello-1.0-py3-none-any.whl"
METADATA = {
    "METADATA": "Metadata-Version: 2.1\nName: hello\nVersion: 1.0\n",
    "WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n",
    "RECORD": "",
}


def wheel() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in METADATA.items():
            archive.writestr(f"hello-1.0.dist-info/{name}", text)
    return file.getvalue()


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    """A mirror that sends its clients on to Ubuntu's archive, and has one package for pip."""
    packages = {
        "/hub/pypi/simple/hello/": f'<a href="{WHEEL}">{WHEEL}</a>'.encode(),
        f"/hub/pypi/simple/hello/{WHEEL}": wheel(),
    }

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            content = packages.get(self.path, b"")
            self.send_response(503 if made.out_of_order else 200 if content else 302)
            archive = f"http://archive.ubuntu.com{self.path.removeprefix('/hub')}"
            self.send_header(*("Content-Type", "text/html") if content else ("Location", archive))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    subnet = "{{(index .IPAM.Config 0).Subnet}}"
    network = output("docker", "network", "inspect", "bridge", f"--format={subnet}").strip()
    gateway = str(ipaddress.ip_network(network)[1])
    server = http.server.ThreadingHTTPServer((gateway, 0), Handler)
    made = Mirror(f"http://{gateway}:{server.server_port}/hub")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()


@pytest.mark.full
@pytest.mark.parametrize("codename", RELEASES)
def test_apt_pip_and_conda_download_from_the_mirror(
    build_on: BuildOn, mirror: Mirror, codename: str, tmp_path: Path
) -> None:
    url = mirror.url
    base = official(RELEASES[codename], newer_candidates=False)
    made = build_on(base, mirror=url, ssh=False, packages=["net-tools"])
    built_anew(made)
    assert any(path.endswith("/InRelease") for path in mirror.asked)
    image = made.image(service(made))
    sources = in_image(
        image, "cat /etc/apt/sources.list /etc/apt/sources.list.d/*.sources 2>/dev/null || true"
    )
    active = [line for line in sources.splitlines() if line.startswith(("deb", "URIs"))]
    assert active
    assert all(f" {url}/ubuntu" in line for line in active)
    tag = base.tag.removeprefix("nvcr.io/")
    before = in_image(f"{made.answers['registry']}/{tag}", "cat /etc/apt/sources.list")
    assert [line.split()[2:] for line in before.splitlines() if line.startswith("deb")] == [
        line.split()[2:] for line in active if line.startswith("deb")
    ]
    assert f"channel_alias: {url}/anaconda/cloud\n" in in_image(image, "cat /etc/conda/.condarc")
    (tmp_path / "pip.conf").write_text(in_image(image, "cat /etc/pip.conf"))
    assert pip_takes(tmp_path, mirror)
    lists_that_cannot_be_renewed_fail_the_build(made, mirror)


def pip_takes(folder: Path, mirror: Mirror) -> bool:
    """Return whether pip, as pip.conf of a folder says, takes a package from a mirror by http."""
    pip = next((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl")) / "pip"
    done = subprocess.run(
        [sys.executable, str(pip), "download", "--quiet", "--no-deps", "--dest", folder, "hello"],
        env={"PIP_CONFIG_FILE": str(folder / "pip.conf"), "HOME": str(folder)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode == 0 and f"/hub/pypi/simple/hello/{WHEEL}" in mirror.asked


def lists_that_cannot_be_renewed_fail_the_build(made: Directory, mirror: Mirror) -> None:
    """apt-get itself goes on with those of the build before, which are in its cache."""
    mirror.out_of_order = True
    script = made.path / "images/init_env1.sh"
    once = "apt-get --yes -o Acquire::Retries=0"
    script.write_text(f"{script.read_text().replace('apt-get --yes', once)}# {uuid4()}\n")
    failed = made.compose("--progress=plain", "build")
    assert failed.returncode != 0
    assert (
        "init_env1.sh: apt-get update failed: read its messages above, and check the answers "
        "'mirror' and 'proxy'\n" in failed.stdout + failed.stderr
    )
