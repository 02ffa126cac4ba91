"""`gpu` hands out GPUs first come first served, and takes back what ends, however it ends."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support import ROOT, missing

GPU = ROOT / "template/host/images/container/{% if kind == 'host' %}gpu{% endif %}"

# In the order of nvidia-smi, which is not CUDA's: that of the PCI bus. As --query-gpu prints.
GPUS = """\
00000000:65:00.0, GPU-bbbbbbbb-1, 3, 15360, 0
00000000:17:00.0, GPU-aaaaaaaa-0, 12, 15360, 0
00000000:B3:00.0, GPU-cccccccc-2, [N/A], [N/A], [Not Supported]
"""

# Lists what a file says; `nvidia-smi` itself is the host's driver.
NVIDIA_SMI = """#!/bin/sh
case $1 in
    -L) cat "$GPUS.parts" 2>/dev/null ;;
    --query-gpu=pci.bus_id,uuid,memory.used,memory.total,utilization.gpu) cat "$GPUS" ;;
    --query-compute-apps=gpu_uuid,pid,used_memory) cat "$GPUS.programs" 2>/dev/null ;;
    *) exit 6 ;;
esac
"""


@dataclass
class Host:
    """A host with GPUs, and people who share them."""

    folder: Path
    jobs: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def queue(self) -> Path:
        return self.folder / "queue"

    @property
    def gpus(self) -> Path:
        return self.folder / "gpus"

    def environment(self, **more: str) -> dict[str, str]:
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        of_the_host = {"PATH": path, "GPUS": str(self.gpus), "GPU_QUEUE": str(self.queue)}
        return {**os.environ, **of_the_host, **more}

    def gpu(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [GPU, *arguments], env=self.environment(**environment), capture_output=True, text=True,
            timeout=30, cwd=self.folder,
        )  # fmt: skip

    def start(self, *arguments: str, uid: int = 0, **environment: str) -> subprocess.Popen[str]:
        """Start a job, and wait until it runs or has its place in the queue."""
        command = [str(GPU), "run", *arguments]
        if uid:
            command = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *command]
        job = subprocess.Popen(
            command, env=self.environment(**environment), stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL, text=True, cwd=self.folder, start_new_session=True,
        )  # fmt: skip
        self.jobs.append(job)
        assert job.stderr
        assert re.match(r"gpu: (waiting|GPU )", line := job.stderr.readline()), line
        return job

    def held(self) -> list[str]:
        """Return what the table says of each GPU."""
        rows = self.gpu().stdout.partition("\n\n")[0].splitlines()[1:]
        return [re.split("  +", row, maxsplit=3)[3] for row in rows]

    def is_free_within(self, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while self.held()[0] != "nobody":
            if time.monotonic() > end:
                return False
        return True


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    made = Host(tmp_path)
    made.queue.mkdir()
    made.queue.chmod(0o1777)
    made.gpus.write_text(GPUS)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/nvidia-smi").write_text(NVIDIA_SMI)
    (tmp_path / "bin/nvidia-smi").chmod(0o755)
    yield made
    for job in made.jobs:
        with suppress(ProcessLookupError):
            os.killpg(job.pid, signal.SIGKILL)
        job.communicate()


@pytest.fixture
def single(host: Host) -> Host:
    """A host with one GPU."""
    host.gpus.write_text(GPUS.splitlines()[0] + "\n")
    return host


def test_the_table_tells_who_has_which_gpu_and_who_waits(host: Host) -> None:
    host.gpus.write_text(GPUS.replace(" 3,", " 8000,").replace(" 0\n", " 97\n"))
    host.start("--max-time", "3h", "sleep", "60", LOGIN_NAME="alice", HOSTNAME="gpu01-a")
    host.start("-n", "2", "sleep", "60", LOGIN_NAME="bob")
    table = re.sub("for [0-5] s", "for 0 s", host.gpu().stdout).splitlines()  # a busy machine
    table[1] = table[1].replace("2 h 59 min", "3 h 0 min")
    assert table[:4] == [
        "GPU  MEMORY              LOAD   USED BY",
        "0    12 / 15360 MiB      97 %   alice in gpu01-a for 0 s, for at most 3 h 0 min more",
        "1    8000 / 15360 MiB    97 %   programs without gpu run",
        "2    ? / ? MiB           ? %    nobody",
    ]
    assert table[4:6] == ["", "GPUS  WAITING, IN THIS ORDER"]
    assert re.fullmatch(r"2     bob in \S+ for 0 s", table[6])


def test_a_job_gets_the_numbers_of_cuda_and_the_status_is_the_commands(host: Host) -> None:
    script = 'echo "$CUDA_DEVICE_ORDER $CUDA_VISIBLE_DEVICES $1" && cat && exit 7'
    command = [str(GPU), "run", "-n", "2", "--", "bash", "-c", script, "_", "it's -n 1"]
    done = subprocess.run(
        command, env=host.environment(), input="typed", capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (7, "PCI_BUS_ID 0,1 it's -n 1\ntyped")
    assert done.stderr == "gpu: GPU 0,1 for bash\n"
    assert host.held() == ["nobody"] * 3


def test_what_is_used_without_gpu_is_only_handed_out_on_request(single: Host) -> None:
    single.gpus.write_text(single.gpus.read_text().replace(" 3,", " 301,"))
    waiting = single.start("true")
    assert single.held() == ["programs without gpu run"]
    waiting.kill()
    assert single.gpu("run", "--any", "true").returncode == 0
    assert single.gpu("run", "true", GPU_IN_USE_ABOVE="400").returncode == 0
    waiting = single.start("true")
    single.gpus.write_text(single.gpus.read_text().replace(" 301,", " 300,"))
    assert waiting.wait(10) == 0


def test_twenty_jobs_run_in_the_order_in_which_they_came(single: Host) -> None:
    first = single.start("sleep", "60")
    jobs = [single.start("sh", "-c", 'echo "$0" >>order', str(i)) for i in range(20)]
    assert len(single.gpu().stdout.partition("ORDER\n")[2].splitlines()) == 20
    # Some do not wait until the end: the first is interrupted, one is killed.
    os.killpg(jobs[0].pid, signal.SIGINT)
    jobs[10].kill()
    first.kill()
    stayed = [i for i in range(20) if i not in (0, 10)]
    assert [jobs[i].wait(60) for i in stayed] == [0] * 18
    assert (single.folder / "order").read_text().split() == [str(i) for i in stayed]
    assert single.held() == ["nobody"]
    single.start("sleep", "60")
    assert [file.name[:3] for file in single.queue.iterdir()] == ["run"]


def test_who_wants_several_gpus_is_not_overtaken_by_who_wants_one(host: Host) -> None:
    jobs = [host.start("sleep", seconds) for seconds in ("0.5", "1", "60")]
    two = host.start("-n", "2", "sh", "-c", "echo two $CUDA_VISIBLE_DEVICES >>order")
    one = host.start("sh", "-c", "echo one >>order")
    assert [job.wait(10) for job in (*jobs[:2], two, one)] == [0] * 4
    assert (host.folder / "order").read_text() == "two 0,1\none\n"


def is_stopped_by_ctrl_z(status: str) -> bool:
    ignored = re.findall(r"SigIgn:\s*(\S+)", status)[0]
    return not int(ignored, 16) >> (signal.SIGTSTP - 1) & 1


def test_a_job_that_waits_cannot_be_stopped_and_its_command_can(single: Host) -> None:
    first = single.start("sleep", "60")
    waiting = single.start("cp", "/proc/self/status", "status")
    assert not is_stopped_by_ctrl_z(Path(f"/proc/{waiting.pid}/status").read_text())
    first.kill()
    assert waiting.wait(10) == 0
    assert is_stopped_by_ctrl_z((single.folder / "status").read_text())


def test_a_job_that_is_killed_gives_its_gpu_back(single: Host) -> None:
    job = single.start("sleep", "60")
    while not Path(f"/proc/{job.pid}/cmdline").read_text().startswith("sleep"):
        time.sleep(0.01)  # the command takes the place of gpu run
    job.kill()
    assert single.is_free_within(2)


def test_a_waiting_job_that_is_killed_leaves_the_line_at_once(single: Host) -> None:
    """What it waits with lives on for a while, and does not keep its place."""
    for _ in range(2):
        single.start("sleep", "60")
    killed = single.start("true")
    killed.kill()
    killed.wait()
    assert single.gpu().stdout.partition("ORDER\n")[2].count("\n") == 1


def test_when_an_engine_ends_its_jobs_are_out_of_the_line_and_all_others_go_on(
    single: Host,
) -> None:
    """All processes of its containers end at once, those that run and those that wait."""
    in_containers = [single.start("--", "sleep", "60") for _ in range(3)]
    on_the_host = single.start("--", "true")
    assert single.gpu().stdout.count(" for ") == 4
    for job in in_containers:
        os.killpg(job.pid, signal.SIGKILL)
    assert on_the_host.wait(10) == 0
    assert single.held() == ["nobody"]
    assert "WAITING" not in single.gpu().stdout
    assert single.gpu("run", "--", "true").returncode == 0  # in a container that came back


def test_a_gpu_stays_with_the_workers_that_a_killed_job_left_behind(single: Host) -> None:
    job = single.start("bash", "-c", "sleep 60 & echo; wait")
    time.sleep(0.3)
    job.kill()
    job.wait()
    assert re.match(r"root in \S+ for ", single.held()[0])
    os.killpg(job.pid, signal.SIGKILL)
    assert single.is_free_within(2)


def test_a_job_ends_when_its_time_is_over_and_its_workers_too(single: Host) -> None:
    job = single.start("--max-time", "1s", "bash", "-c", "sleep 60 & sleep 60")
    assert job.wait(10) == 124
    assert single.is_free_within(2)


def test_jobs_wait_for_those_alone_whose_gpus_they_see(host: Host) -> None:
    others = host.folder / "others"
    others.write_text(GPUS.replace("GPU-", "GPU-other-"))
    host.start("-n", "3", "sleep", "60")
    host.start("true")
    assert host.gpu("run", "true", GPUS=str(others)).returncode == 0
    table = host.gpu(GPUS=str(others)).stdout
    assert "nobody" in table
    assert "root" not in table
    assert "WAITING" not in table


def test_several_people_share_the_line_and_cannot_remove_each_others_places(single: Host) -> None:
    if os.getuid() != 0:
        missing("only root can become two people: run as root")
    for folder in (single.folder, *single.folder.parents):
        if "pytest" in str(folder):
            folder.chmod(0o755)
    shutil.copy(GPU, single.folder / "bin/gpu")
    os.umask(umask := os.umask(0o077))
    alice = single.start("sleep", "60", uid=4401, LOGIN_NAME="alice")
    bob = single.start("true", uid=4402, LOGIN_NAME="bob")
    os.umask(umask)
    assert "bob in" in single.gpu().stdout
    remove = f"rm -f {single.queue}/*"
    subprocess.run(
        ["setpriv", "--reuid=4402", "--clear-groups", "sh", "-c", remove], capture_output=True
    )
    assert single.held()[0].startswith("alice in")
    alice.kill()
    assert bob.wait(10) == 0


@contextmanager
def locked(file: Path, text: str) -> Iterator[None]:
    """A file of a job that somebody wrote by hand."""
    file.write_text(text)
    holder = subprocess.Popen(["flock", file, "sleep", "60"], start_new_session=True)
    time.sleep(0.2)
    yield
    os.killpg(holder.pid, signal.SIGKILL)
    holder.wait()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0\0",
        "a[$(touch pwned)]\t$(touch pwned)\ta[$(touch pwned)]\ta[$(touch pwned)]\tx[$(touch pwned)]"
        "\t$(touch pwned)\n",
        "\x1b[2Jmallory\tbox\t9999999999999999999\t-1\t0\tGPU-bbbbbbbb-1]=$(touch pwned)\n",
        "\x1b[2Jmallory\tbox\t08\t08\t08\t* GPU-bbbbbbbb-1 ]\n",
        "x" * 100000,
    ],
)
@pytest.mark.parametrize("kind", ["run", "line"])
def test_nothing_that_others_write_is_trusted(single: Host, kind: str, text: str) -> None:
    with locked(single.queue / f"{kind}.000000008", text):
        done = single.gpu()
        assert (done.returncode, done.stderr) == (0, "")
        assert "\x1b" not in done.stdout
        assert single.gpu("run", "true").returncode == 0
    assert not (single.folder / "pwned").exists()


def test_odd_things_in_the_queue_stop_nobody(single: Host) -> None:
    os.mkfifo(single.queue / "line.000000001")
    (single.queue / "run.000000002").mkdir()
    (single.queue / "line.000000003").symlink_to("/dev/tty")
    (single.queue / "line.x y").touch()
    assert single.gpu("run", "true").returncode == 0


def test_a_full_disk_is_told_and_nothing_runs(single: Host) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=8k,mode=1777", "tmpfs", str(single.queue)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        missing("only root can mount a file system that is soon full: run as root")
    try:
        (single.queue / "full").write_bytes(b"x" * 8192)
        refused = single.gpu("run", "touch", "ran")
        assert refused.returncode == 1
        assert refused.stderr == (
            f"gpu: {single.queue} cannot be written: No space left on device; "
            f"on the server see: df -h {single.queue}\n"
        )
        assert single.gpu().returncode == 0
        (single.queue / "full").unlink()
        assert single.gpu("run", "true").returncode == 0
    finally:
        subprocess.run(["umount", single.queue], check=True)
    assert not (single.folder / "ran").exists()


def test_files_of_a_host_that_lost_power_are_passed_over_and_removed(single: Host) -> None:
    for name in ("line.000000007", "run.000000006"):
        (single.queue / name).write_text("root\tgpu01\t1\t0\t1\tGPU-bbbbbbbb-1\n")
    assert single.held() == ["nobody"]
    single.start("sleep", "60")
    assert sorted(p.name for p in single.queue.iterdir()) == ["run.000000008"]


def test_a_gpu_that_mig_divides_is_handed_out_in_its_parts(single: Host) -> None:
    (single.folder / "gpus.parts").write_text(
        "GPU 0: NVIDIA A100 (UUID: GPU-bbbbbbbb-1)\n"
        "  MIG 3g.20gb     Device  0: (UUID: MIG-1111)\n"
        "  MIG 3g.20gb     Device  1: (UUID: MIG-2222)\n"
    )
    single.start("sleep", "60")
    done = single.gpu("run", "printenv", "CUDA_VISIBLE_DEVICES")
    assert done.stdout == "MIG-2222\n"


def test_the_host_names_the_container_of_each_program(single: Host) -> None:
    me = os.getpid()
    (single.folder / "gpus.programs").write_text(f"GPU-bbbbbbbb-1, {me}, 8000\n")
    assert re.search(
        rf"\n0    8000 MiB   {me} +\S+, as root in no container for .*\n", single.gpu().stdout
    )


REFUSED = {
    "walk": "'walk' is neither run nor --help",
    "run": "gpu run needs a command",
    "run -n": "-n needs a value",
    "run -n 0 true": "-n '0' is not a number of GPUs",
    "run -n 4 true": "-n 4 is more than the 3 GPUs here; ask for fewer",
    "run --max-time tomorrow true": "--max-time 'tomorrow' is not a time such as 90m, 12h or 2d",
    "run --gpus 1 true": "'--gpus' is not an option of gpu run",
    "run -- no-such-program": "'no-such-program' is not a command; check its name, PATH and "
    "execute permission",
}


@pytest.mark.parametrize("typed", REFUSED)
def test_what_cannot_be_done_is_refused_at_once(host: Host, typed: str) -> None:
    done = host.gpu(*typed.split())
    assert done.returncode in (1, 2)
    assert done.stderr.startswith(f"gpu: {REFUSED[typed]}\n")
    assert not list(host.queue.iterdir())


def test_a_job_inside_a_job_would_wait_for_itself(host: Host) -> None:
    done = host.gpu("run", GPU.as_posix(), "run", "true")
    assert done.returncode == 1
    assert (
        "this is already inside a gpu run, with GPU 0; run the command without gpu run"
        in done.stderr
    )


def test_a_host_without_queue_or_driver_is_told_what_to_do(host: Host) -> None:
    (host.folder / "bin/nvidia-smi").write_text("#!/bin/sh\necho 'version mismatch' >&2; exit 9")
    done = host.gpu("run", "true")
    assert done.returncode == 1
    assert done.stderr.startswith("gpu: nvidia-smi fails: version mismatch; on the server run: ")
    (host.folder / "bin/nvidia-smi").write_text(NVIDIA_SMI)
    host.queue.rmdir()
    done = host.gpu("run", "true")
    assert done.returncode == 1
    assert f"there is no {host.queue}; on the server run: sudo host/setup.sh" in done.stderr
    shown = host.gpu()
    assert shown.returncode == 0
    assert "so nobody can wait; on the server run: sudo host/setup.sh" in shown.stderr
