"""What all tests share: the template as a tagged repository, and answers to copy it with."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from pytest_copier.plugin import CopierFixture, CopierProject
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from tests.answers import ARTICLE
from tests.compiled import compile_once
from tests.releases import working_tree, working_tree_without_git
from tests.support import ON_DISK, ROOT

# Python keeps what it compiled, as on a user's machine.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

compile_once()


def keep_files_in_memory() -> None:
    """Make temporary folders in memory where there is room: an update takes half the time."""
    memory = "/dev/shm"
    if (
        "TMPDIR" not in os.environ
        and Path(memory).is_dir()
        and not os.statvfs(memory).f_flag & os.ST_NOEXEC
        and shutil.disk_usage(memory).free > 4 << 30
    ):
        os.environ["TMPDIR"] = tempfile.tempdir = memory


keep_files_in_memory()


@pytest.fixture(scope="module")
def on_disk() -> Iterator[Path]:
    """A folder whose path can be an answer: one below /dev, as in memory, is refused."""
    with tempfile.TemporaryDirectory(dir=ON_DISK) as folder:
        yield Path(folder)


# for `pytest --hypothesis-profile=full`: once before a release
settings.register_profile("full", max_examples=200, stateful_step_count=8, deadline=None)


APART = {"bundle", "cluster", "fleet", "images", "network", "registry", "setup", "update"}
ALONE = {"faults", "people", "picture", "start"}
"""End-to-end tests that use nothing of the host that the others share, in two halves."""

SLOW = ["update", "answers", "fleet", "histories", "cluster", "moved_files"]
"""Tests without an engine that take longest: last, one process would be left alone with them."""


def group(nodeid: str) -> str:
    """Return what runs in one process: a file, or all that share images on the engine."""
    file = nodeid.split("::")[0]
    if file == "tests/e2e/test_kubelet.py":
        return "tests/test_kueue.py"  # both run Kueue, which has ports of its own
    if not file.startswith("tests/e2e/"):
        return file
    name = Path(file).stem.removeprefix("test_")
    return "apart" if name in APART else "alone" if name in ALONE else "the host"


def rank(nodeid: str) -> int:
    """Return when a group begins: those with an engine first, since they wait most."""
    its = group(nodeid)
    groups = ["the host", "apart", "alone", *(f"tests/test_{name}.py" for name in SLOW)]
    return groups.index(its) if its in groups else len(groups)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what only the full profile runs, and put what takes long before the rest."""
    if config.getoption("--hypothesis-profile") != "full":
        left_out = [item for item in items if item.get_closest_marker("full")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("full")]
    items.sort(key=lambda item: rank(item.nodeid))


ENGINE = os.environ.get("DOCKER_HOST", "")
NO_ENGINE = "unix:///nowhere"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Hide this machine's containers, which may have the name of a host, but from tests of them.

    Those may have set another engine, for a whole module.
    """
    if "tests/e2e/" not in item.nodeid:
        os.environ["DOCKER_HOST"] = NO_ENGINE
    elif os.environ.get("DOCKER_HOST") == NO_ENGINE:
        os.environ["DOCKER_HOST"] = ENGINE


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """After the last test of a process, show the engine to what removes containers."""
    if nextitem is None and os.environ.get("DOCKER_HOST") == NO_ENGINE:
        os.environ["DOCKER_HOST"] = ENGINE


class Groups(LoadScopeScheduling):  # type: ignore[misc]
    """Deals out the groups."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Groups:
    return Groups(config, log)


@pytest.fixture(scope="session")
def copier_template(
    tmp_path_factory: pytest.TempPathFactory,
    default_gitconfig: object,  # noqa: ARG001 (git needs an author)
) -> Path:
    """The repository with its tags, and the working tree, uncommitted changes too, as 99.0.0."""
    return working_tree(tmp_path_factory.mktemp("template") / "clone")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working tree without git: Copier need not clone it, and Python imports it once."""
    return working_tree_without_git(tmp_path_factory.mktemp("plain") / "template")


@pytest.fixture
def copier(template: Path, monkeypatch: pytest.MonkeyPatch) -> CopierFixture:
    """Copy the template, apart from the git settings of the developer."""
    return CopierFixture(template, {}, monkeypatch)


@pytest.fixture(scope="session")
def article() -> dict[str, Any]:
    """The answers of the article this template grew from."""
    return dict(ARTICLE)


@pytest.fixture(scope="session")
def generate(
    template: Path, article: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., CopierProject]:
    """Copy the template with the article's answers, changed by those given."""
    copier = CopierFixture(template, {}, pytest.MonkeyPatch())

    def copy(**answers: Any) -> CopierProject:
        data = {**article, **answers}
        if not {"tf_versions", "containers"}.isdisjoint(answers) and "ports" not in answers:
            del data["ports"]
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("DOCKER_HOST", NO_ENGINE)  # another process may run this host
            return copier.copy(tmp_path_factory.mktemp("hosts") / data["host"], **data)

    return copy


@pytest.fixture
def copier_command() -> Callable[..., str]:
    """Run copier as a person does; return all it prints."""

    def command(*arguments: str, cwd: Path = ROOT) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "copier", *arguments], cwd=cwd, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    return command
