"""What Kueue itself makes of the queue, with Kubernetes' own controllers and scheduler.

Needs, on PATH or in the folder ``KUBEBUILDER_ASSETS``, what ``tests/test_api_server.py`` needs,
and beside it ``kube-controller-manager``, ``kube-scheduler`` and Kueue as ``manager``, built as
the template pins it (``CGO_ENABLED=0 go build -o manager ./cmd/kueue``). Nodes are objects: no
kubelet runs, and the tests write into the status of pods what it would. Kueue runs as in its pod,
with its ports 8081, 8082, 8443 and 9443.
"""

from __future__ import annotations

import base64
import re
import shutil
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from pytest_copier.plugin import CopierProject

from tests.answers import CLUSTER
from tests.test_api_server import (
    ApiServer,
    api_server,
    kueue_source,  # noqa: F401 (a fixture)
    people_of,
    program,
    running,
    until,
    with_kueue_from,
)
from tests.test_cluster import PEOPLE
from tests.test_generated import run

pytestmark = pytest.mark.full

GATE = "kueue.x-k8s.io/admission"
GPUS = {"turing": 1, "ampere": 2}
ANSWERS: dict[str, Any] = {
    **CLUSTER,
    "tf_versions": ["1.15.5", "2.16.1", "2.17.0"],
    "queue": "lab",
    "cluster_gpus": GPUS,
    "gpus_per_person": 1,
    "people": PEOPLE,
}
KUEUE = "kueue-system"
TO_NODES = "--kubelet-preferred-address-types=InternalIP"
CERTIFICATES = "tmp/k8s-webhook-server/serving-certs"


def address() -> str:
    """This machine's own, since endpoints of a Service must not be loopback's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        any_socket.connect(("192.0.2.1", 9))  # sends nothing
        host: str = any_socket.getsockname()[0]
        return host


def node(name: str, gpus: int) -> dict[str, Any]:
    labels = {"nvidia.com/gpu.family": name, "nvidia.com/cuda.driver-version.major": "580"}
    has = {"cpu": "64", "memory": "512Gi", "pods": "110", "nvidia.com/gpu": str(gpus)}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": {
            "capacity": has,
            "allocatable": has,
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


@dataclass(frozen=True)
class Control:
    """A control plane, and what kubelets would do on its nodes."""

    server: ApiServer
    address: str

    def kubelets(self) -> None:
        """Start the pods that are bound, and let go of those that are deleted."""
        for pod in self.server.get("pods", "--all-namespaces")["items"]:
            metadata, phase = pod["metadata"], pod["status"]["phase"]
            if metadata["namespace"] == KUEUE or "nodeName" not in pod["spec"]:
                continue
            if "deletionTimestamp" in metadata:
                if phase == "Running":
                    self.becomes(pod, "Failed")
                self.server.kubectl(
                    "-n", metadata["namespace"], "delete", "pod", metadata["name"],
                    "--force", "--grace-period=0", "--wait=false", "--ignore-not-found",
                )  # fmt: skip
            elif phase == "Pending":
                self.becomes(pod, "Running")

    def becomes(self, pod: dict[str, Any], phase: str, **more: str) -> None:
        ready = "True" if phase == "Running" else "False"
        conditions = [{"type": "Ready", "status": ready}]
        status = {"phase": phase, "podIP": self.address, "conditions": conditions, **more}
        metadata = pod["metadata"]
        self.server.kubectl(
            "-n", metadata["namespace"], "patch", "pod", metadata["name"],
            "--subresource=status", f"--patch={yaml.safe_dump({'status': status})}",
        )  # fmt: skip

    def until(self, what: Callable[[], Any], seconds: float = 60) -> Any:
        def lived() -> Any:
            self.kubelets()
            return what()

        return until(lived, seconds)


def front_proxy(folder: Path) -> list[str]:
    """Let the API server pass on, as itself, what Kueue's own API serves."""
    run(
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=front-proxy",
        "-keyout", "front.key", "-out", "front.crt", cwd=folder,
    )  # fmt: skip
    return [
        "--enable-aggregator-routing",  # to endpoints, without a kube-proxy
        f"--proxy-client-cert-file={folder}/front.crt",
        f"--proxy-client-key-file={folder}/front.key",
        f"--requestheader-client-ca-file={folder}/front.crt",
        "--requestheader-allowed-names=front-proxy",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
    ]


def run_kueue(control: Control, stack: ExitStack) -> None:
    """Run the pod of Kueue's manager: its command, with its files as its root directory."""
    server = control.server
    (pod,) = until(lambda: server.get("-n", KUEUE, "pods")["items"])
    (container,) = pod["spec"]["containers"]
    root = server.folder / "kueue"
    account = root / "var/run/secrets/kubernetes.io/serviceaccount"
    for folder in (account, root / "tmp", root / CERTIFICATES, root / "visibility"):
        folder.mkdir(parents=True)
    shutil.copy(program("manager"), root)
    config = server.get("-n", KUEUE, "configmap", "kueue-manager-config")["data"]
    for name, text in config.items():
        (root / name).write_text(text)
    name = pod["spec"]["serviceAccountName"]
    token = server.kubectl("-n", KUEUE, "create", "token", name, "--duration=8h")
    (account / "token").write_text(token.strip())
    (account / "namespace").write_text(KUEUE)
    shutil.copy(server.folder / "certs/apiserver.crt", account / "ca.crt")
    host, _, port = server.url.removeprefix("https://").partition(":")
    log = stack.enter_context(
        running(
            server.folder, "env", f"KUBERNETES_SERVICE_HOST={host}",
            f"KUBERNETES_SERVICE_PORT={port}", "unshare", "--map-root-user", f"--root={root}",
            *container["command"], *container["args"],
        )
    )  # fmt: skip
    secret = ["secret", "kueue-webhook-server-cert"]
    certificates = until(lambda: server.get("-n", KUEUE, *secret).get("data"))
    for file, content in certificates.items():
        (root / CERTIFICATES / file).write_bytes(base64.b64decode(content))
    ready = f"http://127.0.0.1:{container['readinessProbe']['httpGet']['port']}/readyz"
    try:
        until(lambda: answers(ready), 120)
    except AssertionError:
        raise AssertionError(log.read_text()[-5000:]) from None
    control.becomes(pod, "Running")


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


@contextmanager
def control_plane(folder: Path, kueue: Path, gpus: Mapping[str, int] = GPUS) -> Iterator[Control]:
    """Kubernetes with nodes that have GPUs, and Kueue, applied as the README says."""
    with ExitStack() as stack:
        server = stack.enter_context(api_server(folder, *front_proxy(folder), TO_NODES))
        common = [f"--kubeconfig={server.kubeconfig}", "--leader-elect=false", "--secure-port=0"]
        manager = [
            program("kube-controller-manager"), *common, "--node-monitor-grace-period=9h",
            f"--service-account-private-key-file={folder}/key",
            f"--root-ca-file={folder}/certs/apiserver.crt",
        ]  # fmt: skip
        stack.enter_context(running(folder, *manager))
        stack.enter_context(running(folder, program("kube-scheduler"), *common))
        nodes = [node(name, number) for name, number in gpus.items()]
        server.kubectl("create", "--validate=ignore", "-f", "-", given=yaml.safe_dump_all(nodes))
        server.kubectl("apply", "--server-side", "-k", kueue)
        control = Control(server, address())
        run_kueue(control, stack)
        server.kubectl("--namespace", KUEUE, "wait", "--for=condition=Available", "--timeout=1m",
                       "deployment/kueue-controller-manager")  # fmt: skip
        yield control


@pytest.fixture(scope="module")
def project(generate: Callable[..., CopierProject]) -> CopierProject:
    return generate(**ANSWERS)


@pytest.fixture(scope="module")
def control(
    project: CopierProject,
    kueue_source: Path,  # noqa: F811 (a fixture)
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Control]:
    kueue = with_kueue_from(kueue_source, project)
    with control_plane(tmp_path_factory.mktemp("control"), kueue) as control:
        control.server.apply(project.path / "queue")
        for person in people_of(project):
            control.server.apply(project.path / "people" / person)
        yield control


@dataclass(frozen=True)
class Lab:
    """People at work."""

    control: Control

    @property
    def server(self) -> ApiServer:
        return self.control.server

    def kubectl(self, person: str, *arguments: str, **more: Any) -> str:
        """What a person says, whom the API server knows by the name of the answers."""
        name = {"li": "li_"}.get(person, person)
        return self.server.kubectl(f"--as={name}", "-n", person, *arguments, **more)

    def scale(self, person: str, container: str, replicas: int) -> None:
        self.kubectl(person, "scale", f"deployment/{person}-{container}", f"--replicas={replicas}")

    def start(self, person: str, job: str, form: str) -> None:
        self.kubectl(person, "create", "job", job, f"--from=cronjob/{person}-{form}")

    def pods(self) -> dict[str, dict[str, Any]]:
        """The pods of people that have not ended, by their namespace and what they run."""
        return {
            f"{pod['metadata']['namespace']} {pod['metadata']['labels']['app']}": pod
            for pod in self.server.get("pods", "--all-namespaces", "--selector=person")["items"]
            if pod["status"]["phase"] in ("Pending", "Running")
        }

    def state(self) -> dict[str, str]:
        """The node where each pod runs, or that it waits at Kueue's gate."""
        found = {}
        for name, pod in self.pods().items():
            spec = pod["spec"]
            if {"name": GATE} in spec.get("schedulingGates", []):
                found[name] = "waits"
            elif pod["status"]["phase"] == "Running":
                assert spec["nodeSelector"] == {"nvidia.com/gpu.family": spec["nodeName"]}
                found[name] = spec["nodeName"]
            else:
                found[name] = "starts"
        return found

    def becomes(self, **state: str) -> None:
        """Wait until these pods are there, and no others, and each where it should be."""
        expected = {name.replace("__", " ").replace("_", "-"): at for name, at in state.items()}
        try:
            self.control.until(lambda: self.state() == expected, 30)
        except AssertionError:
            assert self.state() == expected  # says what is there instead

    def ends(self, name: str, phase: str, **more: str) -> None:
        """A pod ends by itself, as its kubelet would write."""
        self.control.becomes(self.pods()[name], phase, **more)


@pytest.fixture
def lab(control: Control) -> Lab:
    """Nobody holds a GPU."""
    lab = Lab(control)
    for person in ("ai", "li", "zhao"):
        lab.server.kubectl("-n", person, "scale", "deployment", "--all", "--replicas=0")
        lab.server.kubectl("-n", person, "delete", "job", "--all", "--wait=false")
    lab.becomes()
    return lab


def test_gpus_go_to_who_holds_the_fewest_and_nobody_is_ended_for_another(lab: Lab) -> None:
    lab.scale("li", "tf2-17-0", 1)
    lab.becomes(li__tf2_17_0="ampere")
    # one GPU of each generation, though another Ampere is free
    lab.scale("li", "tf2-16-1", 1)
    lab.becomes(li__tf2_17_0="ampere", li__tf2_16_1="turing")
    lab.scale("ai", "tf2-17-0", 1)
    busy = {"ai__tf2_17_0": "ampere", "li__tf2_17_0": "ampere"}
    lab.becomes(**busy, li__tf2_16_1="turing")
    first = lab.pods()
    lab.scale("ai", "tf1-15-5", 1)
    lab.becomes(**busy, li__tf2_16_1="turing", ai__tf1_15_5="waits")
    time.sleep(2)  # times of creation are in seconds
    lab.scale("zhao", "tf2-17-0", 1)
    lab.becomes(**busy, li__tf2_16_1="turing", ai__tf1_15_5="waits", zhao__tf2_17_0="waits")
    # zhao asked last, holds none and is next
    lab.scale("li", "tf2-16-1", 0)
    lab.becomes(**busy, zhao__tf2_17_0="turing", ai__tf1_15_5="waits")
    lab.scale("zhao", "tf2-17-0", 0)
    lab.becomes(**busy, ai__tf1_15_5="turing")
    for name in ("ai tf2-17-0", "li tf2-17-0"):
        assert lab.pods()[name]["metadata"]["uid"] == first[name]["metadata"]["uid"]


def test_training_waits_for_a_gpu_and_gives_it_back_by_ending(lab: Lab) -> None:
    for person in ("ai", "li"):
        lab.scale(person, "tf2-17-0", 1)
        lab.start(person, "other", "tf1-15-5-train")
    lab.control.until(lambda: len(lab.state()) == 3)
    lab.kubectl("li", "delete", "job", "other")
    busy = {"ai__tf2_17_0": "ampere", "ai__tf1_15_5_train": "turing"}
    lab.becomes(**busy, li__tf2_17_0="ampere")
    lab.start("zhao", "night", "tf2-17-0-train")
    reason = "insufficient unused quota for nvidia.com/gpu in flavor ampere"
    lab.control.until(lambda: reason in lab.kubectl("zhao", "get", "events"))
    assert lab.server.get("-n", "zhao", "job", "night")["spec"]["suspend"]
    lab.scale("li", "tf2-17-0", 0)
    lab.becomes(**busy, zhao__tf2_17_0_train="ampere")
    lab.scale("li", "tf2-17-0", 1)
    lab.becomes(**busy, zhao__tf2_17_0_train="ampere", li__tf2_17_0="waits")
    lab.ends("zhao tf2-17-0-train", "Succeeded")
    lab.becomes(**busy, li__tf2_17_0="ampere")


def test_training_that_failed_stays_to_be_read(lab: Lab) -> None:
    """Though the CronJob, which made none of them, counts them as its own."""
    for job in ("first", "second"):
        lab.start("zhao", job, "tf2-17-0-train")
        lab.becomes(zhao__tf2_17_0_train="ampere")
        lab.ends("zhao tf2-17-0-train", "Failed")
        lab.kubectl("zhao", "wait", "--for=condition=Failed", f"job/{job}", "--timeout=30s")
    time.sleep(3)  # it would be deleted at once
    assert len(lab.server.get("-n", "zhao", "jobs")["items"]) == 2


def test_a_job_that_names_no_queue_does_not_start(lab: Lab) -> None:
    form = ["--from=cronjob/li-tf2-17-0-train", "--dry-run=client", "--output=yaml"]
    job = yaml.safe_load(lab.kubectl("li", "create", "job", "beside", *form))
    del job["metadata"]["labels"]
    lab.kubectl("li", "create", "-f", "-", given=yaml.safe_dump(job))
    lab.kubectl("li", "wait", "--for=condition=Suspended", "job/beside", "--timeout=30s")
    lab.start("li", "night", "tf2-17-0-train")
    lab.becomes(li__tf2_17_0_train="ampere")
    (pod,) = lab.pods().values()
    assert pod["metadata"]["labels"]["batch.kubernetes.io/job-name"] == "night"


def test_who_leaves_leaves_nothing_and_can_come_back(lab: Lab, project: CopierProject) -> None:
    lab.scale("li", "tf2-17-0", 1)
    lab.scale("li", "tf1-15-5", 1)
    lab.becomes(li__tf2_17_0="ampere", li__tf1_15_5="turing")
    lab.start("li", "waiting", "tf2-17-0-train")
    readme = (project.path / "README.md").read_text().replace("alice", "li")
    (look,) = re.findall(r"^kubectl (get .* --selector person=li)$", readme, re.MULTILINE)
    (first, then) = re.findall(
        r"^kubectl (delete namespace li) && kubectl (delete .*)$", readme, re.MULTILINE
    )[0]
    lab.control.until(lambda: "job.batch/waiting" in lab.server.kubectl(*look.split()))
    lab.server.kubectl(*first.split(), "--wait=false")
    lab.control.until(lambda: "li " not in lab.server.kubectl("get", "namespaces"))
    lab.server.kubectl(*then.split())
    assert "No resources found" in lab.server.kubectl(*look.split())
    for kind in ("workloads", "localqueues", "clusterqueues"):
        names = lab.server.kubectl("get", kind, "--all-namespaces", "--output=name")
        assert not re.search(r"/li-|night", names)
    lab.server.apply(project.path / "queue")
    lab.server.apply(project.path / "people/li")
    lab.scale("li", "tf2-17-0", 1)
    lab.becomes(li__tf2_17_0="ampere")


def test_a_session_that_ends_gives_its_gpu_to_who_waits(
    lab: Lab, generate: Callable[..., CopierProject]
) -> None:
    """Its end is the kubelet's work: after its time, or when the probe finds nobody in it."""
    project = generate(**ANSWERS, session_hours=12, idle_minutes=60)
    for person in people_of(project):
        lab.server.apply(project.path / "people" / person)
    for person in ("ai", "li", "zhao"):
        lab.start(person, "work", "tf2-17-0")
    lab.start("ai", "older", "tf1-15-5")
    lab.control.until(lambda: sorted(lab.state().values()) == ["ampere", "ampere", "turing"])
    on_turing = next(name for name, at in lab.state().items() if at == "turing")
    assert lab.pods()["ai tf2-17-0"]["spec"]["activeDeadlineSeconds"] == 12 * 3600
    lab.ends(on_turing, "Failed", reason="DeadlineExceeded")
    lab.control.until(lambda: lab.state().get("ai tf1-15-5") == "turing")
    lab.kubectl(on_turing.split()[0], "wait", "--for=condition=Failed", "job/work",
                "--timeout=30s")  # fmt: skip
