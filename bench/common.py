"""What the benchmarks share: commands, the template as Copier gets it, and table rows."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).resolve().parent.parent
"""The template's repository."""

# Python keeps what it compiled, as on a user's machine.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

TAG = "1.0.0"
"""The first tag of the templates that the benchmarks make."""


@dataclass(frozen=True)
class Row:
    """One comparison."""

    what: str
    ours: str
    baseline: str
    ratio: float | None = None
    """Ours divided by the baseline, None where a ratio would say nothing."""
    goal: str = ""
    met: bool = True


def run(*command: str | Path, cwd: Path = ROOT, env: Mapping[str, str] | None = None) -> str:
    """Run a command, with `env` added to the environment; return its output.

    Raises `RuntimeError` with the end of the output when it fails.
    """
    words = [str(word) for word in command]
    done = subprocess.run(
        words, cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, text=True
    )
    if done.returncode != 0:
        output = (done.stdout + done.stderr)[-4000:]
        raise RuntimeError(f"{shlex.join(words)} failed with status {done.returncode}:\n{output}")
    return done.stdout


def seconds(*command: str | Path, cwd: Path = ROOT) -> float:
    """Run a command; return how long it took."""
    start = perf_counter()
    run(*command, cwd=cwd)
    return perf_counter() - start


def at_most(what: str, ours: str, baseline: str, ratio: float, goal: float) -> Row:
    """Return the row of a ratio that shall not exceed a goal."""
    return Row(what, ours, baseline, ratio, f"≤ {goal:.2f}", ratio <= goal)


HEADER = "| what | ours | baseline | ratio | goal |\n|---|---|---|---|---|"
"""Of the table that `line` fills."""


def line(row: Row) -> str:
    """Return the row as one of a Markdown table, a goal that was missed marked."""
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    goal = row.goal if row.met else f"{row.goal} **missed**"
    return f"| {row.what} | {row.ours} | {row.baseline} | {ratio} | {goal} |"


def clone_template(target: Path) -> Path:
    """Clone this repository with its uncommitted changes as a tagged release; return the clone."""
    run("git", "clone", "--quiet", "--no-tags", ROOT, target)
    run("git", f"--git-dir={target / '.git'}", f"--work-tree={ROOT}", "add", "--all")
    return release(target)


def release(repository: Path, tag: str = TAG) -> Path:
    """Commit what is in the index, and tag it; return the repository."""
    git = ["git", "-C", str(repository), "-c", "user.name=bench", "-c", "user.email=bench@invalid"]
    run(*git, "commit", "--quiet", "--allow-empty", "--message=Benchmark")
    run(*git, "reset", "--quiet", "--hard")
    run(*git, "tag", "--force", tag)
    return repository


def copy_command(template: Path, answers: Path, target: Path) -> list[str]:
    """Return the command that generates a directory."""
    copy = [sys.executable, "-m", "copier", "copy", "--trust", "--defaults"]
    return [*copy, f"--data-file={answers}", str(template), str(target)]
