"""What a cluster gets: sound manifests that grant nothing, and a person's file of its own."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml
from kubernetes_validate.utils import all_versions  # type: ignore[import-untyped]
from packaging.version import Version
from pytest_copier.plugin import CopierProject

from extensions import catalogue
from extensions.questions.people import namespace_of
from tests.answers import CLUSTER
from tests.releases import ANSWERS_FILE, Repository
from tests.support import ROOT, missing
from tests.test_generated import YAMLLINT, files, groups, run, tool

CASES: dict[str, dict[str, Any]] = {
    "the article's containers": {},
    "every release": {"tf_versions": list(catalogue.releases())},
    "every release, shared": {
        "tf_versions": list(catalogue.releases()),
        "containers": "per-cuda",
        "language": "zh",
    },
    "odd paths on the node": {
        "storage": "hostPath",
        "nfs_server": "",
        "host_home": "/data/my lab/a=i & co",
        "conda_path": "/data/my lab/100% conda; [x]",
        "project_path": "/data/李/{projects}, *new*",
    },
    "odd paths on NFS, for an odd name": {
        "nfs_server": "[fd00::17]",
        "host_home": "/data/my lab/a=i & co -",
        "conda_path": "/data/my lab/a=i & co -/- conda, {x}",
        "project_path": "/data/李, !important",
        "user": "_2li_",
        "uid": 2147483647,
        "gid": 100,
    },
    "a company network": {
        "proxy": "http://proxy.example.com:3128",
        "no_proxy": ".example.com,10.0.0.0/8",
        "registry": "registry.example.com:5000/hub",
        "image_registry": "registry.example.com:5000/tensorflow",
        "image_tag": "2",
    },
}

_LABEL = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_HOST = rf"{_LABEL}(\.{_LABEL})*(:[0-9]+)?"
_WORD = "[a-z0-9]+((__?|-+)[a-z0-9]+)*"
IMAGE = rf"({_HOST}|{_WORD})(/{_WORD}(\.{_WORD})*)+:\w[\w.-]{{0,127}}"
"""What https://github.com/distribution/reference takes for an image."""

NEWEST_FOUR = sorted(set(all_versions()), key=Version)[-4:]


def kustomize(folder: Path) -> list[dict[str, Any]]:
    """The objects that `kubectl apply -k` would send, by the real kubectl."""
    return list(yaml.safe_load_all(run(tool("kubectl"), "kustomize", str(folder), cwd=folder)))


def of_kind(objects: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each for each in objects if each["kind"] == kind}


def pods(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each["spec"]["template"]["spec"] for each in of_kind(objects, "Deployment").values()]


def containers_of(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod["initContainers"], *pod["containers"]]


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def project(case: str, generate: Callable[..., CopierProject]) -> CopierProject:
    return generate(**{**CLUSTER, **CASES[case]})


@pytest.fixture(scope="module")
def person(project: CopierProject) -> str:
    """The first person."""
    return namespace_of(project.answers["user"])


@pytest.fixture(scope="module")
def objects(project: CopierProject, person: str) -> list[dict[str, Any]]:
    """What the first person gets."""
    return kustomize(project.path / "people" / person)


def test_the_directory_has_exactly_its_files(project: CopierProject, person: str) -> None:
    expected = {ANSWERS_FILE, ".gitignore", "README.md", "ssh_config"}
    expected |= {f"people/{person}/kustomization.yaml", "images/certs/.gitkeep"}
    expected |= {f"base/{name}.yaml" for name in ("kustomization", "namespace", "pod", "storage")}
    expected |= {"base/environments/new.sh", "compose.yml"}
    expected |= {"images/init_env1.sh", "images/init_env2.sh", "images/container/sshd_config"}
    expected |= {f"images/container/{name}.sh" for name in ("conda", "health", "start")}
    for name in groups(project):
        expected |= {f"base/{name}.yaml", f"images/{name}/Dockerfile"}
    if any(group.toolkit.codename == "bionic" for group in groups(project).values()):
        expected |= {"images/editors/glibc.sh", "images/editors/patchelf.sh"}
    for version in project.answers["tf_versions"]:
        if catalogue.releases()[version].requirement:
            expected.add(f"base/environments/tf{version}.yml")
    assert set(files(project)) == expected


def test_no_file_has_leftovers_of_its_template(project: CopierProject) -> None:
    for name, text in files(project).items():
        if not name.endswith(".gitkeep"):
            assert re.search(r"\A\S[\s\S]*\S\n\Z", text), name
            assert not re.search(r"\n\n\n|[ \t]$|\t|\{%|%\}|\{#|\{\{", text, re.MULTILINE), name


def test_yamllint_finds_nothing(project: CopierProject) -> None:
    run(tool("yamllint"), "--strict", "-d", YAMLLINT, ".", cwd=project.path)


def test_compose_builds_every_image_under_the_name_that_the_pods_pull(
    project: CopierProject, objects: list[dict[str, Any]]
) -> None:
    if not shutil.which("docker"):
        missing("Docker Compose is not installed")
    config = ["docker", "compose", "config", "--format", "json"]
    understood = json.loads(run(*config, cwd=project.path))
    assert understood["name"] == project.answers["host"]
    built = understood["services"]
    pulled = {each["image"] for pod in pods(objects) for each in containers_of(pod)}
    assert {service["image"] for service in built.values()} == pulled
    for name, service in built.items():
        assert service["image"].startswith(f"{project.answers['image_registry']}/{name}:")
        assert re.fullmatch(IMAGE, service["image"])
        assert len(service["image"].rpartition(":")[0]) <= 255
        assert service["build"]["dockerfile"] == f"{name}/Dockerfile"


def test_the_images_are_those_of_a_host(
    case: str, project: CopierProject, generate: Callable[..., CopierProject]
) -> None:
    answers = {**CLUSTER, **CASES[case], "kind": "host", "driver": "", "gpus": []}
    of_a_host = files(generate(**answers))
    for name, text in files(project).items():
        if name.startswith("images/"):
            assert text == of_a_host[name], name
        if name.startswith("base/environments/"):
            assert text == of_a_host[name.removeprefix("base/")]
    assert files(project)["ssh_config"] == of_a_host["ssh_config"]


@pytest.mark.parametrize("version", NEWEST_FOUR)
def test_every_object_fits_the_strict_schema_of_kubernetes(
    objects: list[dict[str, Any]], version: str
) -> None:
    for each in objects:
        kubernetes_validate.validate(each, version, strict=True)


def test_a_misspelt_field_would_not_fit(objects: list[dict[str, Any]]) -> None:
    """That is, the test above can fail."""
    (pod, *_) = pods(objects)
    spec = {"containers": [], "runAsNonRoots": True, **pod}
    misspelt = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": spec}
    with pytest.raises(kubernetes_validate.ValidationError, match="runAsNonRoots"):
        kubernetes_validate.validate(misspelt, NEWEST_FOUR[-1], strict=True)


def test_no_pod_is_root_has_a_capability_or_could_gain_one(
    project: CopierProject, objects: list[dict[str, Any]]
) -> None:
    """What https://kubernetes.io/docs/concepts/security/pod-security-standards calls restricted."""
    answers = project.answers
    for pod in pods(objects):
        assert pod["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": answers["uid"],
            "runAsGroup": answers["gid"],
            "fsGroup": answers["gid"],
            "supplementalGroups": [answers["gid"]],
            "seccompProfile": {"type": "RuntimeDefault"},
            "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}],
        }
        assert not {"hostNetwork", "hostPID", "hostIPC", "serviceAccountName"} & pod.keys()
        assert pod["automountServiceAccountToken"] is False
        for container in containers_of(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            }
            assert not any("hostPort" in port for port in container.get("ports", []))
        kinds = {kind for volume in pod["volumes"] for kind in volume.keys() - {"name"}}
        assert kinds == {"persistentVolumeClaim", "configMap", "secret", "emptyDir"}
    (namespace,) = of_kind(objects, "Namespace").values()
    assert namespace["metadata"]["labels"] == {"pod-security.kubernetes.io/enforce": "restricted"}


def test_a_pod_asks_for_one_gpu_that_its_releases_run_on(
    project: CopierProject, person: str, objects: list[dict[str, Any]]
) -> None:
    labels = {"ada": "ada-lovelace"}
    for name, group in groups(project).items():
        deployment = of_kind(objects, "Deployment")[f"{person}-{name.replace('.', '-')}"]
        pod = deployment["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert container["resources"] == {"limits": {"nvidia.com/gpu": 1}}
        assert pod["hostname"] == name.replace(".", "-")  # not the pod's, which is new each time
        node = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        (term,) = node["nodeSelectorTerms"]
        possible = [labels.get(g, g) for g in group.releases[0].gpus.possible]
        too_old = int(group.toolkit.driver.split(".")[0]) - 1
        assert term["matchExpressions"] == [
            {"key": "nvidia.com/gpu.family", "operator": "In", "values": possible},
            {"key": "nvidia.com/cuda.driver.major", "operator": "Gt", "values": [str(too_old)]},
        ]
        assert deployment["spec"]["strategy"] == {"type": "Recreate"}


def test_a_service_has_the_port_of_the_ledger_and_finds_its_pod_and_no_other(
    project: CopierProject, person: str, objects: list[dict[str, Any]]
) -> None:
    services, deployments = of_kind(objects, "Service"), of_kind(objects, "Deployment")
    assert services.keys() == deployments.keys()
    selectors = [service["spec"]["selector"] for service in services.values()]
    assert len({str(selector) for selector in selectors}) == len(services)
    for name, group in groups(project).items():
        service = services[f"{person}-{name.replace('.', '-')}"]["spec"]
        template = deployments[f"{person}-{name.replace('.', '-')}"]["spec"]["template"]
        assert template["metadata"]["labels"] == service["selector"]
        assert service["type"] == "LoadBalancer"
        port = int(project.answers["ports"][group.entry])
        assert service["ports"] == [{"name": "ssh", "port": port, "targetPort": 22}]


def test_names_are_labels_of_rfc_1035(objects: list[dict[str, Any]]) -> None:
    for each in objects:
        assert re.fullmatch("[a-z]([-a-z0-9]{0,61}[a-z0-9])?", each["metadata"]["name"])


def test_mounts_are_where_a_host_has_them_and_come_from_the_answered_storage(
    project: CopierProject, person: str, objects: list[dict[str, Any]]
) -> None:
    answers = project.answers
    volumes = of_kind(objects, "PersistentVolume")
    paths = {"home": "host_home", "conda": "conda_path", "project": "project_path"}
    for name, question in paths.items():
        source = {"path": answers[question], "type": "Directory"}
        if answers["storage"] == "nfs":
            source = {"path": answers[question], "server": answers["nfs_server"]}
        assert volumes[f"{person}-{name}"]["spec"][answers["storage"]] == source
        claim = of_kind(objects, "PersistentVolumeClaim")[f"{person}-{name}"]["spec"]
        assert claim["volumeName"] == f"{person}-{name}"
        assert claim["storageClassName"] == ""
    for pod in pods(objects):
        (container,) = pod["containers"]
        mounts = {m["mountPath"]: (m["name"], m.get("readOnly")) for m in container["volumeMounts"]}
        assert mounts[answers["host_home"]] == ("home", True)
        assert mounts[answers["conda_path"]] == ("conda", None)
        assert mounts["/AI"] == ("project", None)
        assert mounts["/environments"] == ("environments", True)


def test_no_secret_is_in_the_directory(
    project: CopierProject, objects: list[dict[str, Any]]
) -> None:
    assert not of_kind(objects, "Secret")
    for pod in pods(objects):
        (secret,) = [volume for volume in pod["volumes"] if "secret" in volume]
        assert secret["secret"] == {"secretName": "ssh-host-key", "defaultMode": 0o440}
    assert not any("PRIVATE KEY" in text for text in files(project).values())


def test_nobody_holds_a_gpu_but_by_the_first_person_s_one(
    project: CopierProject, person: str, objects: list[dict[str, Any]]
) -> None:
    base = of_kind(kustomize(project / "base"), "Deployment").values()
    assert {each["spec"]["replicas"] for each in base} == {0}
    newest = list(groups(project))[-1].replace(".", "-")
    held = [n for n, d in of_kind(objects, "Deployment").items() if d["spec"]["replicas"]]
    assert held == [f"{person}-{newest}"]


def test_a_colleague_is_one_copied_file_that_collides_with_nobody(
    generate: Callable[..., CopierProject],
) -> None:
    project = generate(**CLUSTER)
    first = (project / "people/ai/kustomization.yaml").read_text()
    copy = first.replace(" ai\n", " li\n").replace(" ai-\n", " li-\n")
    copy = copy.replace("value: 1000", "value: 1001").replace("/home/ai", "/home/li")
    (project / "people/li").mkdir()
    (project / "people/li/kustomization.yaml").write_text(copy)

    ours, theirs = (kustomize(project / f"people/{name}") for name in ("ai", "li"))
    identities = [
        {(each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) for each in o}
        for o in (ours, theirs)
    ]
    assert len(identities[0]) == len(identities[1]) == len(ours)
    assert identities[0].isdisjoint(identities[1])
    for each in theirs:
        if each["kind"] not in ("Namespace", "PersistentVolume"):
            assert each["metadata"]["namespace"] == "li"
    for pod in pods(theirs):
        assert {pod["securityContext"][key] for key in ("runAsUser", "runAsGroup", "fsGroup")} == {
            1001
        }
    volumes = of_kind(theirs, "PersistentVolume")
    assert [volumes[f"li-{name}"]["spec"]["nfs"]["path"] for name in ("home", "project")] == [
        "/home/li",
        "/home/li/tensorflow_volume",
    ]
    conda = [of_kind(o, "PersistentVolume") for o in (ours, theirs)]
    assert conda[0]["ai-conda"]["spec"] == conda[1]["li-conda"]["spec"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_metallbs_entry_in_the_readme_gives_all_services_of_a_person_one_address_and_nothing_else(
    generate: Callable[..., CopierProject], language: str
) -> None:
    project = generate(**{**CLUSTER, "language": language})
    before = kustomize(project / "people/ai")
    (entry,) = re.findall(r"```yaml\n(.*?)```", (project / "README.md").read_text(), re.DOTALL)
    file = project / "people/ai/kustomization.yaml"
    file.write_text(file.read_text() + entry)
    after = kustomize(project / "people/ai")
    for each in of_kind(after, "Service").values():
        told = each["metadata"].pop("annotations")
        assert told["metallb.io/loadBalancerIPs"] == "192.0.2.17"
        assert told["metallb.io/allow-shared-ip"] == "ai"
    assert after == before


def test_the_answers_of_a_host_make_the_cluster_with_its_ports_and_environments(
    copier_template: Path, copier_command: Callable[..., str], tmp_path: Path
) -> None:
    """By the command of docs/cluster.md."""
    command = (
        "copier copy --trust --defaults --data-file hosts/gpu01/.copier-answers.yml -d kind=cluster"
    )
    assert command in re.sub(r" \\\n +", " ", (ROOT / "docs/cluster.md").read_text())
    hosts = tmp_path / "hosts"
    hosts.mkdir()
    (hosts / "gpu01").symlink_to(ROOT / "example/gpu01")
    more = [f"--data={name}={CLUSTER[name]}" for name in ("image_registry", "nfs_server")]
    said = copier_command(
        *command.split()[1:], *more, str(copier_template), "cluster", cwd=tmp_path
    )
    assert "docker compose push && kubectl apply -k people/ai" in said
    recorded = yaml.safe_load((tmp_path / "cluster" / ANSWERS_FILE).read_text())
    of_the_host = yaml.safe_load((ROOT / "example/gpu01" / ANSWERS_FILE).read_text())
    kept = recorded.keys() & of_the_host.keys() - {"_commit", "_src_path", "kind"}
    assert "ports" in kept
    assert not {"driver", "gpus", "ssh", "sudo", "bind_address", "gpu_devices"} & recorded.keys()
    for question in kept:
        assert recorded[question] == of_the_host[question]
    assert recorded["_src_path"] == str(copier_template)
    for path in (ROOT / "example/gpu01/environments").iterdir():
        copied = tmp_path / "cluster/base/environments" / path.name
        assert copied.read_bytes() == path.read_bytes()


def test_the_answers_of_a_cluster_make_a_host_again(
    generate: Callable[..., CopierProject],
) -> None:
    cluster = generate(**CLUSTER, tf_versions=["2.9.1", "2.9.3"], port_offset=20)
    host = generate(**{**cluster.answers, "kind": "host"})
    assert host.answers["ports"] == cluster.answers["ports"] == {"2.9.1": 20942, "2.9.3": 20943}
    assert not CLUSTER.keys() - {"kind"} & host.answers.keys()


def test_another_version_changes_no_other_container_no_port_and_nobody_s_file(
    copier_template: Path, article: dict[str, Any], tmp_path: Path
) -> None:
    repository = Repository.create(tmp_path / "repository")
    made = repository.copy(copier_template, {**article, **CLUSTER})
    made.edit("people/ai/kustomization.yaml", "value: 1000", "value: 1001")
    (made.path / "people/li").mkdir()
    copy = made.read("people/ai/kustomization.yaml").replace(" ai\n", " li\n")
    (made.path / "people/li/kustomization.yaml").write_text(copy)
    repository.commit()
    before, ports = made.files(), made.answers["ports"]

    made.answer(tf_versions=["1.15.5", "2.9.3", "2.17.0"])
    assert made.conflicts() == []
    assert made.answers["ports"] == {**ports, "2.9.3": 20922}
    after = made.files()
    changed = {name for name, text in before.items() if after.get(name) != text}
    shared = {ANSWERS_FILE, "README.md", "ssh_config", "base/kustomization.yaml"}
    assert changed == shared | {"compose.yml"}
    release = "tf2.9.3"
    assert after.keys() - before.keys() == {
        f"base/{release}.yaml",
        f"base/environments/{release}.yml",
        f"images/{release}/Dockerfile",
    }
    others = [o for o in kustomize(made.path / "people/ai") if "2-9-3" not in o["metadata"]["name"]]
    assert len(of_kind(others, "Deployment")) == 2


def test_another_storage_is_written_into_a_person_s_file_as_the_readme_tells(
    copier_template: Path, article: dict[str, Any], tmp_path: Path
) -> None:
    repository = Repository.create(tmp_path / "repository")
    made = repository.copy(copier_template, {**article, **CLUSTER})
    made.answer(storage="hostPath")
    assert "`/spec/hostPath/path`" in made.read("README.md")
    for _ in ("home", "project"):
        made.edit("people/ai/kustomization.yaml", "/spec/nfs/path", "/spec/hostPath/path")
    volumes = of_kind(kustomize(made.path / "people/ai"), "PersistentVolume").values()
    assert [*volumes] and all("hostPath" in volume["spec"] for volume in volumes)
