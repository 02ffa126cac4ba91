"""How soon an editor is ready in a container on Ubuntu 18.04, beside one on Ubuntu 22.04.

The server of Visual Studio Code is the same in both. On Ubuntu 18.04 it gets a newer glibc
when it starts for the first time; on Ubuntu 22.04 nothing is done to it.
"""

from __future__ import annotations

from statistics import median
from time import perf_counter

from bench.common import Row, run
from tests.e2e.editor import NEW, NEWER, OLD, SERVICES, Editors, free_port, host

BASELINE = "on Ubuntu 22.04"

Seconds = dict[str, list[float]]
"""What each repetition took, by service."""


def measure(repetitions: int = 3) -> list[Row]:
    """Start the server over ssh, and then the whole editor, in one container after the other."""
    with host() as editors:
        return compare(editors, repetitions)


def compare(editors: Editors, repetitions: int) -> list[Row]:
    """Do that in containers that run."""
    first: Seconds = {service: [] for service in SERVICES}
    later: Seconds = {service: [] for service in SERVICES}
    ready: Seconds = {service: [] for service in SERVICES}
    for _ in range(repetitions):
        for service in SERVICES:
            editors.install_server(service, NEWER)
            first[service].append(until_answer(editors, service))
            later[service].append(until_answer(editors, service))
            with editors.opened(service, "active") as (_, took):
                ready[service].append(took["active"])
    layer, whole = megabytes(editors)
    return [
        _row("an editor's server answers after its installation", first, repetitions),
        _row("an editor's server answers after that", later, repetitions),
        _row("an editor is ready: its extensions run", ready, repetitions),
        Row(
            "newer glibc for editors in an image on Ubuntu 18.04",
            f"{layer:.1f} MB",
            f"{whole:.1f} MB: the whole image on top of its base, with the default packages",
            layer / whole,
        ),
    ]


def _row(what: str, took: Seconds, repetitions: int) -> Row:
    ours, theirs = median(took[OLD]), median(took[NEW])
    runs = f"median of {repetitions}" if repetitions > 1 else "one run"
    return Row(
        f"{what}, on Ubuntu 18.04 through ssh, {runs}",
        f"{ours:.2f} s",
        f"{theirs:.2f} s: {BASELINE}",
        ours / theirs,
    )


def until_answer(editors: Editors, service: str) -> float:
    """Return how many seconds a server takes from ssh to its first answer."""
    start = perf_counter()
    with editors.served(service, free_port()):
        return perf_counter() - start


def megabytes(editors: Editors) -> tuple[float, float]:
    """Return the size of the newer glibc in the old image, and of all on top of its base."""
    image = editors.directory.image(OLD)
    shown = "--format={{.Size}} {{.CreatedBy}}"
    history = run("docker", "history", "--no-trunc", "--human=false", shown, image)
    steps = [line.split(" ", 1) for line in history.splitlines() if "bash /tmp/" in line]
    glibc = sum(int(size) for size, step in steps if "editors/glibc.sh" in step)
    return glibc / 1e6, sum(int(size) for size, _ in steps) / 1e6
