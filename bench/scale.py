"""How long generating and updating take with many releases, beside two.

Generating is measured beside a template without anything to work out as well, which has
the same files ready-made: what it takes is Copier's own, file by file.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from statistics import median

from bench.common import Row, at_most, clone_template, copy_command, run, seconds
from bench.generate import ANSWERS_FILE, content, plain_template
from bench.images import ANSWERS
from bench.update import in_git, update_command
from extensions import catalogue

VERSIONS = list(catalogue.releases())
COUNTS = (2, 40, len(VERSIONS))
GOALS = {40: 1.3}
"""Highest ratio to two releases that generating may have, by their number."""

PLAIN = 40
"""Number of releases that are generated from the template without anything to work out too."""


def measure(repetitions: int = 5) -> list[Row]:
    """Generate and update hosts of different numbers of releases, in turn."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        work = Path(folder)
        template = clone_template(work / "template")
        commands, updates = {}, {}
        for count in COUNTS:
            answers = work / f"{count}.yml"
            chosen = {**ANSWERS, "tf_versions": VERSIONS[-count:]}
            answers.write_text(json.dumps(chosen), encoding="utf-8")
            commands[count] = copy_command(template, answers, work / "target")
            project = work / f"project-{count}"
            run(*copy_command(template, answers, project))
            assert (project / ANSWERS_FILE).is_file()
            if count == PLAIN:
                plain = plain_template(template, project, work / "plain")
                plain_command = copy_command(plain, answers, work / "target")
                run(*plain_command)
                assert content(work / "target") == content(project)
                shutil.rmtree(work / "target")
            in_git(project)
            updates[count] = project
        ready_made: list[float] = []
        generated: dict[int, list[float]] = {count: [] for count in COUNTS}
        updated: dict[int, list[float]] = {count: [] for count in COUNTS}
        for _ in range(repetitions):
            for count in COUNTS:
                generated[count].append(seconds(*commands[count]))
                shutil.rmtree(work / "target")
                # one answer is another one, so that a file changes
                shutil.copytree(updates[count], work / "target")
                command = [*update_command(), "--vcs-ref=:current:", "--data=mirror=tuna"]
                updated[count].append(seconds(*command, cwd=work / "target"))
                shutil.rmtree(work / "target")
            ready_made.append(seconds(*plain_command))
            shutil.rmtree(work / "target")

    mine, theirs = median(generated[PLAIN]), median(ready_made)
    return [
        *compare("generate", generated, repetitions, GOALS),
        Row(
            f"generate a host of {PLAIN} releases, median of {repetitions}",
            f"{mine:.2f} s",
            f"{theirs:.2f} s: the same files, ready-made, from a plain template",
            mine / theirs,
        ),
        *compare("update", updated, repetitions, {}),
    ]


def compare(
    what: str, taken: dict[int, list[float]], repetitions: int, goals: dict[int, float]
) -> list[Row]:
    """Return a row for every number of releases but the first, which is the baseline."""
    few, *many = COUNTS
    base = median(taken[few])
    rows = []
    for count in many:
        mine = median(taken[count])
        text = (
            f"{what} a host of {count} releases, median of {repetitions}",
            f"{mine:.2f} s",
            f"{base:.2f} s: of {few}",
        )
        if count in goals:
            rows.append(at_most(*text, mine / base, goals[count]))
        else:
            rows.append(Row(*text, mine / base))
    return rows
