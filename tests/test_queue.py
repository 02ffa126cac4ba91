"""The queue of a cluster, the jobs that wait in it, and sessions that end by themselves."""

from __future__ import annotations

import os
import re
import subprocess
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml
from pytest_copier.plugin import CopierProject

from tests.answers import CLUSTER
from tests.support import ROOT
from tests.test_cluster import (
    ALLOWED,
    NEWEST_FOUR,
    PEOPLE,
    allowed,
    kustomize,
    of_kind,
    test_a_second_apply_changes_nothing,
)
from tests.test_generated import YAMLLINT, files, run, tool

QUEUE = {"queue": "lab", "cluster_gpus": {"turing": 2, "ada": 8, "ampere": 4}, "people": PEOPLE}
SESSIONS = {"session_hours": 12, "idle_minutes": 60}
CASES: dict[str, dict[str, Any]] = {
    "queue": QUEUE,
    "sessions": SESSIONS,
    "both": {**QUEUE, **SESSIONS, "tf_versions": ["1.15.5", "2.17.0", "2.18.0"], "language": "zh"},
}
SCHEMAS = yaml.safe_load((ROOT / "tests/kueue.schema.yaml").read_text())


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def project(case: str, generate: Callable[..., CopierProject]) -> CopierProject:
    return generate(**CLUSTER, **CASES[case])


@pytest.fixture(scope="module")
def objects(project: CopierProject) -> list[dict[str, Any]]:
    return kustomize(project / "people/ai")


def forms(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The jobs that people make of the CronJobs."""
    return {name: each["spec"]["jobTemplate"] for name, each in of_kind(objects, "CronJob").items()}


def pod_of(job: dict[str, Any]) -> dict[str, Any]:
    pod: dict[str, Any] = job["spec"]["template"]["spec"]
    return pod


def fits_kueue(each: dict[str, Any]) -> None:
    jsonschema.validate(each, {"$defs": SCHEMAS["$defs"], **SCHEMAS[each["kind"]]})


def test_without_these_answers_nothing_of_them_is_there(
    generate: Callable[..., CopierProject],
) -> None:
    words = re.compile("kueue|CronJob|batch|queue-name|idle|session_hours|run.sh", re.IGNORECASE)
    for name, text in files(generate(**CLUSTER)).items():
        if name.startswith(("base/", "people/", "queue")):
            assert not words.search(text), name


def test_files_are_sound(project: CopierProject) -> None:
    run(tool("yamllint"), "--strict", "-d", YAMLLINT, ".", cwd=project.path)
    scripts = [str(path) for path in (project / "base/scripts").iterdir()]
    run(tool("shellcheck"), *scripts, cwd=project.path)
    for name, text in files(project).items():
        if name.startswith(("base/", "people/", "queue/", "README")):
            assert re.search(r"\A\S[\s\S]*\S\n\Z", text), name
            blank = r"\n\n\n\n" if name.endswith(".py") else r"\n\n\n"
            assert not re.search(rf"{blank}|[ \t]$|\t|\{{%|\{{#|\{{\{{", text, re.MULTILINE), name


@pytest.mark.parametrize("version", NEWEST_FOUR)
def test_every_object_fits_its_strict_schema(
    project: CopierProject, objects: list[dict[str, Any]], version: str
) -> None:
    cluster_s = kustomize(project / "queue") if project.answers["queue"] else []
    assert bool(cluster_s) == any(each["kind"] == "LocalQueue" for each in objects)
    for each in objects + cluster_s:
        if each["apiVersion"].startswith("kueue."):
            fits_kueue(each)
        else:
            kubernetes_validate.validate(each, version, strict=True)
    test_a_second_apply_changes_nothing(objects)


def test_a_misspelt_field_of_kueue_would_not_fit() -> None:
    queues = {"kind": "LocalQueue", "apiVersion": "kueue.x-k8s.io/v1beta2"}
    misspelt = {
        **queues,
        "metadata": {"name": "a", "namespace": "a"},
        "spec": {"clusterqueue": "a"},
    }
    with pytest.raises(jsonschema.ValidationError, match="clusterqueue"):
        fits_kueue(misspelt)


def test_the_queue_hands_out_the_newest_gpus_first_and_to_each_no_more_than_their_share(
    generate: Callable[..., CopierProject],
) -> None:
    project = generate(**CLUSTER, **QUEUE, gpus_per_person=3)
    objects = kustomize(project / "queue")
    flavors = {
        name: each["spec"]["nodeLabels"]
        for name, each in of_kind(objects, "ResourceFlavor").items()
    }
    families = ["ada-lovelace", "ampere", "turing"]
    assert flavors == {family: {"nvidia.com/gpu.family": family} for family in families}
    (cohort,) = of_kind(objects, "Cohort").values()
    (group,) = cohort["spec"]["resourceGroups"]
    assert group["coveredResources"] == ["nvidia.com/gpu"]
    assert [(f["name"], f["resources"][0]["nominalQuota"]) for f in group["flavors"]] == [
        ("ada-lovelace", "8"), ("ampere", "4"), ("turing", "2"),
    ]  # fmt: skip
    queues = of_kind(objects, "ClusterQueue")
    assert queues.keys() == {"ai-lab", "li-lab", "zhao-lab"}
    for name, queue in queues.items():
        assert queue["spec"]["cohortName"] == cohort["metadata"]["name"]
        person = name.removesuffix("-lab")
        selector = queue["spec"]["namespaceSelector"]["matchLabels"]
        assert selector == {"kubernetes.io/metadata.name": person}
        (group,) = queue["spec"]["resourceGroups"]
        assert [f["name"] for f in group["flavors"]] == families
        for flavor in group["flavors"]:
            (resource,) = flavor["resources"]
            assert (resource["nominalQuota"], resource["borrowingLimit"]) == ("0", "3")
        theirs = kustomize(project / f"people/{person}")
        (local,) = of_kind(theirs, "LocalQueue").values()
        assert local["spec"]["clusterQueue"] == name
        assert (local["metadata"]["name"], local["metadata"]["namespace"]) == (name, person)
        # A quota beside the queue's would refuse the pods of jobs that were admitted.
        assert not of_kind(theirs, "ResourceQuota")


def test_all_that_asks_for_gpus_waits_in_the_queue(
    project: CopierProject, objects: list[dict[str, Any]]
) -> None:
    labels = [each["metadata"]["labels"] for each in of_kind(objects, "Deployment").values()]
    labels += [job.get("metadata", {}).get("labels", {}) for job in forms(objects).values()]
    queues = {each.get("kueue.x-k8s.io/queue-name") for each in labels}
    assert queues == ({"ai-lab"} if project.answers["queue"] else {None})


def test_kueue_comes_by_its_own_manifests_at_a_commit(
    generate: Callable[..., CopierProject], tmp_path: Path
) -> None:
    """Built here with a stand-in for them, which kubectl would fetch."""
    project = generate(**CLUSTER, **QUEUE)
    (folder,) = (project / "queue").glob("kueue")
    made = yaml.safe_load((folder / "kustomization.yaml").read_text())
    (source,) = made["resources"]
    assert re.fullmatch(
        r"https://github\.com/kubernetes-sigs/kueue/config/default\?ref=[0-9a-f]{40}", source
    )
    (image,) = made["images"]
    assert f"{image['newName']}:{image['newTag']}" == "registry.k8s.io/kueue/kueue:v0.19.2"
    for page in ("README.md",):
        assert source.partition("=")[2] in (project / page).read_text()
    (tmp_path / "standin.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: kueue-manager-config\n"
        "  namespace: kueue-system\ndata:\n  controller_manager_config.yaml: old\n"
    )
    for path in folder.iterdir():
        (tmp_path / path.name).write_text(path.read_text().replace(source, "standin.yaml"))
    (config,) = kustomize(tmp_path)
    told = yaml.safe_load(config["data"]["controller_manager_config.yaml"])
    assert told["integrations"]["frameworks"] == ["batch/job", "pod", "deployment"]
    assert told["fairSharing"]
    assert told["resources"] == {"quotaCheckStrategy": "IgnoreUndeclared"}
    # A job without the label would start beside the queue.
    assert told["manageJobsWithoutQueueName"] is True
    (everybody_s,) = told["managedJobsNamespaceSelector"]["matchExpressions"]
    assert everybody_s == {"key": "person", "operator": "Exists"}
    for person in ("ai", "li", "zhao"):
        (namespace,) = of_kind(kustomize(project / f"people/{person}"), "Namespace").values()
        assert namespace["metadata"]["labels"]["person"] == person


def test_a_training_job_runs_once_gives_its_gpu_back_and_no_ssh_reaches_it(
    project: CopierProject, objects: list[dict[str, Any]]
) -> None:
    training = {n: job for n, job in forms(objects).items() if n.endswith("-train")}
    containers = len(of_kind(objects, "Service"))
    assert len(training) == (containers if project.answers["queue"] else 0)
    selectors = [each["spec"]["selector"] for each in of_kind(objects, "Service").values()]
    for name, job in training.items():
        assert len(name) <= 52  # what a CronJob may have
        spec, pod = job["spec"], pod_of(job)
        assert (spec["backoffLimit"], pod["restartPolicy"]) == (0, "Never")
        (rule,) = spec["podFailurePolicy"]["rules"]
        assert (rule["action"], rule["onPodConditions"][0]["type"]) == (
            "Ignore",
            "DisruptionTarget",
        )
        assert pod["terminationGracePeriodSeconds"] == 120
        (container,) = pod["containers"]
        assert container["command"] == ["/scripts/run.sh"]
        assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
        assert not {"ports", "livenessProbe", "lifecycle"} & container.keys()
        assert "sysctls" not in pod["securityContext"]
        assert not any("secret" in volume for volume in pod["volumes"])
        labels = spec["template"]["metadata"]["labels"]
        assert not any(selector.items() <= labels.items() for selector in selectors)
        environment = {each["name"]: each.get("value") for each in container["env"]}
        asked = "tf2.18.0" if "2-18-0" in name else None
        assert environment.get("TENSORFLOW_ENVIRONMENT") == asked


def test_sessions_end_and_each_has_its_service(
    project: CopierProject, objects: list[dict[str, Any]]
) -> None:
    ends = bool(project.answers["session_hours"])
    assert bool(of_kind(objects, "Deployment")) != ends
    sessions = {n: job for n, job in forms(objects).items() if not n.endswith("-train")}
    assert bool(sessions) == ends
    assert all(each["spec"]["suspend"] for each in of_kind(objects, "CronJob").values())
    services = of_kind(objects, "Service")
    assert not ends or services.keys() == sessions.keys()
    for name, job in sessions.items():
        pod = pod_of(job)
        assert (job["spec"]["backoffLimit"], pod["restartPolicy"]) == (0, "Never")
        assert pod["activeDeadlineSeconds"] == 12 * 3600
        (container,) = pod["containers"]
        assert container["livenessProbe"]["exec"]["command"] == ["/scripts/session.sh", "60", "12"]
        assert container["lifecycle"]["preStop"]
        assert container["startupProbe"]  # the other one waits for it
        labels = job["spec"]["template"]["metadata"]["labels"]
        assert services[name]["spec"]["selector"].items() <= labels.items()


def test_jobs_that_ended_stay_until_their_time_is_over(objects: list[dict[str, Any]]) -> None:
    """A CronJob deletes all but its last failed one, those that people made of it too."""
    for form in of_kind(objects, "CronJob").values():
        spec = form["spec"]
        assert spec["jobTemplate"]["spec"]["ttlSecondsAfterFinished"] >= 3600
        limits = (spec["successfulJobsHistoryLimit"], spec["failedJobsHistoryLimit"])
        assert min(limits) >= 1000


def test_people_make_jobs_and_still_change_no_form_of_them(
    project: CopierProject, objects: list[dict[str, Any]]
) -> None:
    expected = {
        **ALLOWED,
        ("batch", "cronjobs"): {"get", "list", "watch"},
        ("batch", "jobs"): {"get", "list", "watch", "create", "delete"},
    }
    if project.answers["session_hours"]:
        del expected["apps", "deployments"], expected["apps", "deployments/scale"]
    if project.answers["queue"]:
        for resource in ("localqueues", "workloads"):
            expected["kueue.x-k8s.io", resource] = {"get", "list", "watch"}
    assert allowed(objects) == expected


def test_the_readme_s_job_of_more_gpus_is_what_kubectl_makes(
    generate: Callable[..., CopierProject], tmp_path: Path
) -> None:
    """`kubectl set resources` changes a job that was not sent yet."""
    project = generate(**CLUSTER, **QUEUE)
    form = forms(kustomize(project / "people/ai"))["ai-tf2-17-0-train"]
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "train"}, **form}
    job["metadata"] = {"name": "train"}
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(job))
    readme = (project / "README.md").read_text()
    (change,) = re.findall(r"kubectl (set resources .*?) \|", readme)
    command = [tool("kubectl"), *change.replace("-f -", "-f job.yaml").split()]
    made = yaml.safe_load(run(*command, cwd=tmp_path))
    (container,) = pod_of(made)["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "2"
    assert container["resources"]["limits"]["memory"] == "64Gi"


def test_a_job_of_more_gpus_than_a_person_may_have_is_nobody_s_example(
    generate: Callable[..., CopierProject],
) -> None:
    """Kueue would never start it."""
    readme = (generate(**CLUSTER, **QUEUE, gpus_per_person=1) / "README.md").read_text()
    assert "set resources" not in readme


def test_the_readme_finds_all_that_holds_a_gpu_or_a_volume(project: CopierProject) -> None:
    readme = (project / "README.md").read_text()
    shapes = {"jobs", *([] if project.answers["session_hours"] else ["deployments"])}
    (look,) = re.findall(r"^kubectl get (\S+) .* --selector person=alice$", readme, re.MULTILINE)
    assert shapes < {*look.split(",")}
    assert ("clusterqueues" in look) == bool(project.answers["queue"])
    (end,) = re.findall(r"^kubectl .* delete (\S*pvc) --all$", readme, re.MULTILINE)
    assert {f"{kind}s" for kind in end.split(",")} == {*shapes, "pvcs"}


# --- the scripts ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scripts(generate: Callable[..., CopierProject]) -> Path:
    return Path(generate(**CLUSTER, **QUEUE, **SESSIONS).path, "base/scripts")


def functions(script: Path) -> str:
    return script.read_text().rpartition("\nmain\n")[0]


def session(
    script: Path, folder: Path, commands: str, *, idle: str = "60", hours: str = "0"
) -> str:
    """Run commands with the functions of session.sh, its state in a folder, no GPU, no terminal."""
    text = (
        functions(script)
        .replace("/run/container/", f"{folder}/")
        .replace("/dev/pts/", f"{folder}/")
    )
    heard = 'warn_terminals() { echo "warned: $1"; }\ncheck_sshd() { :; }\n'
    done = subprocess.run(
        ["bash", "-s", idle, hours], input=text + "\n" + heard + commands, text=True,
        capture_output=True,
    )  # fmt: skip
    return done.stdout + done.stderr + f"rc {done.returncode}"


UNUSED = "uses_gpu() { return 1; }\nuses_cpu() { return 1; }\n"


@pytest.mark.parametrize(
    ("minutes", "said"),
    [
        (0, "rc 0"),
        (49, "rc 0"),
        (51, "warned: Nobody has used this session for 51 min; it ends in 9 min. Press a key to"),
        (60, "warned: This session ends within 2 min: nobody has used it for 60 min. Press a key"),
    ],
)
def test_a_session_that_nobody_uses_is_warned_and_then_fails(
    scripts: Path, tmp_path: Path, minutes: int, said: str
) -> None:
    (tmp_path / "used").touch()
    then = time.time() - 60 * minutes - 1
    os.utime(tmp_path / "used", (then, then))
    heard = session(scripts / "session.sh", tmp_path, UNUSED + "main")
    assert heard.startswith(said)
    assert heard.endswith("rc 1" if minutes >= 60 else "rc 0")


@pytest.mark.parametrize("what", ["a key", "a GPU", "a CPU"])
def test_a_session_in_use_goes_on(scripts: Path, tmp_path: Path, what: str) -> None:
    (tmp_path / "used").touch()
    os.utime(tmp_path / "used", (0, 0))
    (tmp_path / "0").touch()  # a terminal: its last key is its time of access
    os.utime(tmp_path / "0", (time.time() - (30 if what == "a key" else 10**6), 0))
    uses = UNUSED
    if what == "a GPU":
        uses += "uses_gpu() { return 0; }\n"
    if what == "a CPU":
        uses += "uses_cpu() { return 0; }\n"
    assert session(scripts / "session.sh", tmp_path, uses + "main") == "rc 0"


@pytest.mark.parametrize("script", ["session.sh", "stop.sh"])
def test_a_terminal_stopped_by_ctrl_s_delays_no_other(scripts: Path, script: str) -> None:
    """A write to it would wait: the probe fails then, and no program gets SIGTERM."""
    stopped, running = os.openpty(), os.openpty()
    termios.tcflow(stopped[1], termios.TCOOFF)
    terminals = " ".join(os.ttyname(terminal[1]) for terminal in (stopped, running))
    text = functions(scripts / script).replace("/dev/pts/[0-9]*", terminals)
    command = ["bash", "-s", "60", "12"]
    subprocess.run(command, input=text + "\nwarn_terminals told", text=True, timeout=20, check=True)
    assert b"\a" in os.read(running[0], 1000)
    for end in (*stopped, *running):
        os.close(end)


def test_work_of_a_cpu_is_seen_from_one_run_to_the_next(scripts: Path, tmp_path: Path) -> None:
    commands = (
        'for run in 1 2; do if uses_cpu; then echo busy; else echo idle; fi; done; cat "$cpu"'
    )
    heard = session(scripts / "session.sh", tmp_path, commands).split()
    assert heard[:2] == ["idle", "idle"] and int(heard[2]) > 0
    (tmp_path / "cpu").write_text(f"{int(heard[2]) - 100_000}\n")
    assert session(scripts / "session.sh", tmp_path, commands).split()[:2] == ["busy", "idle"]


@pytest.mark.parametrize(
    ("smi", "busy"), [("echo 0", 1), ("echo 37", 0), ("echo '[N/A]'", 0), ("exit 9", 0)]
)
def test_a_gpu_is_in_use_unless_it_says_otherwise(
    scripts: Path, tmp_path: Path, smi: str, busy: int
) -> None:
    (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{smi}\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    found = f"PATH={tmp_path}:$PATH\nfind() {{ echo /proc/1/fd/3; }}\nuses_gpu"
    assert session(scripts / "session.sh", tmp_path, found).endswith(f"rc {busy}")
    nothing_open = f"PATH={tmp_path}:$PATH\nfind() {{ :; }}\nuses_gpu"
    assert session(scripts / "session.sh", tmp_path, nothing_open).endswith("rc 1")


@pytest.mark.parametrize(
    ("left", "said"), [(9, "warned: This session ends in 9 min, 12 h after its start."), (30, "rc")]
)
def test_the_last_minutes_of_a_session_are_told(
    scripts: Path, tmp_path: Path, left: int, said: str
) -> None:
    began = int(time.time()) - 12 * 3600 + left * 60 + 30
    stat = f"stat() {{ echo {began}; }}\n"
    heard = session(scripts / "session.sh", tmp_path, stat + "main", idle="0", hours="12")
    assert heard.startswith(said)
    assert heard.endswith("rc 0")


@pytest.mark.parametrize(
    ("mode", "code", "said"),
    [(None, 127, "does not exist; write the program there"), (0o644, 126, "run: chmod +x ")],
)
def test_a_job_without_a_program_says_what_to_do(
    scripts: Path, tmp_path: Path, mode: int | None, code: int, said: str
) -> None:
    if mode:
        (tmp_path / "train").touch(mode)
    text = functions(scripts / "run.sh").replace("/AI/jobs", str(tmp_path)) + "\ncheck_program"
    done = subprocess.run(
        ["bash", "-s"],
        input=text,
        text=True,
        capture_output=True,
        env={**os.environ, "JOB_NAME": "train"},
    )
    assert done.returncode == code
    assert said in done.stderr
