"""What a real kubelet makes of a person's pods: when a session ends, and what it leaves.

Needs, as root, what ``tests/test_kueue.py`` and the other end-to-end tests need, and beside it,
on PATH or in ``KUBEBUILDER_ASSETS``, a ``kubelet`` (``CGO_ENABLED=0 go build ./cmd/kubelet`` in
Kubernetes' sources), ``containerd`` 2.1 or newer with its ``ctr`` and shim, ``runc``, and the
CNI plugins ``ptp`` and ``host-local``. The node is ``tests/e2e/node.py``: its GPUs are stand-ins.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

import pytest
import yaml
from pytest_copier.plugin import CopierProject

from tests.e2e.conftest import RELEASES, official
from tests.e2e.node import PAUSE, PROGRAMS, Node, node
from tests.e2e.support import PERSON, Person, output, run
from tests.e2e.test_cluster import OF_THE_IMAGE, TRAINING
from tests.test_api_server import (
    ApiServer,
    free_port,
    kueue_source,  # noqa: F401 (a fixture)
    people_of,
    program,
    running,
    until,
    with_kueue_from,
)
from tests.test_generated import tool
from tests.test_kueue import control_plane

pytestmark = pytest.mark.full

VERSION = RELEASES["jammy"]
FORM = f"tf{VERSION.replace('.', '-')}"
IMAGE = f"registry.invalid/lab/tf{VERSION}:v1"
NODE = "gpu01"
LABELS = {"nvidia.com/gpu.family": "ampere", "nvidia.com/cuda.driver-version.major": "580"}
GPUS = {"nvidia.com/gpu": ["GPU-0"], "nvidia.com/mig-1g.5gb": ["MIG-0"]}

Change = Callable[[dict[str, Any], dict[str, Any]], None]
"""Changes the spec of a pod, and of its container, before a person creates the job."""


def unchanged(_pod: dict[str, Any], _container: dict[str, Any]) -> None:
    pass


@dataclass(frozen=True)
class Lab:
    """Two people, ai and li, and one GPU."""

    server: ApiServer
    node: Node
    project: CopierProject
    li: Person
    key: Path
    """The host key."""

    def make_host_key(self, person: str) -> None:
        secret = ["create", "secret", "generic", "ssh-host-key", f"--from-file={self.key}"]
        self.server.kubectl("-n", person, *secret)

    def kubectl(self, person: str, *arguments: str, **more: Any) -> str:
        return self.server.kubectl(f"--as={person}", "-n", person, *arguments, **more)

    def start(self, person: str, job: str, form: str = FORM, change: Change = unchanged) -> None:
        """A person creates a job."""
        made = self.kubectl(
            person, "create", "job", job, f"--from=cronjob/{person}-{form}",
            "--dry-run=client", "--output=yaml",
        )  # fmt: skip
        wanted = yaml.safe_load(made)
        pod = wanted["spec"]["template"]["spec"]
        change(pod, pod["containers"][0])
        self.kubectl(person, "create", "-f", "-", given=yaml.safe_dump(wanted))

    def pods(self, person: str, job: str) -> list[dict[str, Any]]:
        selector = f"--selector=batch.kubernetes.io/job-name={job}"
        found: list[dict[str, Any]] = self.server.get("-n", person, "pods", selector)["items"]
        return found

    def ready(self, person: str, job: str) -> None:
        ready = "--for=jsonpath={.status.ready}=1"
        self.kubectl(person, "wait", ready, f"job/{job}", "--timeout=2m")

    def waits(self, person: str, job: str) -> bool:
        return bool(self.server.get("-n", person, "job", job)["spec"]["suspend"])

    def ended(self, person: str, job: str, seconds: float) -> dict[str, Any]:
        """Wait for the end of a job's only pod; return its status."""
        ends = ("Failed", "Succeeded")
        (pod,) = until(
            lambda: [p for p in self.pods(person, job) if p["status"]["phase"] in ends], seconds
        )
        status: dict[str, Any] = pod["status"]
        return status

    def work(self, name: str) -> Path:
        """A file of li's project directory."""
        return self.li.projects / name

    @contextmanager
    def login(self, what: str, folder: Path, person: str = "li") -> Iterator[list[str]]:
        """Forward the port of a pod, as the README says; yields the command of ssh."""
        port = free_port()
        theirs = self.project.answers["ports"][VERSION] if what.startswith("service/") else 22
        config = folder / "ssh_config"
        text = (self.project.path / "ssh_config").read_text()
        config.write_text(
            re.sub(r"( HostName) .*", r"\1 127.0.0.1", re.sub(r"( Port) .*", rf"\1 {port}", text))
            + f"    IdentityFile {self.li.key}\n    UserKnownHostsFile {folder}/known_hosts\n"
            + "    StrictHostKeyChecking accept-new\n    BatchMode yes\n    LogLevel ERROR\n"
        )
        command = [f"--as={person}", "-n", person, "port-forward", what, f"{port}:{theirs}"]
        with running(
            folder, tool("kubectl"), f"--kubeconfig={self.server.kubeconfig}", *command
        ) as log:
            until(lambda: "Forwarding" in log.read_text())
            host = self.project.answers["host"]
            yield ["ssh", "-F", str(config), f"{host}-tf{VERSION}"]

    def forget_jobs(self) -> None:
        for person in ("ai", "li"):
            self.kubectl(person, "delete", "job", "--all", "--cascade=foreground")
        for file in ("training", "checkpoint"):
            self.work(file).unlink(missing_ok=True)


def own(folder: Path) -> Path:
    """Make a directory of the first person."""
    folder.mkdir(parents=True)
    shutil.chown(folder, OF_THE_IMAGE, OF_THE_IMAGE)
    return folder


@pytest.fixture(scope="module")
def lab(
    arrive: Callable[[], Person],
    stand_in: Callable[..., None],
    generate: Callable[..., CopierProject],
    kueue_source: Path,  # noqa: F811 (a fixture)
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Lab]:
    """A cluster with a person's images, queue and host keys, as the README makes them."""
    for each in PROGRAMS:
        program(each)
    li = arrive()
    stand_in(official(VERSION, extra=("python3-venv",)))
    answers = li.answers(
        kind="cluster", host="e2e-kubelet", tf_versions=[VERSION], mirror="none",
        uid=OF_THE_IMAGE, gid=OF_THE_IMAGE, host_home=str(own(li.folder / "first")),
        project_path=str(own(li.folder / "work")), storage="hostPath",
        image_registry=IMAGE.rpartition("/")[0],
        people={"li": {"uid": PERSON, "home": str(li.home), "project": str(li.projects)}},
        queue="lab", cluster_gpus={"ampere": 1}, gpus_per_person=1, session_hours=1,
        idle_minutes=2,
        pod_resources={"cpu": "100m", "memory": "256Mi", "max_memory": "1Gi", "shm": "512Mi"},
    )  # fmt: skip
    project = generate(**answers)
    output("docker", "compose", "build", cwd=project.path)
    pause = f'FROM {IMAGE}\nENTRYPOINT ["sleep", "infinity"]\n'
    output("docker", "build", f"--tag={PAUSE}", "-", input=pause)
    kueue = with_kueue_from(kueue_source, project)
    with ExitStack() as stack:
        control = stack.enter_context(
            control_plane(tmp_path_factory.mktemp("control"), kueue, {"without": 0})
        )
        server = control.server
        gpus = stack.enter_context(node(server, NODE, control.address, LABELS, GPUS))
        for image in (IMAGE, PAUSE):
            gpus.take_image(image)
            run("docker", "image", "rm", "--force", image)
        server.apply(project.path / "queue")
        key = tmp_path_factory.mktemp("key") / "ssh_host_ed25519_key"
        output("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
        made = Lab(server, gpus, project, li, key)
        for person in people_of(project):
            server.apply(project.path / "people" / person)
            made.make_host_key(person)
        yield made


@pytest.fixture(autouse=True)
def nobody_works(lab: Lab) -> Iterator[None]:
    yield
    lab.forget_jobs()


@contextmanager
def terminal(ssh: list[str], command: str, folder: Path) -> Iterator[Callable[[str], bool]]:
    """A terminal in which a command is typed, and no key from then on; says what it shows."""
    shown = folder / "shown"
    with (
        shown.open("w") as log,
        subprocess.Popen(
            [*ssh, "-tt"], stdin=subprocess.PIPE, stdout=log, stderr=log, text=True
        ) as process,
    ):
        print(command, file=process.stdin, flush=True)
        yield lambda text: text in shown.read_text()
        process.kill()


def test_a_pod_has_the_ids_of_its_person_and_the_memory_and_gpu_that_it_asks_for(
    lab: Lab, tmp_path: Path
) -> None:
    lab.start("li", "work")
    lab.ready("li", "work")
    with lab.login(f"service/li-{FORM}", tmp_path) as ssh:
        said = output(*ssh, "id -u; id -G; touch /AI/mine; stat -c %u /AI/mine").splitlines()
        assert said == [str(PERSON), f"{PERSON} {OF_THE_IMAGE}", str(PERSON)]
        shm = output(*ssh, "df --block-size=1M --output=size /dev/shm | tail -1")
        assert shm.strip() == "512"
        assert output(*ssh, "printenv NVIDIA_VISIBLE_DEVICES") == "GPU-0\n"


def test_at_its_deadline_a_program_in_a_terminal_saves_and_the_next_in_the_queue_starts(
    lab: Lab, tmp_path: Path
) -> None:
    def soon(pod: dict[str, Any], _container: dict[str, Any]) -> None:
        pod["activeDeadlineSeconds"] = 40

    lab.start("li", "work", change=soon)
    lab.ready("li", "work")
    lab.start("ai", "next")
    lab.work("saves").write_text(TRAINING)
    with (
        lab.login("job/work", tmp_path) as ssh,
        terminal(ssh, "bash /AI/saves", tmp_path) as shows,
    ):
        until(lab.work("training").exists)
        assert lab.waits("ai", "next")
        until(lambda: shows("This pod ends now. Programs got SIGTERM and have two minutes"))
        until(lambda: shows("closed by remote host"), 10)
    assert lab.ended("li", "work", 30)["reason"] == "DeadlineExceeded"
    assert lab.work("checkpoint").read_text() == "saved\n"
    lab.ready("ai", "next")
    assert lab.node.gpus["nvidia.com/gpu"].allocated[-2:] == ["GPU-0", "GPU-0"]


def test_a_session_ends_when_its_gpu_and_its_terminals_are_no_longer_used(
    lab: Lab, tmp_path: Path
) -> None:
    """In real time, though the kubelet looks more often."""

    def often(_pod: dict[str, Any], container: dict[str, Any]) -> None:
        container["livenessProbe"]["periodSeconds"] = 5

    lab.start("li", "work", change=often)
    lab.ready("li", "work")
    lab.start("ai", "next")
    load = lab.node.folder / "load"
    load.write_text("37\n")
    try:
        with (
            lab.login("job/work", tmp_path) as ssh,
            terminal(ssh, "exec 3</dev/nvidia0", tmp_path) as shows,
        ):
            time.sleep(75)
            assert not shows("Nobody has used this session")
            load.write_text("0\n")
            until(lambda: shows("Nobody has used this session for 1 min; it ends in 1 min"), 80)
            until(lambda: shows("This session ends within 2 min"), 80)
            until(lambda: shows("closed by remote host"), 30)
        assert lab.ended("li", "work", 30)["containerStatuses"][0]["state"]["terminated"]
        assert "Liveness probe failed: not in use for 2 min" in lab.kubectl("li", "get", "events")
        lab.ready("ai", "next")
    finally:
        load.write_text("0\n")


def test_training_saves_when_its_node_is_drained_and_starts_again(lab: Lab) -> None:
    lab.work("jobs").mkdir(exist_ok=True)
    lab.work("jobs/night").write_text(f"#!/bin/bash\nbash -c {quote(TRAINING)}\n")
    lab.work("jobs/night").chmod(0o755)
    lab.li.owns(lab.work("jobs"))
    lab.start("li", "night", f"{FORM}-train")
    until(lab.work("training").exists)
    lab.server.kubectl("drain", NODE, "--delete-emptydir-data", "--timeout=1m")
    assert lab.work("checkpoint").read_text() == "saved\n"
    lab.work("training").unlink()
    waiting = until(lambda: [p for p in lab.pods("li", "night") if not p["spec"].get("nodeName")])
    assert len(waiting) == 1
    lab.server.kubectl("uncordon", NODE)
    until(lab.work("training").exists)


def test_a_part_of_a_gpu_is_given_by_the_name_of_the_answer(
    lab: Lab, generate: Callable[..., CopierProject], tmp_path: Path
) -> None:
    """To a Deployment, which a person scales to 1 and to 0."""
    mig: dict[str, Any] = {"gpu_resource": "nvidia.com/mig-1g.5gb", "queue": "mig"}
    mig |= {"session_hours": 0, "idle_minutes": 0}
    mig |= {"people": {"zhao": lab.project.answers["people"]["li"]}}
    project = generate(**{**lab.project.answers, **mig})
    lab.server.apply(project.path / "queue")
    lab.server.apply(project.path / "people/zhao")
    lab.make_host_key("zhao")
    name = f"deployment/zhao-{FORM}"
    lab.kubectl("zhao", "scale", name, "--replicas=1")
    lab.server.kubectl("-n", "zhao", "wait", "--for=condition=Available", name, "--timeout=2m")
    with lab.login(name, tmp_path, "zhao") as ssh:
        assert output(*ssh, "printenv NVIDIA_VISIBLE_DEVICES") == "MIG-0\n"
    lab.kubectl("zhao", "scale", name, "--replicas=0")
    until(lambda: not lab.server.get("-n", "zhao", "pods")["items"])
