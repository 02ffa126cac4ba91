"""Many people at once: what the end-to-end test and the benchmark of load share."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pexpect

from tests.e2e.support import Laptop, output


@dataclass(frozen=True)
class Rush:
    """What became of many who came at the same moment."""

    wanted: int
    served: int
    seconds: float
    problems: tuple[str, ...]


def commands(laptop: Laptop, services: Sequence[str], count: int) -> Rush:
    """Run as many ssh commands at the same moment, in turn on each service."""
    start = time.perf_counter()
    running = [
        subprocess.Popen(
            ["ssh", "-F", laptop.config, laptop.alias(services[number % len(services)]),
             f"echo $((6 * {number}))"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for number in range(count)
    ]  # fmt: skip
    answers = [process.communicate(timeout=300) for process in running]
    return Rush(
        count,
        sum(answer[0] == f"{6 * number}\n" for number, answer in enumerate(answers)),
        time.perf_counter() - start,
        tuple({error for _, error in answers if error}),
    )


def sessions(laptop: Laptop, services: Sequence[str], count: int) -> Rush:
    """Open as many terminals, type into each while all are open, and close them."""
    start = time.perf_counter()
    terminals = [
        pexpect.spawn(
            "ssh", ["-tt", "-F", str(laptop.config), laptop.alias(services[n % len(services)])],
            encoding="utf-8", timeout=120,
        )
        for n in range(count)
    ]  # fmt: skip
    served, problems = 0, []
    for typed in ("echo open$((6 * 7))", "echo still$((6 * 7))"):
        for terminal in terminals:
            terminal.sendline(typed)
    for terminal in terminals:
        try:
            terminal.expect("still42\r\n")
            terminal.sendline("exit")
            terminal.expect(pexpect.EOF)
            served += 1
        except pexpect.ExceptionPexpect as problem:
            problems.append(str(problem).splitlines()[0])
        terminal.close(force=True)
    return Rush(count, served, time.perf_counter() - start, tuple(problems))


def transfers(
    laptop: Laptop, services: Sequence[str], count: int, megabytes: int, folder: Path
) -> Rush:
    """Send as many files by sftp at the same moment, fetch them back, compare checksums."""
    sent = folder / "sent"
    with sent.open("wb") as file:
        for _ in range(megabytes):
            file.write(os.urandom(1_000_000))
    wanted = hashlib.sha256(sent.read_bytes()).hexdigest()

    def there_and_back(number: int) -> str:
        received = folder / f"received-{number}"
        batch = f"put {sent} load-{number}\nget load-{number} {received}\nrm load-{number}\n"
        alias = laptop.alias(services[number % len(services)])
        output("sftp", "-F", laptop.config, "-b", "-", alias, input=batch, timeout=300)
        checksum = hashlib.sha256(received.read_bytes()).hexdigest()
        received.unlink()
        return checksum

    start = time.perf_counter()
    with ThreadPoolExecutor(count) as pool:
        checksums = list(pool.map(there_and_back, range(count)))
    return Rush(count, checksums.count(wanted), time.perf_counter() - start, ())


def processes(laptop: Laptop, service: str) -> list[str]:
    """The programs that run in a container, zombies too."""
    return sorted(laptop.directory.exec(service, "ps", "-eo", "stat=,comm=").split("\n")[:-1])


def memory(laptop: Laptop, service: str) -> float:
    """Anonymous memory of all processes of a container, in 10^6 bytes."""
    script = "cat /proc/[0-9]*/status 2>/dev/null || true"
    status = laptop.directory.exec(service, "bash", "-c", script)
    anonymous = [line.split() for line in status.splitlines() if line.startswith("RssAnon:")]
    return sum(int(words[1]) for words in anonymous) * 1024 / 1e6
