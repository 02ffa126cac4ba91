"""People have containers of their own; who was there before keeps everything."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from jinja2 import Environment, FileSystemLoader
from pytest_copier.plugin import CopierProject

from extensions.jinja import Stack
from extensions.questions.people import namespace_of
from tests.answers import ARTICLE, error
from tests.support import ROOT, missing

PEOPLE = {
    "alice": {"uid": 1001},
    "bob": {"uid": 1002, "gid": 100, "home": "/data/bob", "project": "/data/my bob"},
}


@pytest.fixture(scope="module")
def alone(generate: Callable[..., CopierProject]) -> CopierProject:
    return generate()


@pytest.fixture(scope="module")
def shared(generate: Callable[..., CopierProject], article: dict[str, Any]) -> CopierProject:
    ledger = {
        **article["ports"],
        "alice/1.15.5": 11523,
        "alice/2.17.0": 21723,
        "bob/1.15.5": 11524,
        "bob/2.17.0": 21724,
    }
    return generate(people=PEOPLE, ports=ledger)


@pytest.mark.parametrize(
    ("user", "namespace"),
    [("a1", "a1"), ("my_lab", "my-lab"), ("_ai-", "ai"), ("_1a", "user-1a"), ("_", "user")],
)
def test_a_user_has_a_namespace_that_a_service_can_be_named_after(
    user: str, namespace: str
) -> None:
    assert namespace_of(user) == namespace


def compose(project: CopierProject) -> dict[str, Any]:
    """The compose file as Compose understands it."""
    command = ["docker", "compose", "config", "--format=json"]
    try:
        done = subprocess.run(command, cwd=project.path, capture_output=True, text=True)
    except FileNotFoundError:
        missing("Docker Compose is not installed")
    assert done.returncode == 0, done.stderr
    config: dict[str, Any] = json.loads(done.stdout)
    return config


def test_the_containers_of_the_shared_account_do_not_change(
    alone: CopierProject, shared: CopierProject
) -> None:
    before, after = compose(alone)["services"], compose(shared)["services"]
    for name in ("tf1.15.5", "tf2.17.0"):
        context = after[name]["build"].pop("context")
        assert context.replace(str(shared.path), str(alone.path)) == before[name]["build"].pop(
            "context"
        )
        for service in (before, after):
            for volume in service[name]["volumes"]:
                if volume["target"] == "/environments":
                    volume["source"] = "environments"
        assert after[name] == before[name]


def test_an_image_is_the_same_for_everybody_up_to_its_last_layer(
    alone: CopierProject, shared: CopierProject
) -> None:
    for file in ("images/tf2.17.0/Dockerfile", "images/init_env1.sh", "images/init_env2.sh"):
        assert (alone / file).read_text() == (shared / file).read_text()


def test_each_has_her_own_ids_directories_name_and_port(shared: CopierProject) -> None:
    services = compose(shared)["services"]
    bob = services["bob-tf2.17.0"]
    assert bob["user"] == "1002:100"
    assert bob["build"]["args"] == {"CURRENT_UID": "1002:100", "CURRENT_USER": "bob"}
    assert bob["build"]["dockerfile"] == "tf2.17.0/Dockerfile"
    assert bob["container_name"] == bob["hostname"] == "gpu01-bob-tf2.17.0"
    assert bob["ports"][0]["published"] == "21724"
    assert bob["command"] == ["container-start", "/data/bob", "/data/my bob"]
    mounted = {volume["target"]: volume for volume in bob["volumes"]}
    assert (mounted["/data/bob"]["source"], mounted["/data/bob"]["read_only"]) == (
        "/data/bob",
        True,
    )
    assert mounted["/AI"]["source"] == "/data/my bob"
    assert not {"/home/ai", "/home/alice"} & set(mounted)
    alice = services["alice-tf1.15.5"]
    assert alice["user"] == "1001:1001"
    assert alice["command"][1:] == ["/home/alice", "/home/alice/tensorflow_volume"]


def test_each_has_her_own_aliases_and_host_key(shared: CopierProject) -> None:
    command = ["ssh", "-G", "-F", "ssh_config", "gpu01-alice-tf2.17.0"]
    told = subprocess.run(command, cwd=shared.path, capture_output=True, text=True, check=True)
    wanted = {"port 21723", "user alice", "hostkeyalias gpu01-alice-containers", "hostname gpu01"}
    assert wanted <= set(told.stdout.splitlines())


def test_the_ledger_remembers_people_who_left(
    shared: CopierProject, generate: Callable[..., CopierProject]
) -> None:
    recorded = yaml.safe_load((shared / ".copier-answers.yml").read_text())["ports"]
    only_bob = generate(people={"bob": PEOPLE["bob"]}, ports=recorded)
    assert "alice" not in (only_bob / "docker-compose.yml").read_text()
    assert yaml.safe_load((only_bob / ".copier-answers.yml").read_text())["ports"] == recorded


@pytest.mark.parametrize("as_text", [False, True])
def test_each_sees_the_gpus_of_her_own_or_of_the_version(
    generate: Callable[..., CopierProject], as_text: bool
) -> None:
    devices = {"alice": "0,1", "2.17.0": "2", "ai": "all"}
    typed = "{alice: '0,1', 2.17.0: '2', ai: all}"
    project = generate(
        tf_versions=["1.15.5", "2.17.0"],
        people=PEOPLE,
        gpu_devices=typed if as_text else devices,
        memory="64gb",
        cpus="16",
        groups=[2000],
        ulimits={"memlock": -1},
        mounts={"/data/sets": "ro"},
    )
    services = compose(project)["services"]
    seen = {
        name: service["deploy"]["resources"]["reservations"]["devices"]
        for name, service in services.items()
    }
    every: dict[str, Any] = {"count": -1}
    gpu = {"driver": "nvidia", "capabilities": ["gpu"]}
    assert {name: ({**gpu, **which},) for name, which in {
        "tf1.15.5": every,
        "tf2.17.0": every,
        "alice-tf1.15.5": {"device_ids": ["0", "1"]},
        "alice-tf2.17.0": {"device_ids": ["0", "1"]},
        "bob-tf1.15.5": every,
        "bob-tf2.17.0": {"device_ids": ["2"]},
    }.items()} == {name: tuple(found) for name, found in seen.items()}  # fmt: skip
    assert (
        "(alice: 0,1; 2.17.0: 2; ai: all; all others: all)" in (project / "README.md").read_text()
    )
    own = {"build", "command", "container_name", "deploy", "hostname", "ports", "user", "volumes"}
    limits = {
        name: {key: service[key] for key in service.keys() - own}
        for name, service in services.items()
    }
    assert limits["tf1.15.5"].keys() >= {"mem_limit", "cpus", "shm_size", "group_add", "ulimits"}
    assert all(limits[name] == limits["tf1.15.5"] for name in limits)
    for service in services.values():
        mounted = {volume["target"] for volume in service["volumes"]}
        assert mounted >= {"/data/sets", "/var/lib/gpu-queue", "/run/host-localtime"}


def test_the_readme_has_the_command_that_keeps_everybody(shared: CopierProject) -> None:
    readme = (shared / "README.md").read_text()
    (given,) = re.findall(r"^  -d '(people=.*)'$", readme, re.MULTILINE)
    assert yaml.safe_load(given.removeprefix("people=")) == PEOPLE
    assert "| alice | 1001:1001 | `/home/alice` | `/home/alice/tensorflow_volume` |" in readme


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "gpu_devices: 'alice' has no container any more."),
        ("zh", "gpu_devices 中的 alice 已没有容器"),
    ],
)
def test_who_has_left_is_named_after_the_update_and_no_longer_in_the_readme(
    generate: Callable[..., CopierProject], language: str, said: str
) -> None:
    made = generate(
        people={"bob": PEOPLE["bob"]},
        ports={**ARTICLE["ports"], "alice/2.17.0": 20023, "bob/1.15.5": 10024, "bob/2.17.0": 20024},
        gpu_devices={"alice": "0", "bob": "1"},
        language=language,
    )
    assert "alice" not in (made / "README.md").read_text()
    environment = Environment(loader=FileSystemLoader(ROOT / "messages"), extensions=[Stack])
    message = environment.get_template("host-update.jinja").render(
        **made.answers, _copier_conf={"dst_path": made.path, "answers_file": ".copier-answers.yml"}
    )
    assert said in message
    assert "bob" not in message


def test_who_has_left_keeps_her_gpus_as_her_ports_and_a_stranger_has_none() -> None:
    ports = {**ARTICLE["ports"], "alice/2.17.0": 21723}
    answers = {**ARTICLE, "ports": ports, "gpu_devices": {"alice": "0"}}
    assert error("gpu_devices", answers) == ""
    assert error("gpu_devices", {**answers, "gpu_devices": {"carol": "0"}}) == (
        "'carol' is neither a person nor a version; choose from ai, 1.15.5 and 2.17.0"
    )
