"""Behind a company's firewall: one proxy leads out, and every certificate is the company's."""

from __future__ import annotations

import ensurepip
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from shlex import quote
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.bases import Base
from tests.e2e.company import MIRROR, Company, company_network
from tests.e2e.conftest import RELEASES, official
from tests.e2e.support import Directory, Laptop, Person, in_image, output, run

VERSION = RELEASES["jammy"]
SERVICE = f"tf{VERSION}"
FILES = "https://files.company.invalid"

# What a person runs to download something, each with what it prints.
DOWNLOADS = {
    "curl": (f"curl -fsS {FILES}/hello.txt", "hello\n"),
    "git": (f"git ls-remote {FILES}/repository.git HEAD | cut -f2", "HEAD\n"),
    "pip": ("python3 /AI/pip.whl/pip download -q --no-deps -d /tmp/wheels hello; ls /tmp/wheels",
            "hello-1.0-py3-none-any.whl\n"),
}  # fmt: skip
# Python's own certificates are only replaced by the environment of a shell.
IN_SHELLS = {
    "requests": ("PYTHONPATH=/AI/pip.whl python3 -c 'from pip._vendor import requests; "
                 f"print(requests.get(\"{FILES}/hello.txt\").text, end=\"\")'", "hello\n"),
    "urllib": ("python3 -c 'import urllib.request as u; "
               f"print(u.urlopen(\"{FILES}/hello.txt\").read().decode(), end=\"\")'", "hello\n"),
}  # fmt: skip


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    with company_network(tmp_path_factory.mktemp("company")) as network:
        yield network


def offer_downloads(company: Company, work: Path) -> None:
    """Put what the test downloads on the company's servers."""
    company.put(f"{FILES}/hello.txt", "hello\n")
    output("git", "init", "--quiet", work / "source")
    output("git", "-C", work / "source", "-c", "user.name=t", "-c", "user.email=t@example.invalid",
           "commit", "--quiet", "--allow-empty", "--message", "hello")  # fmt: skip
    output("git", "clone", "--quiet", "--bare", work / "source", work / "repository.git")
    output("git", "-C", work / "repository.git", "update-server-info")
    company.put(f"{FILES}/repository.git", work / "repository.git")
    with zipfile.ZipFile(work / "hello-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("hello-1.0.dist-info/METADATA",
                       "Metadata-Version: 2.1\nName: hello\nVersion: 1.0\n")  # fmt: skip
        wheel.writestr("hello-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("hello-1.0.dist-info/RECORD", "")
    index = f"https://{MIRROR}/pypi/simple/hello"
    company.put(f"{index}/index.html", '<a href="hello-1.0-py3-none-any.whl">hello</a>')
    company.put(f"{index}/hello-1.0-py3-none-any.whl", work / "hello-1.0-py3-none-any.whl")


def lean(made: Directory, command: str = "true") -> Directory:
    """Take what is not needed off the base's lists, and run a command on the base."""
    dockerfile = made.path / f"images/{SERVICE}/Dockerfile"
    command += f" # {uuid4()}"  # or an earlier run of the tests would have built it
    step = f"RUN sed -i 's/ restricted universe//' /etc/apt/sources.list && {command}"
    dockerfile.write_text(
        dockerfile.read_text().replace("\n\n# Packages", f"\n{step}\n\n# Packages")
    )
    return made


@pytest.fixture(scope="module")
def behind(
    company: Company,
    arrive: Callable[[], Person],
    directory: Callable[..., Directory],
    stand_in: Callable[..., None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Directory:
    """A host whose build and container know no other way than the proxy; its person's laptop."""
    person = arrive()
    offer_downloads(company, tmp_path_factory.mktemp("downloads"))
    # pip as PyPI has it: Ubuntu's reads the certificates of the system by itself
    bundled = next((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"))
    shutil.copy(bundled, person.projects / "pip.whl")
    person.owns(person.projects)
    stand_in(official(VERSION, newer_candidates=False), "e2e-company.invalid")
    made = directory(
        **person.answers(
            host="e2e-company",
            tf_versions=[VERSION],
            port_offset=11,
            registry="e2e-company.invalid",
            mirror=f"https://{MIRROR}",
            proxy=f"http://{company.address}",
            packages=["curl", "git", "python3"],
        )
    )
    shutil.copy(company.certificate, made.path / "images/certs")
    # as in the images of CUDA
    lean(made, "dpkg --purge --force-depends ca-certificates openssl && rm -rf /etc/ssl/certs").up()
    return made


@pytest.fixture(scope="module")
def laptop(behind: Directory) -> Laptop:
    return Laptop(Person(Path(behind.answers["host_home"]).parents[1]), behind)


def test_a_build_downloads_all_through_the_proxy_from_the_mirror(
    behind: Directory,  # noqa: ARG001
    company: Company,
) -> None:
    # the name means nothing to anybody but the proxy
    assert company.names() == {MIRROR}
    assert f"https://{MIRROR}/ubuntu/dists/jammy/InRelease" in company.served
    assert all(url.startswith(f"https://{MIRROR}/ubuntu/") for url in company.served)


@pytest.mark.full
def test_on_an_old_ubuntu_the_glibc_of_editors_comes_that_way_too(
    company: Company,
    arrive: Callable[[], Person],
    directory: Callable[..., Directory],
    stand_in: Callable[..., None],
) -> None:
    version = RELEASES["bionic"]
    stand_in(official(version, newer_candidates=False), "e2e-company.invalid")
    answers = arrive().answers(
        host="e2e-company-old", tf_versions=[version], registry="e2e-company.invalid", packages=[],
        mirror=f"https://{MIRROR}", proxy=f"http://{company.address}",
    )  # fmt: skip
    made = directory(**answers)
    shutil.copy(company.certificate, made.path / "images/certs")
    before = len(company.served)
    assert "glibc.sh: warning" not in made.build("--no-cache")
    assert f"https://{MIRROR}/ubuntu/dists/focal-updates/InRelease" in company.served[before:]
    in_image(made.image(f"tf{version}"), "test -x /opt/editors/lib/patchelf")


@pytest.mark.parametrize("tool", [*DOWNLOADS, *IN_SHELLS])
def test_in_an_ssh_session_every_tool_downloads_through_the_proxy(
    laptop: Laptop, company: Company, tool: str
) -> None:
    command, printed = {**DOWNLOADS, **IN_SHELLS}[tool]
    before = len(company.log)
    assert laptop.shell(SERVICE, f"{command}; rm -rf /tmp/wheels") == printed
    assert {"CONNECT files.company.invalid:443", f"CONNECT {MIRROR}:443"} & set(
        company.log[before:]
    )


@pytest.mark.parametrize("tool", DOWNLOADS)
def test_without_a_shell_too_they_download_through_the_proxy(
    behind: Directory, company: Company, tool: str
) -> None:
    command, printed = DOWNLOADS[tool]
    before = len(company.log)
    assert behind.exec(SERVICE, "sh", "-c", f"{command}; rm -rf /tmp/wheels") == printed
    assert len(company.log) > before


def test_conda_is_told_certificates_and_mirror(behind: Directory) -> None:
    told = behind.exec(SERVICE, "cat", "/etc/conda/.condarc")
    assert "ssl_verify: /etc/ssl/certs/ca-certificates.crt\n" in told
    assert f"channel_alias: https://{MIRROR}/anaconda/cloud\n" in told


def in_the_image(image: str, text: str) -> list[str]:
    """Return where history, configuration or files of an image hold a text."""
    history = output("docker", "history", "--no-trunc", "--format={{json .}}", image)
    config = output("docker", "image", "inspect", image)
    files = run("docker", "run", "--rm", "--user=0", "--env=http_proxy=", "--env=https_proxy=",
                "--entrypoint=grep", image, "-rlF", "--exclude-dir=proc", "--exclude-dir=sys",
                text, "/").stdout  # fmt: skip
    found = ["history"] * (text in history) + ["configuration"] * (text in config)
    return found + files.splitlines()


def test_the_proxy_is_nowhere_in_the_image(behind: Directory, company: Company) -> None:
    assert in_the_image(behind.image(SERVICE), company.address) == []


def test_the_password_of_a_proxy_reaches_build_and_container_and_not_the_image(
    directory: Callable[..., Directory],
    arrive: Callable[[], Person],
    stand_in: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    person, password = arrive(), "user:hunter2-e2e"
    base: Base = official(VERSION, newer_candidates=False)
    stand_in(base, "e2e-company.invalid")
    with company_network(tmp_path, password) as company:
        answers: dict[str, Any] = person.answers(
            host="e2e-password", tf_versions=[VERSION], ssh=False, packages=["net-tools"],
            registry="e2e-company.invalid", mirror=f"http://{MIRROR}",
        )  # fmt: skip
        made = lean(directory(**answers))
        # where Docker keeps a proxy with a password: not in the directory, which is in git
        plugins = Path(os.environ.get("DOCKER_CONFIG", Path.home() / ".docker")) / "cli-plugins"
        docker = tmp_path / "docker"
        docker.mkdir()
        if plugins.is_dir():
            (docker / "cli-plugins").symlink_to(plugins)
        proxy = f"http://{password}@{company.address}"
        proxies = {"default": {"httpProxy": proxy, "httpsProxy": proxy}}
        (docker / "config.json").write_text(json.dumps({"proxies": proxies}))
        monkeypatch.setenv("DOCKER_CONFIG", str(docker))
        made.up()
        assert company.names() == {MIRROR}
        assert proxy in made.exec(SERVICE, "sh", "-c", "echo $http_proxy")
        assert in_the_image(made.image(SERVICE), "hunter2-e2e") == []
        written = run("grep", "-rl", "hunter2-e2e", quote(str(made.path))).stdout
        assert written == ""
        made.compose("down", "--timeout=1")
