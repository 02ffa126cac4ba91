"""How long generating a cluster takes, beside a host of the default two releases."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from statistics import median

from bench.common import Row, clone_template, copy_command, seconds
from bench.images import ANSWERS
from bench.scale import VERSIONS

OF_A_CLUSTER = {
    "kind": "cluster",
    "image_registry": "registry.example.com/lab",
    "nfs_server": "nas.example.com",
}


def measure(repetitions: int = 5) -> list[Row]:
    """Generate a host of two releases, and clusters of two and of all, in turn."""
    host = {**ANSWERS, "tf_versions": VERSIONS[-2:]}
    answers = {
        "host": host,
        "a cluster of 2 releases": {**host, **OF_A_CLUSTER},
        f"a cluster of {len(VERSIONS)} releases": {**host, **OF_A_CLUSTER, "tf_versions": VERSIONS},
    }
    taken: dict[str, list[float]] = {name: [] for name in answers}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        work = Path(folder)
        template = clone_template(work / "template")
        for number, chosen in enumerate(answers.values()):
            (work / f"{number}.yml").write_text(json.dumps(chosen), encoding="utf-8")
        for _ in range(repetitions):
            for number, name in enumerate(answers):
                command = copy_command(template, work / f"{number}.yml", work / "target")
                taken[name].append(seconds(*command))
                shutil.rmtree(work / "target")
    base = median(taken.pop("host"))
    return [
        Row(
            f"generate {name}, median of {repetitions}",
            f"{median(times):.2f} s",
            f"{base:.2f} s: a host of 2",
            median(times) / base,
        )
        for name, times in taken.items()
    ]
