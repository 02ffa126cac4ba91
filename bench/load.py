"""How long many people at once are served, beside one after the other.

Two containers on stand-ins for TensorFlow's images, an old Ubuntu and a new one, are met
by more connections at the same moment than a lab has people.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from bench.common import Row, clone_template, copy_command, run
from bench.images import VERSIONS, base_image, build_base, remove
from tests.e2e import load
from tests.e2e.support import Directory, Laptop, Person

SERVICES = (f"tf{VERSIONS[0]}", f"tf{VERSIONS[-1]}")


def measure() -> list[Row]:
    """Meet two containers with commands, terminals and transfers, and look at what stays."""
    with host() as laptop:
        before = [load.processes(laptop, service) for service in SERVICES]
        memory = sum(load.memory(laptop, service) for service in SERVICES)
        one = load.commands(laptop, SERVICES, 1).seconds
        with tempfile.TemporaryDirectory() as folder:
            rows = [
                row("ssh commands", load.commands(laptop, SERVICES, 200), 200 * one),
                row("terminals", load.sessions(laptop, SERVICES, 50), 50 * one),
                row(
                    "sftp transfers of 50 MB, there and back",
                    load.transfers(laptop, SERVICES, 20, megabytes=50, folder=Path(folder)),
                    20 * load.transfers(laptop, SERVICES, 1, 50, Path(folder)).seconds,
                ),
            ]
        left = [load.processes(laptop, service) for service in SERVICES]
        used = sum(load.memory(laptop, service) for service in SERVICES)
        same = "the same processes" if left == before else "**other processes**"
        return [
            *rows,
            Row(
                "memory of both containers after all that",
                f"{used:.1f} MB, {same}",
                f"{memory:.1f} MB before",
                used / memory,
                "≤ 1.25",
                used <= 1.25 * memory and left == before,
            ),
        ]


def row(what: str, rush: load.Rush, alone: float) -> Row:
    """Return the row of a rush beside the same, one after the other."""
    return Row(
        f"{rush.wanted} {what} at the same moment",
        f"{rush.seconds:.1f} s, {rush.served} served",
        f"{alone:.1f} s: one after the other",
        rush.seconds / alone,
        "all",
        rush.served == rush.wanted,
    )


@contextmanager
def host() -> Iterator[Laptop]:
    """Start two containers for a person with a laptop; remove all of it in the end."""
    # not below /tmp: sshd takes no keys from a world-writable path
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/srv") as folder:
        work = Path(folder)
        work.chmod(0o755)
        person = Person.arrive(work)
        answers = work / "answers.yml"
        given = person.answers(
            host="bench", tf_versions=[VERSIONS[0], VERSIONS[-1]], port_offset=40,
            registry=base_image(VERSIONS[0], True).partition("/")[0],
        )  # fmt: skip
        answers.write_text(yaml.safe_dump(given), encoding="utf-8")
        run(*copy_command(clone_template(work / "template"), answers, work / "bench"))
        recorded = yaml.safe_load((work / "bench/.copier-answers.yml").read_text())
        directory = Directory(work / "bench", recorded)
        try:
            for version in given["tf_versions"]:
                build_base(version, official=True)
            directory.up()
            yield Laptop(person, directory)
        finally:
            directory.remove()
            remove(*(base_image(version, True) for version in given["tf_versions"]))
