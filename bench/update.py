"""How long an update takes, beside a template that has nothing to work out.

Both templates have two releases that differ in one line of one file. The baseline
is that of `bench.generate`. An update generates three times, and asks git often.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median

from bench.common import Row, at_most, clone_template, copy_command, release, run, seconds
from bench.generate import ANSWERS, plain_template

GOAL = 1.25


def measure(repetitions: int = 9) -> list[Row]:
    """Update the example's directory again and again, in turn with the baseline."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        work = Path(folder)
        ours = clone_template(work / "ours")
        run(*copy_command(ours, ANSWERS, work / "rendered"))
        plain = plain_template(ours, work / "rendered", work / "plain")
        projects = {name: project(work / name, t) for name, t in (("a", ours), ("b", plain))}

        taken: dict[str, list[float]] = {name: [] for name in projects}
        for _ in range(repetitions):
            for name, path in projects.items():
                target = work / "target"
                shutil.copytree(path, target)
                taken[name].append(seconds(*update_command(), cwd=target))
                assert "# Changed." in (target / ".env").read_text()
                shutil.rmtree(target)

    mine, theirs = median(taken["a"]), median(taken["b"])
    return [
        at_most(
            f"update the example, median of {repetitions}",
            f"{mine:.2f} s",
            f"{theirs:.2f} s: the same files, ready-made, from a plain template",
            mine / theirs,
            GOAL,
        )
    ]


def project(path: Path, template: Path) -> Path:
    """Return a directory generated from the template's first release, which then has a second."""
    run(*copy_command(template, ANSWERS, path))
    in_git(path)
    (env,) = (template / "template/host").glob(".env*")
    env.write_text(f"{env.read_text()}# Changed.\n")
    run("git", "-C", template, "add", "--all", "--force")
    release(template, "1.1.0")
    return path


def in_git(path: Path) -> None:
    """Commit a generated directory to a repository of its own."""
    git = ["git", "-C", str(path), "-c", "user.name=bench", "-c", "user.email=bench@invalid"]
    run(*git, "init", "--quiet")
    run(*git, "add", "--all", "--force")
    run(*git, "commit", "--quiet", "--message=Generated")


def update_command() -> list[str]:
    """Return the command that updates the directory it runs in."""
    return [sys.executable, "-m", "copier", "update", "--trust", "--defaults"]
