"""A machine that a test may break: an engine of its own, on a small disk of its own.

It runs in namespaces of its own, and everything in it ends with their first process, as
at a power cut: engine, containers, network. Its disk outlives that.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from subprocess import CompletedProcess

from tests.e2e.support import output, run


class Machine:
    """An engine beside that of the tests; ``DOCKER_HOST`` is its address."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.folder = folder
        self.disk = folder / "disk"
        self.disk.mkdir()
        output("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", self.disk)
        self.address = f"unix://{folder}/docker.sock"
        self.boot()

    def boot(self) -> None:
        """Start the engine, as systemd does: again whenever it ends."""
        for left in ("exec", "docker.pid"):  # /run is empty after a boot
            run("rm", "-rf", self.folder / left)
        dockerd = (
            f"dockerd --host={self.address} --data-root={self.disk} "
            f"--exec-root={self.folder}/exec --pidfile={self.folder}/docker.pid"
        )
        namespaces = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        with (self.folder / "log").open("a") as log:
            self.power = subprocess.Popen(
                ["unshare", *namespaces, "bash", "-c",
                 f"ip link set lo up; while :; do {dockerd}; sleep 0.2; done"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self._wait_for_engine()

    def cut_power(self) -> None:
        """End everything that runs on it, without a word of warning."""
        self.power.kill()
        self.power.wait()

    def restart_engine(self) -> None:
        """Ask the engine to end, and wait for the next one."""
        pidfile = self.folder / "docker.pid"
        before = pidfile.read_text()
        output(*self._inside, "--pid", "--mount", "kill", before)
        for _ in range(300):
            if pidfile.exists() and pidfile.read_text() not in ("", before):
                break
            time.sleep(0.1)
        self._wait_for_engine()

    def run(self, *command: str | Path) -> CompletedProcess[str]:
        """Run a command in the machine's network, where its ports are."""
        return run(*self._inside, "--net", *command, timeout=60)

    def fill(self, *, leave: int = 0) -> None:
        """Fill the disk, except for some kilobytes, until the engine removes nothing any more."""
        size = 0
        with (self.disk / "filling").open("wb") as filling:
            for _ in range(10):
                room = os.statvfs(self.disk)
                more = room.f_bavail * room.f_frsize - leave * 1024
                if more > 0:
                    os.posix_fallocate(filling.fileno(), size, more)
                    size += more
                time.sleep(0.1)

    def free(self) -> None:
        (self.disk / "filling").unlink()

    def destroy(self) -> None:
        self.cut_power()
        output("umount", self.disk)

    @property
    def _inside(self) -> list[str]:
        children = Path(f"/proc/{self.power.pid}/task/{self.power.pid}/children")
        return ["nsenter", f"--target={children.read_text().split()[0]}"]

    def _wait_for_engine(self) -> None:
        for _ in range(300):
            if run("docker", "--host", self.address, "version").returncode == 0:
                return
            time.sleep(0.1)
        raise AssertionError((self.folder / "log").read_text()[-2000:])
