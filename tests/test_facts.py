"""The facts that a host's doctor reads are data: they grow by what is added, by nothing else."""

from __future__ import annotations

import difflib
import json
from typing import Any

from extensions import containers
from extensions.answers import Answers
from extensions.facts import COMPOSE, ENGINE, facts_json
from extensions.questions.tensorflow import SHARING, TF_VERSIONS
from tests.answers import ARTICLE
from tests.doctor import doctor
from tests.support import ROOT

BARE: dict[str, Any] = {
    **ARTICLE,
    "mirror": "none",
    "registry": "",
    "digests": {},
    "proxy": "",
    "bind_address": "0.0.0.0",
    "ports": {"1.15.5": 11522, "2.11.0": 21102, "2.17.0": 21722},
}


def facts(**answers: Any) -> str:
    return facts_json(Answers({**BARE, **answers}))


def test_the_doctor_reads_all_that_is_written() -> None:
    read = doctor.read_facts(facts().encode())
    assert [one.name for one in read.containers] == ["tf1.15.5", "tf2.17.0"]
    assert read.paths == {
        name: ARTICLE[name] for name in ("host_home", "conda_path", "project_path")
    }
    planned = containers.plan(Answers(BARE))
    for one, container in zip(read.containers, planned, strict=True):
        toolkit = container.toolkit
        assert (one.image, one.port, one.glibc) == (container.image, container.port, toolkit.glibc)
        assert tuple(one.libraries) == toolkit.libraries
        assert tuple(one.drivers.branches) == toolkit.drivers.branches
        assert [release.version for release in one.releases] == [
            release.version for release in container.releases
        ]


def test_an_added_version_is_an_entry_more() -> None:
    before, after = facts(), facts(tf_versions=["1.15.5", "2.11.0", "2.17.0"])
    diff = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    assert not [line for line in diff if line.startswith("-")]
    added = [line[2:] for line in diff if line.startswith("+")]
    assert added[0] == '    "tf2.11.0": {'
    assert len(added) < 25
    assert max(map(len, added)) < 300


def test_an_answer_that_was_not_given_leaves_no_trace() -> None:
    bare = json.loads(facts())
    given = json.loads(
        facts(
            mirror="https://mirror.example.com",
            proxy="http://proxy.example.com:3128",
            mounts={"/data": "ro"},
            people={"alice": {"uid": 1001}},
            ports={**BARE["ports"], "alice/1.15.5": 11523, "alice/2.17.0": 21723},
        )
    )
    assert given.keys() - bare.keys() == {"mirror", "proxy", "mounts", "people"}
    assert "ports" not in bare["containers"]["tf2.17.0"]
    assert given["containers"]["tf2.17.0"]["ports"] == {"alice": 21723}
    assert "port" not in json.loads(facts(ssh=False))["containers"]["tf2.17.0"]


def test_the_container_of_a_person_is_called_as_in_the_compose_file() -> None:
    answers = {
        **BARE,
        "people": {"alice": {"uid": 1001}},
        "ports": {**BARE["ports"], "alice/1.15.5": 11523, "alice/2.17.0": 21723},
    }
    read = doctor.read_facts(facts_json(Answers(answers)).encode())
    assert [(one.name, one.port) for one in read.services] == [
        (one.name, one.port) for one in containers.services(Answers(answers))
    ]


def test_a_shared_container_has_the_generations_of_each_of_its_releases() -> None:
    answers = {
        **BARE,
        SHARING.name: "per-cuda",
        TF_VERSIONS.name: ["2.5.0", "2.9.3"],
        "ports": {"cuda11.2": 31122},
    }
    (container,) = json.loads(facts_json(Answers(answers)))["containers"].values()
    assert list(container["releases"]) == ["2.5.0", "2.9.3"]


def test_setup_and_the_readme_name_the_same_oldest_docker() -> None:
    setup = (ROOT / "template/host/host/setup.sh").read_text()
    assert f"\noldest_engine={ENGINE}\noldest_compose={COMPOSE}\n" in setup
    for page in ("README.md", "README.zh-CN.md"):
        assert f"Docker Engine {ENGINE}" in (ROOT / page).read_text()


def test_an_environment_is_told_what_its_own_tensorflow_opens() -> None:
    # 2.18.1 is in the container of 2.17.0 and brings cuDNN 9
    answers = {
        **BARE,
        TF_VERSIONS.name: ["2.17.0", "2.18.1"],
        "ports": {"2.17.0": 21722, "2.18.1": 21822},
    }
    made = json.loads(facts_json(Answers(answers)))["containers"]
    assert "libraries" not in made["tf2.17.0"]["releases"]["2.17.0"]
    assert "libcudnn.so.8" in made["tf2.18.1"]["libraries"]
    assert "libcudnn.so.9" in made["tf2.18.1"]["releases"]["2.18.1"]["libraries"]
