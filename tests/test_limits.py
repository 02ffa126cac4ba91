"""How much a container may use, and what more of the server it has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from pytest_copier.plugin import CopierProject

from tests.answers import ARTICLE, CLUSTER, error


@pytest.mark.parametrize(
    ("question", "answer", "why"),
    [
        ("shm_size", "", "'' is not a size; write a whole number of mb or gb, such as 8gb"),
        ("shm_size", "8", "'8' is not a size"),
        ("shm_size", "63mb", "'63mb' is too little; use at least 64mb, such as 8gb"),
        ("memory", "1.5gb", "'1.5gb' is not a size"),
        ("memory", "900mb", "'900mb' is too little; use at least 1024mb, such as 64gb"),
        ("memory", "4gb", "'4gb' is less than shm_size 8gb, which counts as memory; use more"),
        ("cpus", "0.00", "'0.00' is not a number of CPUs; use one such as 16 or 1.5"),
        ("cpus", "-1", "'-1' is not a number of CPUs"),
        ("ulimits", "memlock", "'memlock' is not a map of ulimits; write it as {memlock: -1, st"),
        ("ulimits", {"rss": 1}, "'rss' is not a ulimit; choose core, memlock, nofile or stack"),
        ("ulimits", {"stack": "64m"}, "'64m' for stack is not a limit; write a number, or -1"),
        ("mounts", ["/data"], "'['/data']' is not a map of directory to ro or rw; write it as"),
        ("mounts", "{/data: ro", "'{/data: ro' is not a map"),
        ("mounts", {"data": "ro"}, "'data' is not absolute; write the full path"),
        ("mounts", {"/data/": "ro"}, "'/data/' is not normalized; write '/data'"),
        ("mounts", {"/etc": "ro"}, "'/etc' would hide a system directory of the containers"),
        ("mounts", {"/AI/data": "ro"}, "'/AI/data' would hide a system directory"),
        ("mounts", {"/environments": "ro"}, "'/environments' is used by the containers"),
        ("mounts", {"/data": None}, "'None' for /data is neither ro nor rw; use ro to read"),
        ("mounts", {"/home/ai": "ro"}, "'/home/ai' is mounted as host_home; remove it here"),
        ("mounts", {"/home/ai/miniconda3": "ro"}, "'/home/ai/miniconda3' is mounted as conda_path"),
        ("groups", 2000, "'2000' is not a list of GIDs; write it as [2000, 2001], or [] for none"),
        ("groups", ["data"], "'data' is not a GID; use the number 'getent group NAME' prints"),
        ("groups", [0], "'0' is root's group; use the GID of a group that owns data"),
        ("groups", [65534], "'65534' is reserved; use a number from 1 to 4294967294"),
        ("groups", [2000, "2000"], "'2000' is in the list twice; name each GID once"),
    ],
)
def test_an_answer_is_refused_with_what_to_do(question: str, answer: Any, why: str) -> None:
    assert error(question, {**ARTICLE, question: answer}).startswith(why)


def test_a_mount_does_not_open_the_home_to_writers() -> None:
    lab = {**ARTICLE, "host_home": "/data/lab/ai"}
    assert "would make the read-only home" in error("mounts", {**lab, "mounts": {"/data": "rw"}})
    assert not error("mounts", {**lab, "mounts": {"/data": "ro"}})
    assert not error("mounts", {**lab, "mounts": {"/data/lab/models": "rw"}})
    inside = {**lab, **CLUSTER, "mounts": {"/data/lab/ai/data": "ro"}}
    assert "on a cluster each person has another" in error("mounts", inside)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("shm_size", "64mb"),
        ("memory", ""),
        ("memory", "8192mb"),  # as much as shm_size
        ("cpus", ""),
        ("cpus", 1.5),
        ("ulimits", {"memlock": -1, "stack": "67108864"}),
        ("mounts", {"/data/imagenet": "ro", "/home/ai/scratch": "rw"}),
        ("mounts", "{/data: ro}"),
        ("groups", ["2000", 2001]),
        ("groups", "[]"),
    ],
)
def test_an_answer_is_accepted(question: str, answer: Any) -> None:
    assert not error(question, {**ARTICLE, question: answer})


ANSWERED = {
    "shm_size": "16gb",
    "memory": "64gb",
    "cpus": "7.5",
    "ulimits": {"memlock": -1, "stack": 67108864},
    "mounts": {"/data/image net": "ro", "/models": "rw"},
    "groups": [2000, 2001],
}


def test_the_answers_reach_every_pod(generate: Callable[..., CopierProject]) -> None:
    before, after = (generate(**CLUSTER, **answers) / "base" for answers in ({}, ANSWERED))
    (then,), (now,) = (
        (yaml.safe_load((base / "pod.yaml").read_text())["spec"]["template"]["spec"],)
        for base in (before, after)
    )
    assert now["securityContext"]["supplementalGroups"] == [1000, 2000, 2001]
    mounts = [
        mount
        for mount in now["containers"][0]["volumeMounts"]
        if mount not in then["containers"][0]["volumeMounts"]
    ]
    data, models = (mount.pop("name") for mount in mounts)
    assert mounts == [
        {"mountPath": "/data/image net", "readOnly": True},
        {"mountPath": "/models"},
    ]
    assert [volume for volume in now["volumes"] if volume not in then["volumes"]] == [
        {"name": name, "persistentVolumeClaim": {"claimName": name}} for name in (data, models)
    ]
    storage = [*yaml.safe_load_all((after / "storage.yaml").read_text())]
    sources = {each["metadata"]["name"]: each["spec"].get("nfs") for each in storage[::2]}
    assert sources[data] == {"server": "nas.example.com", "path": "/data/image net"}
    assert sources[models] == {"server": "nas.example.com", "path": "/models"}


def container(project: CopierProject) -> dict[str, Any]:
    compose = yaml.safe_load((project / "docker-compose.yml").read_text())
    return dict(compose["x-container"])


def test_the_answers_reach_every_container(generate: Callable[..., CopierProject]) -> None:
    before, after = container(generate()), container(generate(**ANSWERED))
    assert before["shm_size"] == "8gb"
    assert not {"mem_limit", "memswap_limit", "cpus", "ulimits", "group_add"} & before.keys()
    assert after["shm_size"] == "16gb"
    assert after["mem_limit"] == after["memswap_limit"] == "64gb"
    assert after["cpus"] == 7.5
    assert after["ulimits"] == {"memlock": -1, "stack": 64 << 20}
    assert after["group_add"] == ["2000", "2001"]
    added = [mount for mount in after["volumes"] if mount not in before["volumes"]]
    plain = {"type": "bind", "bind": {"create_host_path": False}}
    assert added == [
        {**plain, "source": "/data/image net", "target": "/data/image net", "read_only": True},
        {**plain, "source": "/models", "target": "/models"},
    ]
