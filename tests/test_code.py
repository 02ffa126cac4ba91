"""The project's own code keeps its house in order, and its documents keep their word."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.support import ROOT, git


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
        [
            "shellcheck",
            ".ci/run",
            ".ci/engine",
            ".ci/catalogue",
            "tests/e2e/nvidia-container-runtime-hook",
        ],
        ["shellcheck", "bench/article/init_env1.sh", "bench/article/init_env2.sh"],
    ],
    ids=" ".join,
)
def test_a_checker_finds_nothing(command: list[str]) -> None:
    program = Path(sys.executable).with_name(command[0])
    done = subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_dependency_has_a_range_and_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    reasons = (ROOT / "CONTRIBUTING.md").read_text()
    for requirement in project["project"]["dependencies"] + project["dependency-groups"]["dev"]:
        name = re.match(r"[a-z0-9-]+", requirement)[0]  # type: ignore[index]
        assert re.search(r">=[0-9.]+,<[0-9.]+$", requirement), requirement
        assert f"| `{name}` |" in reasons, name


@pytest.mark.parametrize("page", ["README.md", "docs/host.md", "docs/update.md", "docs/release.md"])
def test_every_file_that_a_page_links_to_is_there(page: str) -> None:
    text = (ROOT / page).read_text()
    links = re.findall(r"\]\(([^)#]+)\)|src(?:set)?=\"([^\"]+)\"", text)
    local = [a or b for a, b in links if "://" not in a + b]
    assert local
    assert [link for link in local if not (ROOT / page).parent.joinpath(link).exists()] == []


def test_the_version_has_an_entry_in_the_changelog() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"\n## {version} (" in (ROOT / "CHANGELOG.md").read_text()


WORKFLOWS = sorted((ROOT / ".github/workflows").iterdir())


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_runs_its_script_and_pins_every_action_by_commit(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    (job,) = workflow["jobs"].values()
    assert workflow["permissions"] == {}
    script = {"ci": ".ci/run", "catalogue": ".ci/catalogue"}[path.stem]
    assert job["steps"][-1]["run"] == script
    used = re.findall(r"uses: (.*)", path.read_text())
    assert used
    for action in used:
        assert re.fullmatch(r"\S+@[0-9a-f]{40} # v[0-9.]+", action), action


def test_no_lock_file_is_committed() -> None:
    assert not [path for path in git(ROOT, "ls-files").splitlines() if path.endswith(".lock")]
