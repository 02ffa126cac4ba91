"""What a real API server makes of the manifests.

Needs ``etcd`` and ``kube-apiserver`` on PATH or in ``KUBEBUILDER_ASSETS``, where the command
``setup-envtest use --print path`` of controller-runtime puts them. Kueue's own manifests come
from GitHub, or from the clone ``KUEUE_SOURCE``. No controller runs: nothing happens but what is
applied.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from pytest_copier.plugin import CopierProject

from extensions import catalogue
from tests.answers import CLUSTER
from tests.support import ROOT
from tests.test_cluster import NEWEST_FOUR, PEOPLE, of_kind, pods
from tests.test_generated import run, tool
from tests.test_queue import SCHEMAS

pytestmark = pytest.mark.full

QUEUE = {"queue": "lab", "cluster_gpus": {"turing": 1, "ampere": 4}, "people": PEOPLE}
SESSIONS = {"session_hours": 12, "idle_minutes": 60, "people": PEOPLE}
CASES: dict[str, dict[str, Any]] = {
    "people": {"people": PEOPLE},
    "every release": {"tf_versions": list(catalogue.releases()), "gpus_per_person": 99},
    "a part of a GPU": {"gpu_resource": "nvidia.com/mig-1g.10gb", "people": PEOPLE},
    "sessions": SESSIONS,
    "queue": QUEUE,
    "queue and sessions": {**QUEUE, **SESSIONS},
}
KUEUE = "template/cluster/{% if queue %}queue{% endif %}/kueue/kustomization.yaml"


def program(name: str) -> str:
    """The path of one of Kubernetes' programs; skips where it is not there."""
    folders = [os.environ.get("KUBEBUILDER_ASSETS", ""), *os.environ["PATH"].split(os.pathsep)]
    found = shutil.which(name, path=os.pathsep.join(filter(None, folders)))
    if found is None:
        pytest.skip(f"there is no {name}; put it into the folder KUBEBUILDER_ASSETS")
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def running(folder: Path, *command: str) -> Iterator[Path]:
    """Run a program beside the tests; yields its log."""
    log = folder / f"{Path(command[0]).name}.log"
    with log.open("w") as written:
        process = subprocess.Popen(command, cwd=folder, stdout=written, stderr=written)
        try:
            yield log
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def until(what: Callable[[], Any], seconds: float = 60) -> Any:
    """Return what something gives as soon as that is true; it fails after so many seconds."""
    end = time.monotonic() + seconds
    while not (value := what()):
        assert time.monotonic() < end, what
        time.sleep(0.2)
    return value


@dataclass(frozen=True)
class ApiServer:
    """A real API server, and kubectl as its administrator."""

    folder: Path
    url: str

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    def kubectl(
        self, *arguments: str | Path, given: str = "", fails: bool = False, cwd: Path | None = None
    ) -> str:
        """Run kubectl; return all it prints."""
        done = subprocess.run(
            [tool("kubectl"), f"--kubeconfig={self.kubeconfig}", *map(str, arguments)],
            input=given, capture_output=True, text=True, cwd=cwd or self.folder,
        )  # fmt: skip
        assert bool(done.returncode) == fails, (arguments, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def get(self, *arguments: str) -> Any:
        return json.loads(self.kubectl("get", "--output=json", *arguments))

    def apply(self, folder: Path, *options: str) -> list[str]:
        """Apply a folder; return a line for each object."""
        return self.kubectl("apply", *options, "-k", folder).splitlines()

    def forget(self, people: list[str], *, cluster_wide: tuple[str, ...] = ()) -> None:
        """Delete what was applied for people; no controller lets go of it."""
        kinds = ["deployment", "service", "job", "cronjob", "pvc", "configmap", "role"]
        kinds += ["rolebinding", "resourcequota"]
        gone = ["--wait=false", "--ignore-not-found"]
        for person in people:
            self.kubectl("-n", person, "delete", ",".join(kinds), "--all", *gone)
            for kind in ("pv", *cluster_wide):
                self.kubectl("delete", kind, f"--selector=person={person}", *gone)
            for kind in ("pv", "pvc"):
                for each in self.get("-n", person, kind, f"--selector=person={person}")["items"]:
                    self.kubectl(
                        "-n", person, "patch", kind, each["metadata"]["name"], "--type=merge",
                        '--patch={"metadata": {"finalizers": null}}',
                    )  # fmt: skip


CONFIG = """\
apiVersion: v1
kind: Config
clusters: [{{name: a, cluster: {{server: "{url}", insecure-skip-tls-verify: true}}}}]
users: [{{name: a, user: {{token: admin}}}}]
contexts: [{{name: a, context: {{cluster: a, user: a}}}}]
current-context: a
"""


@contextmanager
def api_server(folder: Path, *options: str) -> Iterator[ApiServer]:
    """An API server with an etcd of its own, both on this machine alone."""
    etcd, peer, port = free_port(), free_port(), free_port()
    (folder / "tokens").write_text('admin,admin,1,"system:masters"\n')
    run("openssl", "genrsa", "-out", "key", "2048", cwd=folder)
    server = ApiServer(folder, f"https://127.0.0.1:{port}")
    server.kubeconfig.write_text(CONFIG.format(url=server.url))
    stores = [f"http://127.0.0.1:{etcd}", f"http://127.0.0.1:{peer}"]
    with ExitStack() as stack:
        stack.enter_context(
            running(
                folder, program("etcd"), f"--data-dir={folder}/etcd", "--unsafe-no-fsync",
                f"--listen-client-urls={stores[0]}", f"--advertise-client-urls={stores[0]}",
                f"--listen-peer-urls={stores[1]}", f"--initial-advertise-peer-urls={stores[1]}",
                f"--initial-cluster=default={stores[1]}",
            )
        )  # fmt: skip
        log = stack.enter_context(
            running(
                folder, program("kube-apiserver"), f"--etcd-servers={stores[0]}",
                f"--secure-port={port}", "--bind-address=127.0.0.1", f"--cert-dir={folder}/certs",
                f"--token-auth-file={folder}/tokens", "--authorization-mode=RBAC",
                "--service-cluster-ip-range=10.96.0.0/16", "--allow-privileged=true",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-account-key-file={folder}/key",
                f"--service-account-signing-key-file={folder}/key", *options,
            )
        )  # fmt: skip

        def ready() -> bool:
            """The schemas come a little later than the server's own word."""
            ask = [tool("kubectl"), f"--kubeconfig={server.kubeconfig}", "get", "--raw"]
            asked = ("/readyz", "/openapi/v2", "/openapi/v3/apis/apps/v1")
            return not any(subprocess.run([*ask, p], capture_output=True).returncode for p in asked)

        try:
            until(ready, 180)
        except AssertionError:
            raise AssertionError(log.read_text()[-5000:]) from None
        yield server


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server without controllers: nothing but what people apply happens."""
    without = "--disable-admission-plugins=ServiceAccount"
    with api_server(tmp_path_factory.mktemp("alone"), without) as server:
        yield server


@pytest.fixture(scope="session")
def kueue_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kueue's repository at the commit that the template names."""
    folder = tmp_path_factory.mktemp("kueue")
    (commit,) = re.findall("ref=([0-9a-f]{40})", (ROOT / KUEUE).read_text())
    source = os.environ.get("KUEUE_SOURCE", "https://github.com/kubernetes-sigs/kueue")
    run("git", "init", "--quiet", cwd=folder)
    fetch = ["git", "-c", "uploadpack.allowAnySHA1InWant=true", "fetch", "--quiet", "--depth=1"]
    done = subprocess.run([*fetch, source, commit], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"{source} is not reached; clone it and name the folder in KUEUE_SOURCE")
    run("git", "checkout", "--quiet", "FETCH_HEAD", "--", "config", cwd=folder)
    return folder


def with_kueue_from(source: Path, project: CopierProject) -> Path:
    """Return queue/kueue of a project, with Kueue's manifests from a folder."""
    folder = project.path / "queue/kueue"
    file = folder / "kustomization.yaml"
    local = os.path.relpath(source / "config/default", folder)
    file.write_text(re.sub(r"https://\S+", local, file.read_text()))
    return folder


@pytest.fixture(scope="module", params=CASES)
def project(request: pytest.FixtureRequest, generate: Callable[..., CopierProject]) -> Any:
    return generate(**{**CLUSTER, **CASES[request.param]})


def people_of(project: CopierProject) -> list[str]:
    return sorted(path.name for path in (project.path / "people").iterdir())


def versions_of(server: ApiServer, folder: Path) -> list[str]:
    """The version of each object of a folder: it changes with every write."""
    listed = server.get("-k", str(folder))
    return [each["metadata"]["resourceVersion"] for each in listed["items"]]


@pytest.fixture(scope="module")
def with_crds(alone: ApiServer, kueue_source: Path) -> ApiServer:
    """An API server that knows Kueue's objects, by Kueue's own definitions."""
    alone.apply(kueue_source / "config/components/crd", "--server-side")
    alone.kubectl("wait", "--for=condition=Established", "crd", "--all")
    return alone


@pytest.fixture
def server(project: CopierProject, request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue("with_crds" if project.answers["queue"] else "alone")


def test_a_second_apply_changes_nothing_on_either_side(
    project: CopierProject, server: ApiServer
) -> None:
    folders = [project.path / "people" / person for person in people_of(project)]
    if project.answers["queue"]:
        folders.insert(0, project.path / "queue")
    try:
        for folder in folders:
            first = server.apply(folder, "--validate=strict")
            said = r"[a-z.0-9-]+/\S+ (created|configured|unchanged)"
            assert [line for line in first if not re.fullmatch(said, line)] == []  # no warning
            again = server.apply(folder, "--validate=strict")
            assert {line.rpartition(" ")[2] for line in again} == {"unchanged"}
            server.kubectl("diff", "-k", folder)
            server.apply(folder, "--server-side")  # no conflict with what came before
            before = versions_of(server, folder)
            server.apply(folder, "--server-side")
            assert versions_of(server, folder) == before
            server.kubectl("diff", "--server-side", "-k", folder)
    finally:
        wide = ("clusterqueue",) if project.answers["queue"] else ()
        server.forget(people_of(project), cluster_wide=wide)


def test_every_pod_is_admitted_where_pods_that_could_be_root_are_refused(
    project: CopierProject, server: ApiServer
) -> None:
    folder = project.path / "people/ai"
    objects = list(yaml.safe_load_all(server.kubectl("kustomize", folder)))
    namespaces = [*of_kind(objects, "Namespace").values()]
    server.kubectl("apply", "-f", "-", given=yaml.safe_dump_all(namespaces))
    metadata = {"namespace": "ai", "generateName": "a-"}
    head = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}
    specs = [*pods(objects)]
    for form in of_kind(objects, "CronJob").values():
        specs.append(form["spec"]["jobTemplate"]["spec"]["template"]["spec"])
    sent = [{**head, "spec": {"restartPolicy": "Always", **spec}} for spec in specs]
    said = server.kubectl(
        "create", "--dry-run=server", "--validate=strict", "-f", "-",
        given=yaml.safe_dump_all(sent),
    )  # fmt: skip
    assert said.count(" created (server dry run)") == len(sent) and "Warning" not in said
    root = {**specs[0], "securityContext": {}}
    refused = server.kubectl(
        "create", "--dry-run=server", "-f", "-", given=yaml.safe_dump({**head, "spec": root}),
        fails=True,
    )  # fmt: skip
    assert "violates PodSecurity" in refused


@pytest.fixture(scope="module")
def people(alone: ApiServer, generate: Callable[..., CopierProject]) -> Iterator[CopierProject]:
    """A cluster with people, applied."""
    project = generate(**CLUSTER, people=PEOPLE)
    for person in people_of(project):
        alone.apply(project.path / "people" / person)
    yield project
    alone.forget(people_of(project))


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("get pods", "yes"),
        ("get pods --subresource=log", "yes"),
        ("create pods --subresource=portforward", "yes"),
        ("patch deployments --subresource=scale", "yes"),
        ("patch deployments", "no"),
        ("create pods", "no"),
        ("create pods --subresource=exec", "no"),
        ("get secrets", "no"),
        ("get pods --namespace=ai", "no"),
        ("get persistentvolumes", "no"),
        ("create jobs", "no"),
    ],
)
def test_the_role_lets_a_person_do_this_and_no_more(
    alone: ApiServer,
    people: CopierProject,  # noqa: ARG001 (applied)
    question: str,
    answer: str,
) -> None:
    can = ["auth", "can-i", "--namespace=li", "--as=li_", *question.split()]
    assert alone.kubectl(*can, fails=answer == "no").split()[0] == answer


def test_a_person_scales_her_deployment_and_cannot_become_another(
    alone: ApiServer,
    people: CopierProject,  # noqa: ARG001 (applied)
) -> None:
    hers = ["--as=li_", "--namespace=li"]
    alone.kubectl(*hers, "scale", "deployment/li-tf2-17-0", "--replicas=1")
    assert alone.get(*hers, "deployment", "li-tf2-17-0")["spec"]["replicas"] == 1
    change = '{"spec": {"template": {"spec": {"securityContext": {"runAsUser": 1002}}}}}'
    said = alone.kubectl(*hers, "patch", "deployment/li-tf2-17-0", f"--patch={change}", fails=True)
    assert "forbidden" in said
    alone.kubectl("--as=li_", "--namespace=ai", "scale", "deployment/ai-tf2-17-0",
                  "--replicas=0", fails=True)  # fmt: skip


def test_more_gpus_than_a_person_may_hold_are_refused(
    alone: ApiServer,
    people: CopierProject,  # noqa: ARG001 (applied)
) -> None:
    quota = alone.get("-n", "li", "resourcequota", "li-gpus")["spec"]["hard"]
    status = {"status": {"hard": quota, "used": dict.fromkeys(quota, "0")}}  # its controller's work
    alone.kubectl("-n", "li", "patch", "resourcequota", "li-gpus", "--subresource=status",
                  "--type=merge", f"--patch={json.dumps(status)}")  # fmt: skip
    template = alone.get("-n", "li", "deployment", "li-tf2-17-0")["spec"]["template"]
    pod = {"apiVersion": "v1", "kind": "Pod", "spec": template["spec"]}
    texts = [
        yaml.safe_dump({**pod, "metadata": {"name": f"p{n}", "namespace": "li"}}) for n in range(3)
    ]
    for text in texts[:2]:
        alone.kubectl("create", "-f", "-", given=text)
    said = alone.kubectl("create", "-f", "-", given=texts[2], fails=True)
    assert "exceeded quota: li-gpus, requested: requests.nvidia.com/gpu=1, used:" in said
    alone.kubectl("-n", "li", "delete", "pod", "p0", "p1", "--force")


def test_a_session_is_a_job_that_a_person_makes_of_its_form(
    alone: ApiServer, generate: Callable[..., CopierProject]
) -> None:
    project = generate(**CLUSTER, **SESSIONS)
    alone.apply(project.path / "people/li")
    hers = ["--as=li_", "--namespace=li"]
    try:
        alone.kubectl(*hers, "create", "job", "work", "--from=cronjob/li-tf2-17-0")
        job = alone.get(*hers, "job", "work")["spec"]["template"]["spec"]
        assert job["activeDeadlineSeconds"] == 12 * 3600
        said = alone.kubectl(
            *hers, "patch", "cronjob/li-tf2-17-0", '--patch={"spec": {"suspend": false}}',
            fails=True,
        )  # fmt: skip
        assert "forbidden" in said
        alone.kubectl(*hers, "delete", "job", "work", "--wait=false")
    finally:
        alone.forget(["li"])


def test_kueue_itself_is_taken_by_the_api_server_as_the_readme_applies_it(
    with_crds: ApiServer, kueue_source: Path, generate: Callable[..., CopierProject]
) -> None:
    folder = with_kueue_from(kueue_source, generate(**CLUSTER, **QUEUE))
    with_crds.kubectl("create", "namespace", "kueue-system")
    made = with_crds.apply(folder, "--server-side", "--dry-run=server", "--force-conflicts")
    assert any(line.startswith("customresourcedefinition") for line in made)
    objects = list(yaml.safe_load_all(with_crds.kubectl("kustomize", folder)))
    config = of_kind(objects, "ConfigMap")["kueue-manager-config"]["data"]
    assert "fairSharing" in config["controller_manager_config.yaml"]
    (manager,) = of_kind(objects, "Deployment").values()
    (container,) = manager["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.k8s.io/kueue/kueue:v0.19.2"


def fits_in(summary: dict[str, Any], schema: dict[str, Any], where: str) -> None:
    """Fail where a schema does not take all that its summary takes."""
    if "$ref" in summary:
        summary = SCHEMAS["$defs"][summary["$ref"].rpartition("/")[2]]
    if summary.get("type") in ("object", "array"):
        assert summary["type"] == schema["type"], where
    for limit in {"maxItems", "maxLength"} & schema.keys():
        assert summary[limit] <= schema[limit], where
    assert {*schema.get("required", [])} <= {*summary.get("required", [])}, where
    for name, each in summary.get("properties", {}).items():
        if name != "metadata":
            fits_in(each, schema["properties"][name], f"{where}.{name}")
    if "items" in summary:
        fits_in(summary["items"], schema["items"], f"{where}[]")


@pytest.mark.parametrize("kind", sorted(SCHEMAS.keys() - {"$defs"}))
def test_our_summary_of_kueue_s_api_is_a_part_of_it(kueue_source: Path, kind: str) -> None:
    folder = kueue_source / "config/components/crd/bases"
    definition = yaml.safe_load((folder / f"kueue.x-k8s.io_{kind.lower()}s.yaml").read_text())
    (version,) = [v for v in definition["spec"]["versions"] if v["storage"]]
    assert version["name"] == "v1beta2"
    fits_in(SCHEMAS[kind], version["schema"]["openAPIV3Schema"], kind)


def test_the_api_server_is_one_whose_schemas_the_other_tests_use(alone: ApiServer) -> None:
    told = json.loads(alone.kubectl("version", "--output=json"))["serverVersion"]
    minor = f"{told['major']}.{told['minor'].rstrip('+')}"
    assert minor in {".".join(version.split(".")[:2]) for version in NEWEST_FOUR}
