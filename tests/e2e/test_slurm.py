"""The command of docs/cluster.md under Slurm, with Pyxis and Enroot, on a node without a GPU.

Needs the sources of both, which are not in Debian: ``SLURM_SOURCES`` is a folder with a clone
of https://github.com/NVIDIA/pyxis as ``pyxis`` and one of https://github.com/NVIDIA/enroot, 4 or
newer, as ``enroot``. Slurm is Debian's. The node is a container; its GPU is a device file, and a
stand-in takes the place of nvidia-container-cli.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from pytest_copier.plugin import CopierProject

from tests.e2e.bases import rootfs_image
from tests.e2e.conftest import JAMMY, RELEASES
from tests.e2e.server import POWER
from tests.e2e.support import PERSON, REGISTRY, install_conda, output, run
from tests.e2e.test_cluster import registry  # noqa: F401 (a fixture)
from tests.support import ROOT

pytestmark = pytest.mark.full

SOURCES = "SLURM_SOURCES"
NAME = "e2e-slurm"
OF_THE_IMAGE = 1000
"""UID of the image's user, which is not that of the person."""
ASKED = "/scratch/asked"
"""What the stand-in for nvidia-container-cli was called with."""
CONDA = "/home/ai/miniconda3"
"""Where the documented command mounts conda."""

DOCKERFILE = f"""FROM {{base}}
RUN apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y \\
    --no-install-recommends -o Dpkg::Options::=--force-unsafe-io \\
    bsdextrautils curl gawk gcc jq libc6-dev libcap2-bin libslurm-dev make munge parallel procps \\
    slurm-client slurm-wlm-basic-plugins slurmctld slurmd squashfs-tools zstd
COPY enroot /src/enroot
# as glibc has it, without the submodules: musl, Linux' headers and a packer of archives
RUN cd /src/enroot/deps && mkdir -p makeself linux-headers dist/makeself/bin && \\
    touch makeself/.stamp linux-headers/.stamp dist/makeself/bin/enroot-makeself && \\
    make -C .. FORCE_GLIBC=1 prefix=/usr sysconfdir=/etc install && make -C .. prefix=/usr setcap
COPY pyxis /src/pyxis
RUN make -C /src/pyxis && cp /src/pyxis/spank_pyxis.so /usr/lib
COPY bin/ /usr/bin/
RUN echo 'alice:x:{PERSON}:{PERSON}::/home/alice:/bin/bash' >>/etc/passwd && \\
    echo 'alice:x:{PERSON}:' >>/etc/group
CMD ["boot"]
"""

BOOT = """#!/bin/sh
set -e
host=$(hostname)
mkdir -p /run/munge /var/lib/slurm/state /var/lib/slurm/spool
chown munge: /run/munge
chown slurm: /var/lib/slurm/state
echo 'required /usr/lib/spank_pyxis.so runtime_path=/scratch/pyxis' >/etc/slurm/plugstack.conf
echo 'Name=gpu File=/dev/zero' >/etc/slurm/gres.conf
echo 'CgroupPlugin=disabled' >/etc/slurm/cgroup.conf
cat >>/etc/enroot/enroot.conf <<'END'
ENROOT_ALLOW_HTTP yes
ENROOT_CACHE_PATH /scratch/cache-$(id -u)
ENROOT_DATA_PATH /scratch/data-$(id -u)
ENROOT_RUNTIME_PATH /scratch/run-$(id -u)
ENROOT_TEMP_PATH /scratch
END
cat >/etc/slurm/slurm.conf <<END
ClusterName=e2e
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$CONTROL_PORT
SlurmdPort=$NODE_PORT
SlurmUser=slurm
StateSaveLocation=/var/lib/slurm/state
SlurmdSpoolDir=/var/lib/slurm/spool
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
GresTypes=gpu
NodeName=$host NodeAddr=127.0.0.1 CPUs=1 Gres=gpu:1
PartitionName=all Nodes=ALL Default=YES
END
chmod 1777 /scratch
setpriv --reuid=munge --regid=munge --clear-groups munged
slurmctld
exec slurmd -D
"""

TRAINING = """\
import json, os, signal, sys, time

def save(*_):
    time.sleep(3)
    with open("/AI/checkpoint", "w") as checkpoint:
        checkpoint.write("saved")
    sys.exit()

signal.signal(signal.SIGTERM, save)
with open("/AI/facts", "w") as facts:
    json.dump({**os.environ, "uid": os.getuid(), "folder": os.getcwd()}, facts)
while os.path.exists("/AI/go-on"):
    time.sleep(0.1)
"""


@dataclass(frozen=True)
class Node:
    """A cluster of one node, and the person's directories on it."""

    command: str
    """The documented one, with the address of the registry here."""
    projects: Path

    def person(self, script: str) -> CompletedProcess[str]:
        """Run a script as the person, with a variable of a module in the environment."""
        login = ["runuser", "--login", "alice", "--command", f"export PYTHONPATH=/module\n{script}"]
        return run("docker", "exec", NAME, *login, timeout=180)

    def until(self, script: str, seconds: int = 120) -> None:
        """Wait until a script succeeds as the person."""
        begin = time.monotonic()
        while self.person(script).returncode != 0:
            assert time.monotonic() - begin < seconds, script
            time.sleep(0.5)


def sources() -> Path:
    folder = Path(os.environ.get(SOURCES, ""))
    if not ((folder / "pyxis/Makefile").exists() and (folder / "enroot/Makefile").exists()):
        pytest.skip(f"Pyxis and Enroot are missing; clone both into a folder, set {SOURCES} to it")
    return folder


def documented(address: str) -> str:
    found = re.search(r"```sh\n(srun .*?)\n```", (ROOT / "docs/cluster.md").read_text(), re.DOTALL)
    assert found
    return found[1].replace("registry.example.com", address)


def build_node(sources: Path) -> None:
    """Build the image of the node, with Debian's Slurm."""
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        for name in ("pyxis", "enroot"):
            shutil.copytree(
                sources / name, context / name, symlinks=True,
                ignore=shutil.ignore_patterns(".git"),
            )  # fmt: skip
        (context / "bin").mkdir()
        (context / "bin/boot").write_text(BOOT)
        (context / "bin/nvidia-container-cli").write_text(f"#!/bin/sh\necho $* >{ASKED}\n")
        for tool in (context / "bin").iterdir():
            tool.chmod(0o755)
        (context / "Dockerfile").write_text(DOCKERFILE.format(base=rootfs_image("trixie")))
        output("docker", "build", "--quiet", f"--tag={NAME}", context)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def node(
    engine: None,  # noqa: ARG001
    generate: Callable[..., CopierProject],
    stand_in: Callable[..., None],
    registry: str,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Node]:
    """A node that can pull the image, and a person with an environment on it."""
    build_node(sources())
    stand_in(JAMMY)
    project = generate(
        kind="cluster", host=NAME, tf_versions=[RELEASES["jammy"]], mirror="none", packages=[],
        uid=OF_THE_IMAGE, gid=OF_THE_IMAGE, host_home="/home/ai", conda_path=CONDA,
        project_path="/home/ai/tensorflow_volume", storage="hostPath",
        image_registry=f"{registry}/lab", registry=REGISTRY,
    )  # fmt: skip
    output("docker", "compose", "build", cwd=project.path)
    output("docker", "compose", "push", cwd=project.path)
    home = tmp_path_factory.mktemp("alice")
    home_has_conda(home)
    run("docker", "rm", "--force", "--volumes", NAME)  # of a run that was killed
    try:
        output(
            "docker", "run", "--detach", "--init", "--network=host", *POWER, f"--name={NAME}",
            f"--volume={home}:/home/alice", "--volume=/scratch",
            f"--env=CONTROL_PORT={free_port()}", f"--env=NODE_PORT={free_port()}", NAME,
        )  # fmt: skip
        made = Node(documented(registry), home / "tensorflow_volume")
        made.until("sinfo --noheader --format=%T | grep -qx idle")
        yield made
    finally:
        run("docker", "rm", "--force", "--volumes", NAME)
        run("docker", "compose", "down", "--rmi=all", cwd=project.path)


def home_has_conda(home: Path) -> None:
    """Give a home a project and a conda as it is in the container, with an environment."""
    conda = home / "miniconda3"
    install_conda(conda)
    hook = conda / "etc/profile.d/conda.sh"
    hook.write_text(hook.read_text().replace(str(conda), CONDA))
    (conda / "envs/my-project/conda-meta").mkdir(parents=True)
    (conda / "envs/my-project/bin").mkdir()
    (conda / "envs/my-project/bin/python").symlink_to("/usr/bin/python3")
    (home / "tensorflow_volume").mkdir()
    (home / "tensorflow_volume/train.py").write_text(TRAINING)
    output("chown", "-R", f"{PERSON}:{PERSON}", home)
    home.chmod(0o755)


def test_the_documented_command_trains_as_the_person_in_the_environment(node: Node) -> None:
    done = node.person(node.command)
    assert done.returncode == 0, done.stderr
    facts = json.loads((node.projects / "facts").read_text())
    assert (node.projects / "facts").stat().st_uid == facts["uid"] == PERSON
    assert facts["CONDA_PREFIX"] == f"{CONDA}/envs/my-project"
    assert facts["PATH"].startswith(f"{CONDA}/envs/my-project/bin:/usr/local/nvidia/bin:")
    assert facts["PATH"].endswith(f":{CONDA}/condabin")
    assert (facts["HOME"], facts["folder"]) == ("/AI", "/AI")
    assert facts["PYTHONNOUSERSITE"] == "1"
    assert "/usr/local/cuda" in facts["LD_LIBRARY_PATH"]
    assert facts["CUDA_VISIBLE_DEVICES"] == "0"
    assert "PYTHONPATH" not in facts
    assert "--device=all --compute --utility" in output("docker", "exec", NAME, "cat", ASKED)


def test_training_saves_when_its_batch_script_is_cancelled(node: Node) -> None:
    (node.projects / "facts").unlink(missing_ok=True)
    (node.projects / "go-on").touch()
    script = shlex.quote(f"#!/bin/bash\n{node.command}\n")
    submitted = node.person(f"printf %s {script} | sbatch --parsable --gpus=1 --output=log")
    job = int(submitted.stdout)
    node.until("test -s ~/tensorflow_volume/facts")
    node.person(f"scancel {job}")
    node.until(f"squeue --noheader --jobs={job} | (! grep .)")
    (node.projects / "go-on").unlink()
    log = (node.projects.parent / "log").read_text()
    assert (node.projects / "checkpoint").exists(), log
    assert (node.projects / "checkpoint").read_text() == "saved"


@pytest.mark.parametrize(
    ("documented", "instead", "message"),
    [
        (f":{CONDA}", ":/elsewhere", "bash: line 1: conda: command not found"),
        ("export HOME=/AI;", "touch ~/file;", "Read-only file system"),
        ("/tensorflow_volume:", "/nowhere:", "source path does not exist"),
    ],
)
def test_other_commands_fail_with_the_messages_of_known_problems(
    node: Node, documented: str, instead: str, message: str
) -> None:
    assert message in (ROOT / "docs/known-problems.md").read_text()
    assert documented in node.command
    assert message in node.person(node.command.replace(documented, instead)).stderr
