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
from extensions import catalogue, sharing

VERSIONS = list(catalogue.releases())
COUNTS = (2, 40, len(VERSIONS))
GOALS = {40: 1.3}
"""Highest ratio to two releases that generating may have, by their number."""

PLAIN = (sharing.PER_VERSION, 40)
"""What is generated from the template without anything to work out too."""


def measure(repetitions: int = 5) -> list[Row]:
    """Generate and update hosts of different numbers of releases, in turn."""
    hosts = [(way, count) for way in sharing.WAYS for count in COUNTS]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        work = Path(folder)
        template = clone_template(work / "template")
        commands, updates = {}, {}
        for way, count in hosts:
            answers = work / f"{way}-{count}.yml"
            chosen = {**ANSWERS, "containers": way, "tf_versions": VERSIONS[-count:]}
            answers.write_text(json.dumps(chosen), encoding="utf-8")
            commands[way, count] = copy_command(template, answers, work / "target")
            project = work / f"project-{way}-{count}"
            run(*copy_command(template, answers, project))
            assert (project / ANSWERS_FILE).is_file()
            if (way, count) == PLAIN:
                plain = plain_template(template, project, work / "plain")
                plain_command = copy_command(plain, answers, work / "target")
                run(*plain_command)
                assert content(work / "target") == content(project)
                shutil.rmtree(work / "target")
            in_git(project)
            updates[way, count] = project
        ready_made: list[float] = []
        generated: dict[tuple[str, int], list[float]] = {host: [] for host in hosts}
        updated: dict[tuple[str, int], list[float]] = {host: [] for host in hosts}
        for _ in range(repetitions):
            for host in hosts:
                generated[host].append(seconds(*commands[host]))
                shutil.rmtree(work / "target")
                # one answer is another one, so that a file changes
                shutil.copytree(updates[host], work / "target")
                command = [*update_command(), "--vcs-ref=:current:", "--data=mirror=tuna"]
                updated[host].append(seconds(*command, cwd=work / "target"))
                shutil.rmtree(work / "target")
            ready_made.append(seconds(*plain_command))
            shutil.rmtree(work / "target")

    mine, theirs = median(generated[PLAIN]), median(ready_made)
    way, count = PLAIN
    return [
        *compare("generate", generated, repetitions, GOALS),
        Row(
            f"generate a host of {count} releases, `{way}`, median of {repetitions}",
            f"{mine:.2f} s",
            f"{theirs:.2f} s: the same files, ready-made, from a plain template",
            mine / theirs,
        ),
        *compare("update", updated, repetitions, {}),
    ]


def compare(
    what: str,
    taken: dict[tuple[str, int], list[float]],
    repetitions: int,
    goals: dict[int, float],
) -> list[Row]:
    """Return a row for every host but those of the fewest releases, the baselines."""
    few, *many = COUNTS
    rows = []
    for way in sharing.WAYS:
        base = median(taken[way, few])
        for count in many:
            mine = median(taken[way, count])
            text = (
                f"{what} a host of {count} releases, `{way}`, median of {repetitions}",
                f"{mine:.2f} s",
                f"{base:.2f} s: of {few}",
            )
            if count in goals:
                rows.append(at_most(*text, mine / base, goals[count]))
            else:
                rows.append(Row(*text, mine / base))
    return rows
