"""The images of a cluster built, pushed and pulled, and a pod of it run without Kubernetes.

There is no API server here. What a kubelet would do with the pod of `kubectl kustomize` is
done with `docker run` by the functions below, which know every field that the pod has and
fail at one that they do not.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import yaml
from pytest_copier.plugin import CopierProject

from tests.e2e.conftest import RELEASES, official
from tests.e2e.support import PERSON, Person, output, run
from tests.support import missing

KUBECTL = Path(sys.executable).with_name("kubectl")
VERSION = RELEASES["jammy"]
NAME = f"li-tf{VERSION.replace('.', '-')}"
JOB = "night"
"""What the training job is called."""
OF_THE_IMAGE = 1000
"""UID and GID of the first person, for whom the image is built; the colleague has another."""


@pytest.fixture(scope="module")
def registry(
    engine: None,  # noqa: ARG001
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """Address of an empty registry: Debian's."""
    if not shutil.which("docker-registry"):
        missing("docker-registry is not installed: run .ci/engine")
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    folder = tmp_path_factory.mktemp("registry")
    configuration = folder / "config.yml"
    configuration.write_text(
        f"version: 0.1\nhttp: {{addr: {address}}}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
    )
    process = subprocess.Popen(
        ["docker-registry", "serve", configuration],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    yield address
    process.terminate()
    process.wait()


@dataclass(frozen=True)
class Cluster:
    """A generated cluster with a colleague of the first person."""

    project: CopierProject
    colleague: Person

    @property
    def image(self) -> str:
        return f"{self.project.answers['image_registry']}/tf{VERSION}:v1"

    def compose(self, *arguments: str) -> str:
        return output("docker", "compose", *arguments, cwd=self.path)

    @property
    def path(self) -> Path:
        return self.project.path

    @cached_property
    def objects(self) -> dict[str, dict[str, Any]]:
        """What `kubectl apply -k people/li` would send, by kind and name."""
        sent = yaml.safe_load_all(output(KUBECTL, "kustomize", "people/li", cwd=self.path))
        return {f"{each['kind']} {each['metadata']['name']}": each for each in sent}


@pytest.fixture(scope="module")
def cluster(
    arrive: Callable[[], Person],
    generate: Callable[..., CopierProject],
    stand_in: Callable[..., None],
    registry: str,
) -> Iterator[Cluster]:
    """A cluster with its image built and pushed, and gone from this machine."""
    colleague = arrive()
    stand_in(official(VERSION, extra=("python3-venv",)))
    project = generate(
        **colleague.answers(
            kind="cluster", host="e2e-cluster", tf_versions=[VERSION], mirror="none",
            uid=OF_THE_IMAGE, gid=OF_THE_IMAGE, host_home=str(colleague.folder / "first"),
            project_path="/srv/first", storage="hostPath", image_registry=f"{registry}/lab",
            people={"li": {"uid": PERSON, "home": str(colleague.home),
                           "project": str(colleague.projects)}},
            queue="lab", cluster_gpus={"ampere": 1},
        )
    )  # fmt: skip
    made = Cluster(project, colleague)
    made.compose("build")
    made.compose("push")
    output("docker", "image", "rm", made.image)
    yield made
    run("docker", "image", "rm", "--force", made.image)


def as_kubelet_writes(place: Path, files: dict[str, str], mode: int, group: int) -> None:
    """Write files of a volume: root's, the pod's group's, and each a link behind a link."""
    (place / "..2026").mkdir(parents=True)
    (place / "..data").symlink_to("..2026")
    for name, text in files.items():
        (place / "..2026" / name).write_text(text)
        (place / "..2026" / name).chmod(mode)
        shutil.chown(place / "..2026" / name, 0, group)
        (place / name).symlink_to(f"..data/{name}")


def as_kubelet_mounts(
    cluster: Cluster,
    volumes: list[dict[str, Any]],
    group: int,
    folder: Path,
    secret: dict[str, Any],
) -> dict[str, Path]:
    """Make the volumes of a pod as directories of this machine; return them by name."""
    made = {}
    for volume in volumes:
        name = volume["name"]
        place = folder / name
        match volume:
            case {"persistentVolumeClaim": {"claimName": claim}}:
                bound = cluster.objects[f"PersistentVolumeClaim {claim}"]["spec"]["volumeName"]
                source = cluster.objects[f"PersistentVolume {bound}"]["spec"]["hostPath"]
                assert source["type"] == "Directory"
                place = Path(source["path"])
                assert place.is_dir()
            case {"configMap": {"name": config_map, "defaultMode": mode}}:
                files = cluster.objects[f"ConfigMap {config_map}"]["data"]
                as_kubelet_writes(place, files, mode, group)
            case {"secret": {"secretName": name_of_secret, "defaultMode": mode}}:
                assert name_of_secret == secret["metadata"]["name"]
                decoded = {file: b64decode(text).decode() for file, text in secret["data"].items()}
                as_kubelet_writes(place, decoded, mode, group)
            case {"emptyDir": {"medium": "Memory", "sizeLimit": size}}:
                place = Path(f"tmpfs-size={size.removesuffix('i').lower()}")
            case {"emptyDir": {}}:
                place.mkdir()
                place.chmod(0o2777)
                shutil.chown(place, 0, group)
            case _:
                raise AssertionError(volume)
        made[name] = place
    return made


def as_docker_runs(
    pod: dict[str, Any], container: dict[str, Any], volumes: dict[str, Path]
) -> list[str]:
    """Return the options of `docker run` for a container of a pod."""
    person = {"sysctls": [], **pod["securityContext"]}
    assert person.pop("runAsNonRoot") is True
    assert person.pop("seccompProfile") == {"type": "RuntimeDefault"}
    options = [f"--user={person.pop('runAsUser')}:{person.pop('runAsGroup')}"]
    for group in [person.pop("fsGroup"), *person.pop("supplementalGroups")]:
        options.append(f"--group-add={group}")
    options += [f"--sysctl={each['name']}={each['value']}" for each in person.pop("sysctls")]
    assert person == {}
    limits = dict(container["securityContext"])
    assert limits.pop("allowPrivilegeEscalation") is False
    options.append("--security-opt=no-new-privileges")
    options += [f"--cap-drop={capability}" for capability in limits.pop("capabilities")["drop"]]
    assert limits == {}
    for each in container.get("env", []):
        if "valueFrom" in each:
            name_of_job = "metadata.labels['batch.kubernetes.io/job-name']"
            assert each["valueFrom"] == {"fieldRef": {"apiVersion": "v1", "fieldPath": name_of_job}}
        options.append(f"--env={each['name']}={each.get('value', JOB)}")
    requests, wanted = container["resources"]["requests"], container["resources"]["limits"]
    assert requests.keys() == {"cpu", "memory"}
    options.append(f"--memory={wanted['memory'].removesuffix('i').lower()}")
    options.append(f"--memory-reservation={requests['memory'].removesuffix('i').lower()}")
    for mount in sorted(container["volumeMounts"], key=lambda mount: str(mount["mountPath"])):
        if str(volumes[mount["name"]]).startswith("tmpfs-size="):
            size = volumes[mount["name"]]
            options.append(f"--mount=type=tmpfs,{size},tmpfs-mode=1777,target={mount['mountPath']}")
            continue
        source = volumes[mount["name"]] / mount.get("subPath", "")
        access = ",readonly" if mount.get("readOnly") else ""
        options.append(f"--mount=type=bind,source={source},target={mount['mountPath']}{access}")
    return options


@dataclass(frozen=True)
class Pod:
    """The colleague's pod, running."""

    name: str
    cluster: Cluster
    spec: dict[str, Any]
    container: dict[str, Any]
    config: Path

    def ssh(self, command: str) -> str:
        alias = f"{self.cluster.project.answers['host']}-tf{VERSION}"
        return output("ssh", "-F", self.config, alias, command, timeout=60)

    def terminal(self) -> subprocess.Popen[str]:
        """Log in with a terminal, as a person does who types."""
        alias = f"{self.cluster.project.answers['host']}-tf{VERSION}"
        command = ["ssh", "-tt", "-F", str(self.config), alias]
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            text=True,
        )  # fmt: skip

    def probe(self, kind: str) -> int:
        command = self.container[kind]["exec"]["command"]
        return run("docker", "exec", self.name, *command).returncode

    def end(self) -> float:
        """End the pod as a kubelet does; return how many seconds it took."""
        began, grace = time.monotonic(), int(self.spec["terminationGracePeriodSeconds"])
        hook = self.container["lifecycle"]["preStop"]["exec"]["command"]
        subprocess.run(["docker", "exec", self.name, *hook], timeout=grace, check=True)
        left = max(2, round(grace - (time.monotonic() - began)))
        output("docker", "stop", f"--time={left}", self.name)
        return time.monotonic() - began

    def log(self) -> str:
        done = run("docker", "logs", self.name)
        return done.stdout + done.stderr


def host_key_by_the_readme(cluster: Cluster, folder: Path) -> tuple[Path, dict[str, Any]]:
    """Make the key and the Secret by the commands of the README; return both."""
    readme = (cluster.path / "README.md").read_text()
    (make,) = re.findall("^ssh-keygen .*$", readme, re.MULTILINE)
    output("bash", "-euc", make, cwd=folder)
    (create,) = re.findall("^kubectl (.* create secret .*)$", readme, re.MULTILINE)
    command = [KUBECTL, *create.split(), "--dry-run=client", "--output=yaml"]
    return folder / "ssh_host_ed25519_key", yaml.safe_load(output(*command, cwd=folder))


def as_kubelet_prepares(
    cluster: Cluster, spec: dict[str, Any], folder: Path, secret: dict[str, Any]
) -> dict[str, Path]:
    """Make the volumes of a pod, and run what comes before its container; return the volumes."""
    group = spec["securityContext"]["fsGroup"]
    volumes = as_kubelet_mounts(cluster, spec["volumes"], group, folder, secret)
    (first,) = spec["initContainers"]
    output(
        "docker", "run", "--rm", *as_docker_runs(spec, first, volumes),
        f"--entrypoint={first['command'][0]}", first["image"],
        *first["command"][1:], *first["args"],
    )  # fmt: skip
    return volumes


@pytest.fixture(scope="module")
def pod(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    """The pod of the colleague, with the image pulled and the port of the Service published."""
    folder = tmp_path_factory.mktemp("kubelet")
    key, secret = host_key_by_the_readme(cluster, folder)
    spec = cluster.objects[f"Deployment {NAME}"]["spec"]["template"]["spec"]
    volumes = as_kubelet_prepares(cluster, spec, folder, secret)
    (container,) = spec["containers"]
    (port,) = cluster.objects[f"Service {NAME}"]["spec"]["ports"]
    name = "e2e-cluster-pod"
    gpus = container["resources"]["limits"]["nvidia.com/gpu"]
    output(
        "docker", "run", "--detach", f"--name={name}", f"--gpus={gpus}",
        f"--hostname={spec['hostname']}",
        f"--publish=127.0.0.1:{port['port']}:{port['targetPort']}",
        *as_docker_runs(spec, container, volumes), container["image"],
    )  # fmt: skip
    config = cluster.colleague.laptop / "e2e-cluster.conf"
    public = key.with_suffix(".pub").read_text().split()
    known = cluster.colleague.laptop / "known_hosts"
    known.write_text(f"e2e-cluster-containers {public[0]} {public[1]}\n")
    config.write_text(
        (cluster.path / "ssh_config")
        .read_text()
        .replace("    HostName e2e-cluster\n", "    HostName 127.0.0.1\n")
        + f"    IdentityFile {cluster.colleague.key}\n    UserKnownHostsFile {known}\n"
        + "    StrictHostKeyChecking yes\n    BatchMode yes\n    LogLevel ERROR\n"
    )
    made = Pod(name, cluster, spec, container, config)
    try:
        probe = container["startupProbe"]
        for _ in range(probe["failureThreshold"]):
            if made.probe("startupProbe") == 0:
                break
            time.sleep(probe["periodSeconds"])
        else:
            raise AssertionError(made.log())
        yield made
    finally:
        run("docker", "rm", "--force", name)


def test_a_colleague_of_another_uid_than_the_images_logs_in_with_the_key_of_the_secret(
    pod: Pod,
) -> None:
    assert json.loads(output("docker", "image", "inspect", pod.cluster.image))[0]["RepoDigests"]
    said = pod.ssh("id -u; id -g; id -un; echo $HOME; touch /AI/mine; stat -c %u /AI/mine")
    assert said.split() == [str(PERSON), str(PERSON), "ai", "/AI", str(PERSON)]
    assert not (pod.cluster.colleague.projects / ".ssh").exists()


def test_an_account_of_the_image_that_has_the_uid_of_the_person_makes_way(pod: Pod) -> None:
    """www-data has 33 in every Ubuntu."""
    spec = pod.cluster.objects[f"Deployment {NAME}"]["spec"]["template"]["spec"]
    (script,) = spec["initContainers"][0]["args"]
    as_33 = ["--rm", "--user=33:33", "--entrypoint=bash", pod.cluster.image, "-euc"]
    accounts = output("docker", "run", *as_33, script.replace(">/etc/person/passwd", ""))
    with_33 = [line for line in accounts.splitlines() if line.split(":")[2] == "33"]
    assert with_33 == ["ai:x:33:33::/AI:/bin/bash"]


def test_no_process_of_the_pod_is_root_or_could_become_it(pod: Pod) -> None:
    status = pod.ssh("cat /proc/[0-9]*/status 2>/dev/null || true")
    facts = [line.split() for line in status.splitlines()]
    assert {tuple(f[1:]) for f in facts if f[0] == "Uid:"} == {(str(PERSON),) * 4}
    assert {f[1] for f in facts if f[0] in ("CapEff:", "CapPrm:", "CapBnd:")} == {"0" * 16}
    assert {f[1] for f in facts if f[0] == "NoNewPrivs:"} == {"1"}


def test_environments_conda_and_the_read_only_home_are_where_a_host_has_them(pod: Pod) -> None:
    said = pod.ssh("/environments/new.sh 0 2>&1 || true")
    assert said.endswith(f"choose one of: {VERSION}\n")
    assert pod.ssh("bash -lc 'command -v conda'") == "conda\n"
    home = pod.cluster.project.answers["host_home"]
    refused = run("ssh", "-F", pod.config, f"e2e-cluster-tf{VERSION}", f"touch '{home}/file'")
    assert "Read-only file system" in refused.stderr


def test_editors_have_a_folder_that_stays_with_the_next_pod(pod: Pod) -> None:
    said = pod.ssh("readlink -f /AI/.vscode-server; ls /environments/*.code-workspace")
    folder = f"/AI/.vscode/{pod.spec['hostname']}/.vscode-server"
    assert said.splitlines() == [folder, "/environments/project.code-workspace"]


def test_what_a_session_leaves_behind_does_not_stay_a_zombie(pod: Pod) -> None:
    pod.ssh("(setsid sleep 0.2 >/dev/null 2>&1 &)")
    time.sleep(0.5)
    states = pod.ssh("cat /proc/[0-9]*/stat 2>/dev/null || true")
    assert ") Z " not in states


def test_every_probe_succeeds_and_leaves_no_line_in_the_log(pod: Pod) -> None:
    before = pod.log()
    for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert pod.probe(kind) == 0
    time.sleep(0.5)
    assert pod.log() == before


def test_dev_shm_is_as_large_as_its_volume(pod: Pod) -> None:
    (shm,) = [volume for volume in pod.spec["volumes"] if volume["name"] == "shm"]
    gibibytes = int(shm["emptyDir"]["sizeLimit"].removesuffix("Gi"))
    assert pod.ssh("df --block-size=1G --output=size /dev/shm | tail -1").strip() == str(gibibytes)


TRAINING = """\
trap 'sleep 2; echo saved >/AI/checkpoint; exit' TERM
touch /AI/training
while :; do sleep 0.1; done
"""


def test_a_job_runs_its_program_with_conda_and_all_its_processes_save_before_it_ends(
    cluster: Cluster, tmp_path: Path
) -> None:
    """The one that saves is not the program itself, which ends at once."""
    job = cluster.objects[f"CronJob {NAME}-train"]["spec"]["jobTemplate"]["spec"]
    spec = job["template"]["spec"]
    volumes = as_kubelet_prepares(cluster, spec, tmp_path, {})
    program = cluster.colleague.projects / "jobs" / JOB
    program.parent.mkdir(exist_ok=True)
    (program.parent / "saves").write_text(TRAINING.replace("/AI/", "/AI/jobs/"))
    program.write_text(
        "#!/bin/bash\ntype -t conda\npwd\nprintenv PATH CUDA_VERSION\nbash /AI/jobs/saves\n"
    )
    program.chmod(0o755)
    shutil.chown(program.parent, PERSON, PERSON)
    (container,) = spec["containers"]
    name, (command,) = "e2e-cluster-job", container["command"]
    try:
        output(
            "docker", "run", "--detach", f"--name={name}",
            *as_docker_runs(spec, container, volumes),
            f"--entrypoint={command}", container["image"],
        )  # fmt: skip
        for _ in range(100):
            if (program.parent / "training").exists():
                break
            time.sleep(0.1)
        began = time.monotonic()
        output("docker", "stop", f"--time={spec['terminationGracePeriodSeconds']}", name)
        seconds = time.monotonic() - began
        said = run("docker", "logs", name)
        assert (program.parent / "checkpoint").read_text() == "saved\n", said.stderr
        assert 2 < seconds < 30
        heard = said.stdout.splitlines()
        assert heard[:2] == ["function", "/AI"]
        assert "/usr/local/cuda" in heard[2] or "/usr/local/nvidia" in heard[2]
    finally:
        run("docker", "rm", "--force", name)


IN_A_TERMINAL = {
    "terminal": "bash /AI/{}/saves",
    "tmux": "tmux new-session -d bash /AI/{}/saves; exit",
    "background": "setsid bash /AI/{}/saves &>/dev/null </dev/null & exit",
    "editor": "setsid python3 /AI/{0}/server /AI/{0}/saves &>/dev/null </dev/null & exit",
}
"""What is typed in a terminal to train. Each program has a folder of its name."""

EDITOR_S_SERVER = """\
import os, pty, signal, subprocess, sys
if sys.argv[2:]:
    pty.spawn(["bash", sys.argv[1]])
else:
    child = subprocess.Popen([sys.executable, *sys.argv, "terminal"])
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child.pid, signal.SIGKILL))
    child.wait()
"""
"""As that of Visual Studio Code: it ends the process that has its terminals when it ends."""


def test_training_saves_before_the_pod_ends_wherever_it_runs_and_the_pod_waits_no_longer(
    pod: Pod,
) -> None:
    """Last: the pod is gone afterwards. Of its processes the kubelet tells the first, sshd."""
    folders = [pod.cluster.colleague.projects / name for name in IN_A_TERMINAL]
    with ExitStack() as stack:
        for folder, typed in zip(folders, IN_A_TERMINAL.values(), strict=True):
            folder.mkdir()
            (folder / "saves").write_text(TRAINING.replace("/AI/", f"/AI/{folder.name}/"))
            (folder / "server").write_text(EDITOR_S_SERVER)
            shutil.chown(folder, PERSON, PERSON)
            shell = stack.enter_context(pod.terminal())
            print(typed.format(folder.name), file=shell.stdin, flush=True)
            pod.ssh(f"until [ -e /AI/{folder.name}/training ]; do sleep 0.1; done")
        seconds = pod.end()
    assert all((folder / "checkpoint").read_text() == "saved\n" for folder in folders)
    assert 2 < seconds < 30
