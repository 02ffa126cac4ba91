"""A bad answer is refused in one line wherever it comes from, and nothing is written."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from copier.errors import UserMessageError
from pytest_copier.plugin import CopierFixture

from extensions import questions
from extensions.answers import Kind
from tests.answers import CLUSTER, asked

BAD: dict[str, tuple[Any, str]] = {
    "kind": ("hosts", "'hosts' is not a kind of directory; choose host, fleet or cluster"),
    "host": ("GPU 01", "'GPU 01' is not valid for a Compose project"),
    "images": ("lab", "'lab' is not a map; write it as {2.19.0-lab: {image: "),
    "tf_versions": (
        ["1.15"],
        "'1.15' is a minor version; choose one of 1.15.0, 1.15.2, 1.15.3, 1.15.4, 1.15.5",
    ),
    "driver": ("newest", "'newest' is not a driver version"),
    "gpus": (["maxwell"], "'maxwell' is not a known GPU generation"),
    "uid": (0, "'0' is root's UID"),
    "gid": ("staff", "'staff' is not a GID"),
    "host_home": ("~", "'~' is not absolute"),
    "conda_path": ("/home/ai", "'/home/ai' would make the read-only home"),
    "project_path": ("/home/ai", "'/home/ai' would make host_home"),
    "image_registry": ("", "'' is not a registry; name the one that all nodes pull from"),
    "image_tag": ("latest", "'latest' is the same tag for every build"),
    "storage": ("ceph", "'ceph' is not a type of storage; choose nfs or hostPath"),
    "nfs_server": ("", "'' is not the name or address of an NFS server"),
    "gpus_per_person": (0, "'0' is not a number of GPUs of a person; write one from 1 to 1024"),
    "queue": ("The Lab", "'The Lab' is not a name of Kubernetes; use up to 30 lower-case letters"),
    "cluster_gpus": ({"maxwell": 8}, "'maxwell' is not a known GPU generation; choose from pascal"),
    "session_hours": (-1, "'-1' is not a number of hours; write one from 1 to 720, or 0 for no"),
    "idle_minutes": ("never", "'never' is not a number of minutes; write one from 1 to 1440, or 0"),
    "gpu_resource": ("gpu", "'gpu' is not an extended resource; write it as nvidia.com/gpu"),
    "gpus_per_pod": ({"2.9.1": 2}, "'2.9.1' is neither a version nor a person; choose from 1.15.5"),
    "pod_resources": ({"gpu": 1}, "'gpu' is not a resource of a pod; choose from cpu, memory"),
    "mirror": ("alyun", "'alyun' is not a known mirror"),
    "ssh": ("maybe", "'maybe' is not a boolean"),
    "advanced": ("maybe", "'maybe' is not a boolean"),
    "containers": (
        "per-line",
        "'per-line' is not a way to share containers; choose per-version",
    ),
    "user": ("root", "'root' is a system account"),
    "sudo": ("maybe", "'maybe' is not a boolean"),
    "people": ({"alice": {}}, "'alice': uid is missing; write {uid: 1001}"),
    "address": ("gpu 01", "'gpu 01' is not the name or address of a server"),
    "port_offset": (-1, "'-1' is not an offset"),
    "bind_address": ("gpu01", "'gpu01' is not an IP address"),
    "gpu_devices": ("first", "'first' does not name a GPU"),
    "shm_size": ("8", "'8' is not a size; write a whole number of mb or gb, such as 8gb"),
    "memory": ("64 GB", "'64 GB' is not a size"),
    "cpus": ("all", "'all' is not a number of CPUs"),
    "ulimits": ({"heap": 1}, "'heap' is not a ulimit; choose core, memlock, nofile or stack"),
    "mounts": ({"/data": "read"}, "'read' for /data is neither ro nor rw"),
    "groups": ("data", "'data' is not a list of GIDs"),
    "packages": (["a;b"], "'a;b' is not the name of an apt package"),
    "registry": ("https://r", "'https://r' is not a prefix of image names"),
    "digests": ("sha256", "'sha256' is not a map of image to digest"),
    "proxy": ("http://me:pw@proxy", "the URL contains a user name or password"),
    "subnet": ("10.0.0.1/24", "'10.0.0.1/24' is not the start of a network; write 10.0.0.0/24"),
    "no_proxy": ("a b", "'a b' is not a list of hosts"),
    "admin": ("root@gpu01", "'root@gpu01' is not a login name"),
    "deploy_path": ("/home", "'/home' belongs to the system; use a directory of its own"),
    "language": ("fr", "'fr' is not a supported language"),
    "ports": ({"1.15.5": 10022}, "'{1.15.5: 10022}' has no port for 2.17.0"),
}


def test_every_question_is_among_them() -> None:
    assert set(BAD) == set(questions.TABLE)


def test_a_queue_without_gpus_is_refused_in_one_line(
    copier: CopierFixture, article: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(UserMessageError, match=r"^cluster_gpus: the queue lab needs the GPUs of"):
        copier.copy(tmp_path / "gpu01", **{**article, **CLUSTER, "queue": "lab"})


def as_typed(answer: Any) -> str:
    return answer if isinstance(answer, str) else json.dumps(answer)


@pytest.mark.parametrize("question", BAD)
@pytest.mark.parametrize("as_given", [as_typed, lambda answer: answer], ids=["data", "data-file"])
def test_a_bad_answer_is_refused(
    question: str,
    as_given: Callable[[Any], Any],
    copier: CopierFixture,
    article: dict[str, Any],
    tmp_path: Path,
) -> None:
    kind = next(k for k in Kind if asked(question, k))
    of_its_kind = {"host": {}, "fleet": {"kind": "fleet"}, "cluster": CLUSTER}[kind]
    answers = {**article, **of_its_kind, question: BAD[question][0]}
    given = {name: as_given(answer) for name, answer in answers.items()}
    with pytest.raises(UserMessageError) as refused:
        copier.copy(tmp_path / "gpu01", **given)
    assert str(refused.value).startswith(f"{question}: {BAD[question][1]}")
    assert not (tmp_path / "gpu01").exists()


def copier_command(template: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "copier", "copy", "--trust", *arguments, str(template), "gpu01"]


@pytest.mark.parametrize("question", ["uid", "tf_versions"])
@pytest.mark.parametrize("by", ["data", "data-file"])
def test_the_command_line_prints_the_refusal_as_its_only_line(
    question: str, by: str, copier_template: Path, article: dict[str, Any], tmp_path: Path
) -> None:
    answers = tmp_path / "answers.yml"
    answers.write_text(yaml.safe_dump({**article, question: BAD[question][0]}))
    given = f"--data-file={answers}"
    if by == "data":
        answers.write_text(yaml.safe_dump(article))
        given += f" --data={question}={as_typed(BAD[question][0])}"
    command = copier_command(copier_template, "--defaults", *given.split(" ", 1))
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{question}: {BAD[question][1]}")
    assert not (tmp_path / "gpu01").exists()


def test_a_recorded_port_cannot_be_changed_by_a_second_copy(
    copier: CopierFixture, copier_template: Path, article: dict[str, Any], tmp_path: Path
) -> None:
    copier.copy(tmp_path / "gpu01", **article)
    command = copier_command(copier_template, "--defaults", "--overwrite")
    before = (tmp_path / "gpu01/docker-compose.yml").read_bytes()
    done = subprocess.run(
        [*command, "--data=ports={1.15.5: 11522, 2.17.0: 20022}"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert "changes the port of 1.15.5, which stays 10022" in done.stderr
    assert (tmp_path / "gpu01/docker-compose.yml").read_bytes() == before


def test_two_directories_of_a_repository_never_have_the_same_host(
    copier: CopierFixture, article: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / ".git").mkdir()
    copier.copy(tmp_path / "hosts/gpu01", **article)
    shutil.copytree(tmp_path / "hosts/gpu01", tmp_path / ".old/gpu01")  # as a tool keeps it
    copier.copy(tmp_path / "hosts/gpu01", **article)
    with pytest.raises(UserMessageError, match=re.escape(
        "host: 'gpu01' is the host of hosts/gpu01 too, and the containers of one would replace "
        "those of the other; choose another name, such as gpu02"
    )):  # fmt: skip
        copier.copy(tmp_path / "hosts/gpu02", **{**article, "host": "gpu01"})
    assert not (tmp_path / "hosts/gpu02").exists()
    copier.copy(tmp_path / "hosts/gpu02", **{**article, "host": "gpu02"})


def test_a_host_that_runs_here_from_another_directory_is_not_generated_again(
    copier: CopierFixture, article: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docker's answer is made up: three containers, of which one directory was removed."""
    running, closed = tmp_path / "alice/gpu77", tmp_path / "carol"
    running.mkdir(parents=True)
    closed.symlink_to(closed)  # nobody can look into it, root neither
    command = tmp_path / "bin/docker"
    command.parent.mkdir()
    command.write_text(
        '#!/bin/sh\ncase "$*" in *project=gpu77*) '
        f"printf '%s\\n' '{tmp_path}/gone/gpu77' '{running}' '{running}' ;; "
        f"*project=gpu88*) echo '{closed}/gpu88' ;; esac\n"
    )
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}:{os.environ['PATH']}")
    with pytest.raises(UserMessageError, match=re.escape(
        f"host: 'gpu77' has containers on this server that were started from {running}, and those "
        "of one would replace those of the other; choose another name, such as gpu78, and another "
        "port_offset"
    )):  # fmt: skip
        copier.copy(tmp_path / "bob/gpu77", **{**article, "host": "gpu77"})
    assert not (tmp_path / "bob").exists()
    with pytest.raises(UserMessageError, match=f"that were started from {closed}/gpu88"):
        copier.copy(tmp_path / "bob/gpu88", **{**article, "host": "gpu88"})
    copier.copy(running, **{**article, "host": "gpu77"})  # into the directory itself
    shutil.copytree(running, tmp_path / "renamed")
    copier.copy(tmp_path / "renamed", **{**article, "host": "gpu77"})  # has its host already
    copier.copy(tmp_path / "bob/gpu78", **{**article, "host": "gpu78"})


def test_a_name_that_no_question_has_is_refused_with_the_nearest(
    copier: CopierFixture, article: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(
        UserMessageError, match=r"^'port-offset' is not a question .* did you mean port_offset\?$"
    ):
        copier.copy(tmp_path / "gpu01", **article, **{"port-offset": 10})
    assert not (tmp_path / "gpu01").exists()


@pytest.mark.parametrize(
    ("driver", "capability", "said"),
    [
        ("390.12", "7.5", "driver: '390.12' does not suffice for TensorFlow 1.15.5"),
        ("570.86.10", "12.0", ""),
    ],
    ids=["a driver too old for all", "a Blackwell GPU"],
)
def test_without_answers_a_machine_gets_what_it_can_run_or_is_told(
    driver: str, capability: str, said: str, copier_template: Path, tmp_path: Path
) -> None:
    command = tmp_path / "bin/nvidia-smi"
    command.parent.mkdir()
    command.write_text(
        f'#!/bin/sh\ncase "$1" in *driver*) echo {driver} ;; *) echo {capability} ;; esac\n'
    )
    command.chmod(0o755)
    done = subprocess.run(
        copier_command(copier_template, "--defaults", "--quiet", "--data=uid=1000"),
        cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PATH": f"{command.parent}:{os.environ['PATH']}"},
    )  # fmt: skip
    if said:
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert line.startswith(said)
        assert not (tmp_path / "gpu01").exists()
    else:
        assert done.returncode == 0, done.stderr
        recorded = yaml.safe_load((tmp_path / "gpu01/.copier-answers.yml").read_text())
        assert recorded["tf_versions"] == ["2.15.0.post1"]
        assert (recorded["driver"], recorded["gpus"]) == (driver, ["blackwell"])


@pytest.mark.parametrize(
    ("question", "answer", "sentence"),
    [
        (
            "sudo",
            True,
            "'True' is not possible on a cluster, whose pods cannot become root; answer false",
        ),
        ("ssh", False, "'False' is not possible on a cluster, whose pods need sshd; answer true"),
        ("sudo", "2", "'2' is not a boolean; answer true or false"),
        ("ssh", "no ", "'no ' is not a boolean; answer true or false"),
        ("driver", ["550.54.15"], "'['550.54.15']' is a list or a map; give one value"),
        ("gpus", ["maxwell"], "'maxwell' is not a known GPU generation; choose from"),
        ("uid", 2147483648, "'2147483648' is reserved; use a number from 1 to 2147483647"),
        ("user", "kube-system", "'kube-system' is a namespace of Kubernetes; use another name"),
    ],
)
def test_a_cluster_refuses_what_a_host_could_have(
    question: str,
    answer: Any,
    sentence: str,
    copier: CopierFixture,
    article: dict[str, Any],
    tmp_path: Path,
) -> None:
    with pytest.raises(UserMessageError, match=re.escape(f"{question}: {sentence}")):
        copier.copy(tmp_path / "gpu01", **{**article, **CLUSTER, question: answer})
    assert not (tmp_path / "gpu01").exists()
