"""Template repositories with a history, and projects that live through it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import copier
import yaml

from tests.support import ROOT, git

ANSWERS_FILE = ".copier-answers.yml"
NEWEST = "99.0.0"
"""The release that is the working tree."""

Change = Callable[[Path], None]


def working_tree(target: Path) -> Path:
    """Return the repository with its tags, and the working tree, uncommitted too, as `NEWEST`."""
    git(ROOT, "clone", "--quiet", str(ROOT), str(target))
    git(target, "config", "user.name", "Working tree")
    git(target, "config", "user.email", "tree@example.invalid")
    git(target, "rm", "--quiet", "-r", ".")
    working_tree_without_git(target)
    release(target, NEWEST)
    return target


def working_tree_without_git(target: Path) -> Path:
    """Return the files of the working tree that git knows or would add."""
    for path in git(ROOT, "ls-files", "-z", "-co", "--exclude-standard").split("\0")[:-1]:
        if (ROOT / path).is_file() or (ROOT / path).is_symlink():
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, target / path, follow_symlinks=False)
    return target


def release(template: Path, tag: str) -> None:
    """Commit everything in a template, and tag it."""
    git(template, "add", "--all")
    git(template, "commit", "--quiet", "--allow-empty", "--message", tag)
    git(template, "tag", "--force", tag)
    # one pack in place of 250 folders, which each clone of Copier would make and remove
    git(template, "gc", "--quiet", "--prune=now")


def with_earlier_release(template: Path, target: Path, change: Change) -> Path:
    """Return a copy of the template in which an earlier release, 0.9.0, was different.

    Args:
        template: Repository whose newest release is the working tree.
        target: Where to put the copy.
        change: Turns the files of the working tree into those of the earlier release.
    """
    git(template, "clone", "--quiet", str(template), str(target))
    change(target)
    release(target, "0.9.0")
    git(target, "rm", "--quiet", "-r", ".")
    git(target, "checkout", "--quiet", NEWEST, "--", ".")
    release(target, NEWEST)
    return target


def with_later_release(template: Path, target: Path, change: Change) -> Path:
    """Return a copy of the template in which a later release, 100.0.0, is different."""
    git(template, "clone", "--quiet", str(template), str(target))
    change(target)
    release(target, "100.0.0")
    return target


def replace(*names: str, **words: str) -> Change:
    """Return a change that replaces words in files: ``old=new``, each of which must be there."""

    def change(template: Path) -> None:
        for old, new in words.items():
            found = False
            for name in names:
                for path in template.glob(name):
                    text = path.read_text()
                    found = found or old in text
                    path.write_text(text.replace(old, new))
            assert found, f"{old} is in none of {names}"

    return change


def files(folder: Path) -> dict[str, bytes]:
    """Return the content of every file below a folder by its path there."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@dataclass(frozen=True)
class Repository:
    """An infra repository with hosts in it, used as an admin uses it."""

    path: Path

    @classmethod
    def create(cls, path: Path) -> Repository:
        path.mkdir()
        git(path, "init", "--quiet")
        return cls(path)

    def copy(self, template: Path, answers: Mapping[str, Any], tag: str = NEWEST) -> Host:
        """Generate a host and commit it."""
        host = Host(self, self.path / "hosts" / answers["host"])
        copier.run_copy(
            str(template), host.path, data=dict(answers), vcs_ref=tag, defaults=True, unsafe=True,
            quiet=True,
        )  # fmt: skip
        self.commit()
        return host

    def commit(self) -> None:
        git(self.path, "add", "--all")
        git(self.path, "commit", "--quiet", "--allow-empty", "--message", "State")

    def changes(self) -> str:
        """Return what git status says, one line per path, empty after a no-op."""
        return git(self.path, "status", "--porcelain")


@dataclass(frozen=True)
class Host:
    """One generated directory in the repository."""

    repository: Repository
    path: Path

    def copied(self, path: Path) -> Host:
        """Return this host in a copy of its repository."""
        shutil.copytree(self.repository.path, path, symlinks=True)
        return Host(Repository(path), path / self.path.relative_to(self.repository.path))

    def update(self, tag: str | None = None, **answers: Any) -> None:
        """Run `copier update`; without a tag to the newest release."""
        copier.run_update(
            self.path, data=answers, vcs_ref=tag, defaults=True, overwrite=True, unsafe=True,
            quiet=True,
        )  # fmt: skip

    def answer(self, **answers: Any) -> None:
        """Run `copier update --vcs-ref :current:` with new answers, and commit the result."""
        self.update(tag=copier.VcsRef.CURRENT, **answers)  # type: ignore[arg-type]
        self.repository.commit()

    @property
    def answers(self) -> dict[str, Any]:
        recorded: dict[str, Any] = yaml.safe_load((self.path / ANSWERS_FILE).read_text())
        return recorded

    def read(self, name: str) -> str:
        return (self.path / name).read_text()

    def edit(self, name: str, old: str, new: str) -> None:
        """Edit a file by hand."""
        text = self.read(name)
        assert old in text
        (self.path / name).write_text(text.replace(old, new, 1))

    def files(self) -> dict[str, bytes]:
        return files(self.path)

    def conflicts(self) -> list[str]:
        """Return the files that git has as unmerged, and those with markers or rejects."""
        found = git(self.path, "diff", "--name-only", "--diff-filter=U").splitlines()
        found += [name for name, text in self.files().items() if b"\n<<<<<<<" in text]
        return found + [str(path) for path in self.path.rglob("*.rej")]
