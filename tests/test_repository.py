"""A generated directory in a repository of people who did not think of it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.answers import CLUSTER
from tests.releases import Host, Repository
from tests.support import git

COMMON_PATTERNS = """
    .* .env .env.* *.env env/ ENV/ .venv venv/ *.egg *.egg-info/ lib/ lib64/ bin/ build/ dist/
    sdist/ target/ out/ site/ var/ parts/ tmp/ log/ logs/ *.log *.sh *.cfg *.conf config/ local*
    *.pem *.key *.crt *.cer certs/ secrets/ *.secret id_rsa* ssh* .vscode/ .devcontainer/ .idea/
    docker-compose*.yml *.img images/ host/ environments/ container/ base/ people/ README*
    Dockerfile *.json *.yml *.yaml *.md tf* *.gitkeep .DS_Store *.swp
""".split()
"""What public .gitignore templates and careful people name, and some that nobody should."""


@pytest.mark.parametrize("kind", ["host", "cluster"])
def test_git_takes_every_generated_file_whatever_the_repository_ignores(
    kind: str, tmp_path: Path, copier_template: Path, article: dict[str, Any]
) -> None:
    repository = Repository.create(tmp_path / "infra")
    (repository.path / ".gitignore").write_text("\n".join(COMMON_PATTERNS))
    answers: Mapping[str, Any] = {**article, **(CLUSTER if kind == "cluster" else {})}
    host = repository.copy(copier_template, answers)
    (host.path / "images/certs/company.crt").touch()
    (host.path / "docker-compose.override.yml").touch()
    repository.commit()
    tracked = {host.path / name for name in git(host.path, "ls-files", "-z").split("\0")[:-1]}
    assert tracked == {path for path in host.path.rglob("*") if not path.is_dir()}


@pytest.mark.parametrize(
    "name", ["certs/company.key", "images/certs/ca.pem", "id_ed25519", "ssh_host_rsa_key"]
)
def test_git_never_takes_a_private_key(name: str, host: Host) -> None:
    path = host.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    assert host.repository.changes() == ""
    path.unlink()


def test_a_clone_on_windows_has_the_line_endings_of_linux(host: Host, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(
        ["git", "-c", "core.autocrlf=true", "clone", "--quiet", host.repository.path, clone],
        check=True,
    )
    files = [path for path in (clone / "hosts/gpu01").rglob("*") if path.is_file()]
    assert files
    assert [path for path in files if b"\r" in path.read_bytes()] == []


def test_exactly_the_scripts_that_a_person_or_a_hook_may_run_are_executable(host: Host) -> None:
    """As the hooks of pre-commit want it: check-shebang-scripts-are-executable and its reverse."""
    for path in host.path.rglob("*"):
        if path.is_file():
            executable = bool(path.stat().st_mode & 0o100)
            assert executable == path.read_bytes().startswith(b"#!"), path


def test_an_edited_env_survives_an_update_where_the_repository_ignores_it(
    tmp_path: Path, copier_template: Path, article: dict[str, Any]
) -> None:
    repository = Repository.create(tmp_path / "infra")
    (repository.path / ".gitignore").write_text(".env\n")
    host = repository.copy(copier_template, article)
    host.edit(".env", "CURRENT_UID=", "OWN=value\nCURRENT_UID=")
    repository.commit()
    host.answer(language="zh")
    assert "OWN=value\n" in host.read(".env")


@pytest.fixture(scope="module")
def host(
    tmp_path_factory: pytest.TempPathFactory, copier_template: Path, article: dict[str, Any]
) -> Host:
    repository = Repository.create(tmp_path_factory.mktemp("infra") / "repository")
    return repository.copy(copier_template, {**article, "host": "gpu01"})


def test_a_map_of_mirrors_stays_a_map_through_updates(
    tmp_path: Path, copier_template: Path, article: dict[str, Any]
) -> None:
    repository = Repository.create(tmp_path / "infra")
    mirror = {"apt": "tuna", "nvidia": "ustc"}
    host = repository.copy(copier_template, {**article, "mirror": mirror})
    host.answer(language="zh")
    assert host.answers["mirror"] == mirror
    assert "mirrors.tuna.tsinghua.edu.cn" in host.read("images/init_env1.sh")
    host.answer(mirror="{apt: ustc}")
    assert host.answers["mirror"] == "{apt: ustc}"
    assert "mirrors.ustc.edu.cn" in host.read("images/init_env1.sh")
