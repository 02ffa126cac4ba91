"""How long `up --wait` takes until ssh answers, beside a bare `docker run` of the same image."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

from bench.common import Row, run
from bench.images import generated, our_image, remove

VERSION, PORT, OTHER = "2.17.0", 21722, 21799


def measure(repetitions: int = 5) -> list[Row]:
    """Start a container by Compose and by hand, in turn, until sshd says its name."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/srv") as folder:
        home = Path(folder)
        conda, projects = home / "conda", home / "projects"
        for path in (home, conda, projects):
            path.mkdir(exist_ok=True)
            os.chown(path, 1000, 1000)
        with generated(
            (VERSION,),
            host_home=str(home),
            conda_path=str(conda),
            project_path=str(projects),
            packages=[],
        ) as directory:
            run("docker", "compose", "build", "--quiet", cwd=directory)
            mounts = [f"--volume={home}:{home}:ro", f"--volume={conda}:{conda}"]
            mounts.append(f"--volume={projects}:/AI")
            by_hand = ["docker", "run", "--detach", "--init", "--gpus=all", "--user=1000:1000"]
            by_hand += [*mounts, f"--publish=127.0.0.1:{OTHER}:22", "--name=bench-bare"]
            ours, bare = [], []
            for _ in range(repetitions + 1):
                ours.append(until_ssh(["docker", "compose", "up", "-d", "--wait"], directory, PORT))
                run("docker", "compose", "down", "--timeout=1", cwd=directory)
                bare.append(until_ssh([*by_hand, our_image(VERSION)], directory, OTHER))
                run("docker", "rm", "--force", "bench-bare")
            remove(our_image(VERSION))
    mine, theirs = median(ours[1:]), median(bare[1:])  # the first one makes the host key
    return [
        Row(
            f"`up --wait` until ssh answers, median of {repetitions}",
            f"{mine:.2f} s",
            f"{theirs:.2f} s: `docker run` of the same image until ssh answers",
            mine / theirs,
        )
    ]


def until_ssh(command: list[str], folder: Path, port: int) -> float:
    """Run a command; return how long it took until sshd said its name on a port."""
    start = perf_counter()
    run(*command, cwd=folder)
    while not says_ssh(port):
        sleep(0.01)
    return perf_counter() - start


def says_ssh(port: int) -> bool:
    """Return whether sshd says its name, not only whether Docker took the connection."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False
