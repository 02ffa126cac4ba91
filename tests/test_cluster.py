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
from extensions.gpus import GENERATIONS
from extensions.questions.people import namespace_of
from tests.answers import CLUSTER, CONTAINER_SCRIPTS
from tests.releases import ANSWERS_FILE, Repository, with_earlier_release
from tests.support import ROOT, by_default, missing
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
QUICK_CASES = [case for case in CASES if case != "every release"]

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


def sessions(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The templates of the pods that have ssh, by the name of what makes them."""
    forms = of_kind(objects, "CronJob")
    makers = {n: e["spec"]["jobTemplate"] for n, e in forms.items() if not n.endswith("-train")}
    return {n: e["spec"]["template"] for n, e in (of_kind(objects, "Deployment") | makers).items()}


def pods(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The pods that have ssh."""
    return [template["spec"] for template in sessions(objects).values()]


def containers_of(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod["initContainers"], *pod["containers"]]


@pytest.fixture(scope="module", params=by_default(*QUICK_CASES, among=CASES))
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
    expected = {ANSWERS_FILE, ".gitattributes", ".gitignore", "README.md", "ssh_config"}
    expected |= {f"people/{person}/kustomization.yaml", "images/certs/.gitkeep"}
    expected |= {f"people/{person}/person/{name}.yaml" for name in ("access", "kustomization")}
    expected |= {"base/scripts/stop.sh"}
    expected |= {f"base/{name}.yaml" for name in ("kustomization", "namespace", "pod", "storage")}
    expected |= {f"base/environments/{name}" for name in ("new.sh", "cuda.py", "facts.sh")}
    expected.add("base/environments/project.code-workspace")
    expected |= {"compose.yml"}
    expected |= {"images/init_env1.sh", "images/init_env2.sh", "images/container/sshd_config"}
    expected |= {f"images/container/{name}.sh" for name in (*CONTAINER_SCRIPTS, "login")}
    for name in groups(project):
        expected |= {f"base/{name}.yaml", f"images/{name}/Dockerfile"}
    if any(group.toolkit.codename == "bionic" for group in groups(project).values()):
        expected |= {"images/editors/glibc.sh", "images/editors/patchelf.sh"}
    for version in project.answers["tf_versions"]:
        release, one = catalogue.releases()[version], project.answers["containers"] == "one"
        if release.installable and not one:
            expected.add(f"base/environments/tf{version}.yml")
        if release.own_cuda:
            expected.add(f"base/environments/{release.own_environment}.yml")
    assert set(files(project)) == expected


def test_no_file_has_leftovers_of_its_template(project: CopierProject) -> None:
    for name, text in files(project).items():
        if name.endswith("cuda.py"):  # static
            continue
        if not name.endswith(".gitkeep"):
            assert re.search(r"\A\S[\s\S]*\S\n\Z", text), name
            assert not re.search(r"\n\n\n|[ \t]$|\t|\{[{%#] | [#%}]\}", text, re.MULTILINE), name


def test_shellcheck_finds_nothing(project: CopierProject) -> None:
    scripts = [str(path) for path in (project / "base/scripts").iterdir()]
    run(tool("shellcheck"), *scripts, cwd=project.path)


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
            # of a cluster's pods each has its GPUs for itself
            expected = re.sub(".* /usr/local/bin/gpu\n", "", of_a_host[name])
            assert text == expected, name
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
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def affinity_of(pod: dict[str, Any]) -> dict[str, Any]:
    affinity: dict[str, Any] = pod["affinity"]["nodeAffinity"]
    return affinity


def test_a_pod_asks_for_one_gpu_that_its_releases_run_on(
    project: CopierProject, person: str, objects: list[dict[str, Any]]
) -> None:
    """By either name of the driver's label: terms of node affinity are alternatives."""
    labels = {"ada": "ada-lovelace"}
    for name, group in groups(project).items():
        deployment = of_kind(objects, "Deployment")[f"{person}-{name.replace('.', '-')}"]
        pod = deployment["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
        assert pod["hostname"] == name.replace(".", "-")  # not the pod's, which is new each time
        terms = affinity_of(pod)["requiredDuringSchedulingIgnoredDuringExecution"]
        runs_all = set.intersection(*(set(each.gpus.possible) for each in group.releases))
        possible = [labels.get(g, g) for g in GENERATIONS if g in runs_all]
        too_old = int(group.toolkit.driver.split(".")[0]) - 1
        families = {"key": "nvidia.com/gpu.family", "operator": "In", "values": possible}
        driver = {"operator": "Gt", "values": [str(too_old)]}
        assert [term["matchExpressions"] for term in terms["nodeSelectorTerms"]] == [
            [families, {"key": f"nvidia.com/{label}", **driver}]
            for label in ("cuda.driver-version.major", "cuda.driver.major")
        ]
        assert deployment["spec"]["strategy"] == {"type": "Recreate"}


def test_old_gpus_are_for_those_who_can_run_on_no_others(objects: list[dict[str, Any]]) -> None:
    """22 of 22 pods that run anywhere took the only Turing, which alone runs 1.15."""
    old = {"pascal", "volta", "turing"}
    for pod in pods(objects):
        affinity = affinity_of(pod)
        required = affinity["requiredDuringSchedulingIgnoredDuringExecution"]
        possible = required["nodeSelectorTerms"][0]["matchExpressions"][0]["values"]
        if set(possible) <= old:
            assert "preferredDuringSchedulingIgnoredDuringExecution" not in affinity
            continue
        (preferred,) = affinity.get("preferredDuringSchedulingIgnoredDuringExecution", [None])
        avoided = [family for family in possible if family in old]
        if not avoided:
            assert preferred is None
            continue
        assert preferred == {
            "weight": 100,
            "preference": {
                "matchExpressions": [
                    {"key": "nvidia.com/gpu.family", "operator": "NotIn", "values": avoided}
                ]
            },
        }


def test_who_waits_for_a_gpu_has_not_failed(objects: list[dict[str, Any]]) -> None:
    """The default is ten minutes, and a condition that says ProgressDeadlineExceeded."""
    for each in of_kind(objects, "Deployment").values():
        assert each["spec"]["progressDeadlineSeconds"] == 2**31 - 1


def test_every_container_has_its_cpu_and_memory_and_a_dev_shm(
    objects: list[dict[str, Any]],
) -> None:
    """Without, no pod is admitted under a quota of requests, and the node's memory is anyone's."""
    for pod in pods(objects):
        for container in containers_of(pod):
            resources = container["resources"]
            assert resources["requests"].keys() == {"cpu", "memory"}
            assert resources["limits"].keys() >= {"cpu", "memory"}
        (shm,) = [volume for volume in pod["volumes"] if volume["name"] == "shm"]
        assert shm["emptyDir"] == {"medium": "Memory", "sizeLimit": "8Gi"}
        (container,) = pod["containers"]
        assert {"name": "shm", "mountPath": "/dev/shm"} in container["volumeMounts"]


def test_every_process_hears_of_the_end_and_has_time_to_save(objects: list[dict[str, Any]]) -> None:
    """The kubelet tells the first process alone: sshd."""
    for pod in pods(objects):
        assert pod["terminationGracePeriodSeconds"] == 120
        (container,) = pod["containers"]
        assert container["lifecycle"] == {"preStop": {"exec": {"command": ["/scripts/stop.sh"]}}}
        assert {"name": "scripts", "mountPath": "/scripts", "readOnly": True} in container[
            "volumeMounts"
        ]
        (scripts,) = [volume for volume in pod["volumes"] if volume["name"] == "scripts"]
        assert scripts["configMap"]["defaultMode"] == 0o555  # else it cannot be run


def scalars(value: Any, path: str = "") -> list[tuple[str, Any]]:
    """Every scalar of an object with its path."""
    if isinstance(value, dict):
        return [found for key, item in value.items() for found in scalars(item, f"{path}/{key}")]
    if isinstance(value, list):
        return [found for item in value for found in scalars(item, path)]
    return [(path, value)]


def test_a_second_apply_changes_nothing(objects: list[dict[str, Any]]) -> None:
    """What Kubernetes stores otherwise than it is written, kubectl writes again each time.

    Amounts are stored as text in their shortest form; of a PersistentVolume, an empty
    storageClassName is not stored at all. A fieldRef is one value with the apiVersion that it is
    given: without, an apply on the server conflicts with an earlier one of the client.
    """
    canonical = "[1-9][0-9]*([KMGT]i|m)?"
    for each in objects:
        for path, value in scalars(each):
            if re.search("/(limits|requests|hard|capacity)/|sizeLimit", path):
                assert isinstance(value, str), path
                assert re.fullmatch(canonical, value), path
                assert not re.fullmatch("[0-9]*000m", value)
                assert not re.fullmatch("([0-9]+[KMG]i)", value) or int(value[:-2]) % 1024
    written = yaml.safe_dump(objects)
    assert (
        written.count("fieldRef:")
        == written.count("fieldRef:\n")
        == len(re.findall(r"fieldRef:\n +apiVersion: v1\n", written))
    )
    for each in of_kind(objects, "PersistentVolume").values():
        assert "storageClassName" not in each["spec"]
    for each in of_kind(objects, "PersistentVolumeClaim").values():
        assert each["spec"]["storageClassName"] == ""  # else the default class makes a volume


ALLOWED = {
    ("", "pods"): {"get", "list", "watch"},
    ("", "pods/log"): {"get", "list", "watch"},
    ("", "pods/portforward"): {"get", "create"},
    ("", "services"): {"get", "list", "watch"},
    ("", "events"): {"get", "list", "watch"},
    ("", "persistentvolumeclaims"): {"get", "list", "watch"},
    ("", "resourcequotas"): {"get", "list", "watch"},
    ("apps", "deployments"): {"get", "list", "watch"},
    ("apps", "deployments/scale"): {"get", "patch", "update"},
}
"""All that a person may do: the verbs, by API group and resource."""


def allowed(objects: list[dict[str, Any]]) -> dict[tuple[str, str], set[str]]:
    (role,) = of_kind(objects, "Role").values()
    assert not any("resourceNames" in rule for rule in role["rules"])
    return {
        (group, resource): set(rule["verbs"])
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def test_a_person_takes_a_gpu_and_hands_it_back_and_can_become_nobody_else(
    project: CopierProject, person: str, objects: list[dict[str, Any]]
) -> None:
    assert allowed(objects) == ALLOWED
    (binding,) = of_kind(objects, "RoleBinding").values()
    (subject,) = binding["subjects"]
    assert (subject["kind"], subject["name"]) == ("User", project.answers["user"])
    assert binding["roleRef"]["name"] == f"{person}-person"
    assert binding["metadata"]["namespace"] == person
    (quota,) = of_kind(objects, "ResourceQuota").values()
    assert quota["spec"]["hard"] == {"requests.nvidia.com/gpu": "2"}


def test_a_service_has_the_port_of_the_ledger_and_finds_its_pod_and_no_other(
    project: CopierProject, person: str, objects: list[dict[str, Any]]
) -> None:
    services, templates = of_kind(objects, "Service"), sessions(objects)
    assert services.keys() == templates.keys()
    selectors = [service["spec"]["selector"] for service in services.values()]
    assert len({str(selector) for selector in selectors}) == len(services)
    for name, group in groups(project).items():
        service = services[f"{person}-{name.replace('.', '-')}"]["spec"]
        template = templates[f"{person}-{name.replace('.', '-')}"]
        assert template["metadata"]["labels"] == {**service["selector"], "person": person}
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


PEOPLE = {
    "li_": {"uid": 1001},
    "zhao": {"uid": 1002, "gid": 100, "home": "/data/z", "project": "/z"},
}


def test_people_from_the_answer_collide_with_nobody(
    generate: Callable[..., CopierProject],
) -> None:
    project = generate(**CLUSTER, people=PEOPLE)
    assert {path.name for path in (project / "people").iterdir()} == {"ai", "li", "zhao"}
    each_s = {name: kustomize(project / f"people/{name}") for name in ("ai", "li", "zhao")}
    identities = {
        (each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"])
        for objects in each_s.values()
        for each in objects
    }
    assert len(identities) == sum(map(len, each_s.values())) == 3 * len(each_s["ai"])
    for name, ids, home, work in [
        ("li", (1001, 1001), "/home/li_", "/home/li_/tensorflow_volume"),
        ("zhao", (1002, 100), "/data/z", "/z"),
    ]:
        theirs = each_s[name]
        for each in theirs:
            assert each["metadata"]["labels"]["person"] == name
            if each["kind"] not in ("Namespace", "PersistentVolume"):
                assert each["metadata"]["namespace"] == name
        for pod in pods(theirs):
            context = pod["securityContext"]
            assert (context["runAsUser"], context["runAsGroup"]) == ids
            assert (context["fsGroup"], context["supplementalGroups"]) == (ids[1], [1000])
        volumes = of_kind(theirs, "PersistentVolume")
        paths = [volumes[f"{name}-{each}"]["spec"]["nfs"]["path"] for each in ("home", "project")]
        assert paths == [home, work]
        ours = of_kind(each_s["ai"], "PersistentVolume")
        assert volumes[f"{name}-conda"]["spec"] == ours["ai-conda"]["spec"]
        held = {d["spec"]["replicas"] for d in of_kind(theirs, "Deployment").values()}
        assert held == {0}
    subjects = {o["subjects"][0]["name"] for t in each_s.values() for o in t if "subjects" in o}
    assert subjects == {"ai", "li_", "zhao"}


def test_people_come_and_go_by_an_update_and_what_is_theirs_by_hand_stays(
    copier_template: Path, article: dict[str, Any], tmp_path: Path
) -> None:
    repository = Repository.create(tmp_path / "repository")
    made = repository.copy(copier_template, {**article, **CLUSTER})
    before = made.files()
    made.answer(people=PEOPLE)
    after = made.files()
    assert {name for name, text in before.items() if after.get(name) != text} == {ANSWERS_FILE}
    assert {name.rpartition("/")[0] for name in after.keys() - before.keys()} == {
        "people/li", "people/li/person", "people/zhao", "people/zhao/person",
    }  # fmt: skip
    made.edit("people/li/kustomization.yaml", "2-17-0, count: 0", "2-17-0, count: 1")
    repository.commit()

    made.answer(people={"li_": {"uid": 1007}}, tf_versions=["1.15.5", "2.9.3", "2.17.0"])
    assert made.conflicts() == []
    assert {path.name for path in (made.path / "people").iterdir()} == {"ai", "li"}
    theirs = kustomize(made.path / "people/li")
    assert {pod["securityContext"]["runAsUser"] for pod in pods(theirs)} == {1007}
    held = [n for n, d in of_kind(theirs, "Deployment").items() if d["spec"]["replicas"]]
    assert held == ["li-tf2-17-0"]


BEFORE_PEOPLE = """\
# All that differs from person to person. A colleague is a copy of this file in a folder
# beside it, with another name, IDs and paths.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../../base]
namespace: {name}
namePrefix: {name}-

# Each 1 holds a GPU, or waits for one; 0 hands it back.
replicas:
  - {{name: tf1-15-5, count: 0}}
  - {{name: tf2-17-0, count: 1}}

patches:
  - target: {{kind: Deployment}}
    patch: |
      - {{op: add, path: /spec/template/spec/securityContext/runAsUser, value: {uid}}}
      - {{op: add, path: /spec/template/spec/securityContext/runAsGroup, value: {uid}}}
      - {{op: add, path: /spec/template/spec/securityContext/fsGroup, value: {uid}}}
  - target: {{kind: PersistentVolume, name: home}}
    patch: |
      - op: replace
        path: /spec/nfs/path
        value: /home/{name}
  - target: {{kind: PersistentVolume, name: project}}
    patch: |
      - op: replace
        path: /spec/nfs/path
        value: /home/{name}/tensorflow_volume
"""
"""A person's file as 1.0.0 generated it, and as an admin copied it."""


def test_folders_that_were_copied_by_hand_work_on_and_can_be_taken_over_as_the_readme_says(
    copier_template: Path, article: dict[str, Any], tmp_path: Path
) -> None:
    def as_before(template: Path) -> None:
        (template / "copier.yml").write_text(
            (template / "copier.yml")
            .read_text()
            .replace("people/*/kustomization.yaml", "people/*/*")
        )
        (person,) = (template / "template/cluster/people").iterdir()
        shutil.rmtree(person / "person")
        text = BEFORE_PEOPLE.format(name="ai", uid=1000)
        (person / "kustomization.yaml.jinja").write_text(text)

    template = with_earlier_release(copier_template, tmp_path / "template", as_before)
    repository = Repository.create(tmp_path / "repository")
    made = repository.copy(template, {**article, **CLUSTER}, tag="0.9.0")
    (made.path / "people/li").mkdir()
    copied = BEFORE_PEOPLE.format(name="li", uid=1001)
    (made.path / "people/li/kustomization.yaml").write_text(copied)
    repository.commit()
    made.update()
    repository.commit()
    assert made.conflicts() == []
    assert made.read("people/li/kustomization.yaml") == copied
    assert made.read("people/ai/kustomization.yaml") == BEFORE_PEOPLE.format(name="ai", uid=1000)
    for name, uid in (("ai", 1000), ("li", 1001)):
        theirs = kustomize(made.path / f"people/{name}")
        assert {pod["securityContext"]["runAsUser"] for pod in pods(theirs)} == {uid}
        for each in theirs:
            kubernetes_validate.validate(each, NEWEST_FOUR[-1], strict=True)

    before = kustomize(made.path / "people/li")
    made.answer(people={"li": {"uid": 1001}})
    assert made.read("people/li/kustomization.yaml") == copied
    (head,) = re.findall(r"```yaml\n(api.*?)```", made.read("README.md"), re.DOTALL)
    kept = copied[copied.index("replicas:") : copied.index("patches:")]
    (made.path / "people/li/kustomization.yaml").write_text(head + kept)
    after = kustomize(made.path / "people/li")
    granted = [each for each in after if each["kind"] == "RoleBinding"]
    assert [each["subjects"][0]["name"] for each in granted] == ["li"]
    without_labels = [each for each in after if each not in granted]
    for each in without_labels:
        del each["metadata"]["labels"]["person"]
        template_of_pod = each.get("spec", {}).get("template", {}).get("metadata", {})
        template_of_pod.get("labels", {}).pop("person", None)
        if not each["metadata"]["labels"]:
            del each["metadata"]["labels"]
    assert without_labels == before


@pytest.mark.parametrize(
    ("answers", "resources"),
    [
        ({"gpus_per_pod": 2}, {"nvidia.com/gpu": "2"}),
        ({"gpu_resource": "nvidia.com/mig-1g.10gb"}, {"nvidia.com/mig-1g.10gb": "1"}),
        (
            {"gpu_resource": "nvidia.com/gpu nvidia.com/gpumem=8000"},
            {"nvidia.com/gpu": "1", "nvidia.com/gpumem": "8000"},
        ),
        (
            {"pod_resources": "{cpu: 0.5, memory: 2048Mi, max_cpu: 4000m, shm: 512Mi}"},
            {"nvidia.com/gpu": "1", "cpu": "4"},
        ),
    ],
)
def test_what_a_pod_asks_for_is_an_answer(
    answers: dict[str, Any], resources: dict[str, str], generate: Callable[..., CopierProject]
) -> None:
    objects = kustomize(generate(**CLUSTER, **answers) / "people/ai")
    for pod in pods(objects):
        (container,) = pod["containers"]
        limits = {"cpu": "16", "memory": "64Gi", **resources}
        assert container["resources"]["limits"] == limits
        if "pod_resources" in answers:
            assert container["resources"]["requests"] == {"cpu": "500m", "memory": "2Gi"}
            assert {"medium": "Memory", "sizeLimit": "512Mi"} in [
                volume.get("emptyDir") for volume in pod["volumes"]
            ]
    gpu = next(iter(resources))
    (quota,) = of_kind(objects, "ResourceQuota").values()
    assert quota["spec"]["hard"] == {f"requests.{gpu}": "2"}
    test_a_second_apply_changes_nothing(objects)


def test_gpus_of_a_pod_differ_by_version_and_by_person(
    generate: Callable[..., CopierProject],
) -> None:
    project = generate(
        **CLUSTER, people=PEOPLE, gpus_per_person=4, gpus_per_pod={"1.15.5": 2, "zhao": 4}
    )
    asked = {
        (person, name.partition("-")[2]): d["spec"]["template"]["spec"]["containers"][0][
            "resources"
        ]["limits"]["nvidia.com/gpu"]
        for person in ("ai", "zhao")
        for name, d in of_kind(kustomize(project / f"people/{person}"), "Deployment").items()
    }
    assert asked == {
        ("ai", "tf1-15-5"): "2",
        ("ai", "tf2-17-0"): "1",
        ("zhao", "tf1-15-5"): "4",
        ("zhao", "tf2-17-0"): "4",
    }


@pytest.mark.parametrize("language", ["en", "zh"])
def test_metallbs_entry_in_the_readme_gives_all_services_of_a_person_one_address_and_nothing_else(
    generate: Callable[..., CopierProject], language: str
) -> None:
    project = generate(**{**CLUSTER, "language": language})
    before = kustomize(project / "people/ai")
    (entry,) = re.findall(r"```yaml\n( .*?)```", (project / "README.md").read_text(), re.DOTALL)
    file = project / "people/ai/kustomization.yaml"
    file.write_text(file.read_text() + "patches:\n" + entry)
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
    # not to be applied yet: a pod without its Secret holds a GPU
    assert "docker compose push\n" in said and "README.md" in said
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
    made.edit("people/ai/kustomization.yaml", "count: 1", "count: 0")
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
        f"base/environments/{release}-cuda.yml",
        f"images/{release}/Dockerfile",
    }
    others = [o for o in kustomize(made.path / "people/ai") if "2-9-3" not in o["metadata"]["name"]]
    assert len(of_kind(others, "Deployment")) == 2


def test_another_storage_is_an_answer(
    copier_template: Path, article: dict[str, Any], tmp_path: Path
) -> None:
    repository = Repository.create(tmp_path / "repository")
    made = repository.copy(copier_template, {**article, **CLUSTER, "people": PEOPLE})
    made.answer(storage="hostPath")
    for person in ("ai", "li"):
        volumes = of_kind(kustomize(made.path / f"people/{person}"), "PersistentVolume").values()
        assert [*volumes] and all("hostPath" in volume["spec"] for volume in volumes)
