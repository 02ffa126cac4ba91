"""How long the directories of a hundred servers take, beside one."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median

from bench.common import Row, at_most, clone_template, copy_command, run, seconds
from bench.generate import ANSWERS_FILE
from bench.images import ANSWERS

COUNT = 100
GOAL = 110.0
"""Highest ratio to one directory."""


def measure(repetitions: int = 5) -> list[Row]:
    """Generate one directory several times, and then a hundred one after the other."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        work = Path(folder)
        template = clone_template(work / "template")
        commands = []
        for number in range(COUNT):
            answers = work / f"{number}.yml"
            answers.write_text(json.dumps({**ANSWERS, "host": f"gpu{number}"}), encoding="utf-8")
            commands.append(copy_command(template, answers, work / f"hosts/gpu{number}"))
        once = []
        for _ in range(repetitions):
            once.append(seconds(*commands[0]))
            shutil.rmtree(work / "hosts")
        all_of_them = sum(seconds(*command) for command in commands)
        assert len(list(work.glob(f"hosts/*/{ANSWERS_FILE}"))) == COUNT
        inventory = time_inventory(template, work)

    base = median(once)
    return [
        at_most(
            f"generate {COUNT} hosts in one loop",
            f"{all_of_them:.0f} s",
            f"{base:.2f} s: one, median of {repetitions}",
            all_of_them / base,
            GOAL,
        ),
        Row(f"read the inventory of {COUNT} hosts", f"{inventory[1]:.2f} s",
            f"{inventory[0]:.2f} s: of one", inventory[1] / inventory[0]),
    ]  # fmt: skip


def time_inventory(template: Path, work: Path) -> tuple[float, float]:
    """Return the seconds that Ansible takes to read one directory, and all of them."""
    answers = work / "fleet.yml"
    answers.write_text(json.dumps({"kind": "fleet"}), encoding="utf-8")
    taken: list[float] = []
    for hosts in ("gpu0", "gpu*"):
        root = work / f"fleet-{len(taken)}"
        run(*copy_command(template, answers, root))
        for host in work.glob(f"hosts/{hosts}"):
            shutil.copytree(host, root / "hosts" / host.name)
        command = [str(Path(sys.executable).with_name("ansible-inventory")), "--list"]
        taken.append(seconds(*command, cwd=root))
    return taken[0], taken[1]
