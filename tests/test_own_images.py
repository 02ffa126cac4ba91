"""A person's own image is a release like any other, and what is unknown of it stays so."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from copier.errors import UserMessageError
from pytest_copier.plugin import CopierFixture, CopierProject

from extensions import catalogue
from extensions.answers import RefusedError
from extensions.gpus import COMPUTE_CAPABILITIES
from extensions.own_images import read_images
from tests.answers import CLUSTER, error
from tests.releases import Repository

LAB = {"image": "registry.lab/tf:2.19", "ubuntu": "22.04", "cuda": "12.5"}
IMAGES = {"2.19.0-lab": LAB}


def test_what_is_left_out_is_unknown() -> None:
    known = read_images(IMAGES)
    release = known.releases["2.19.0-lab"]
    assert (release.image, release.own_image, release.requirement) == (LAB["image"], True, None)
    assert (release.python, release.toolkit.cudnn, release.toolkit.packages) == (None, None, {})
    assert release.gpus.unverified == tuple(COMPUTE_CAPABILITIES)
    assert read_images({"2.19.0-lab": {**LAB, "gpus": []}}).own["2.19.0-lab"].gpus == release.gpus
    assert release.toolkit.driver == "525.60.13"  # CUDA's rule for 12.x
    assert len(release.label) <= 75


def test_what_is_given_is_taken_in_the_words_of_the_catalogue() -> None:
    facts = {
        **LAB, "cudnn": "9.3", "python": "3.11", "driver": "550", "gpus": ["ada", "hopper"],
        "packages": ["libcudnn9-cuda-12"], "gigabytes": 9.5,
    }  # fmt: skip
    release = read_images(json.dumps({"2.19.0-lab": facts})).releases["2.19.0-lab"]
    toolkit = release.toolkit
    assert (toolkit.cudnn, release.python, toolkit.driver) == ("9.3", "3.11", "550")
    assert (str(release.gpus), toolkit.size_gb) == ("ada, hopper", 10)
    assert toolkit.packages == {"libcudnn9-cuda-12": None}


@pytest.mark.parametrize("name", ["2.19.0-lab", "lab-2.19.0", "lab-2.19"])
def test_own_images_stand_by_age_beside_the_official_release_and_change_no_other(name: str) -> None:
    versions = list(read_images({name: LAB}).releases)
    assert versions[versions.index("2.19.0") + 1] == name
    versions.remove(name)
    assert versions == list(catalogue.releases())
    assert read_images({}) is catalogue.base()
    assert read_images(IMAGES) is read_images(json.dumps(IMAGES))


REFUSED: dict[str, tuple[Any, str]] = {
    "no map": ("lab", "'lab' is not a map; write it as {2.19.0-lab: "),
    "a name without a version": ({"lab": LAB}, "'lab' is not a name for an image; write its Ten"),
    "a name with CUDA's version": ({"12.5-lab": LAB}, "'12.5-lab' is not a name for an image; wri"),
    "a name with two words": ({"my-lab-2.19": LAB}, "'my-lab-2.19' is not a name for an image; wr"),
    "no facts": ({"2.19.0-lab": "tf:1"}, "2.19.0-lab has no facts; write it as "),
    "no image": ({"2.19.0-lab": {**LAB, "image": ""}}, "2.19.0-lab has no image; add it, as in "),
    "an unknown fact": ({"2.19.0-lab": {**LAB, "cudda": "1"}}, "'cudda' of 2.19.0-lab is not kno"),
    "another Ubuntu": ({"2.19.0-lab": {**LAB, "ubuntu": "16.04"}}, "ubuntu '16.04' of 2.19.0-lab"),
    "no tag": ({"2.19.0-lab": {**LAB, "image": "tf"}}, "image 'tf' of 2.19.0-lab is not an image"),
    "a shell": ({"2.19.0-lab": {**LAB, "image": "a:b RUN x"}}, "image 'a:b RUN x' of 2.19.0-lab"),
    "no version": ({"2.19.0-lab": {**LAB, "cuda": "new"}}, "cuda 'new' of 2.19.0-lab is not a ver"),
    "no driver": ({"2.19.0-lab": {**LAB, "cuda": "9.2"}}, "2.19.0-lab has no driver; add the olde"),
    "no generation": ({"2.19.0-lab": {**LAB, "gpus": ["max"]}}, "gpus '['max']' of 2.19.0-lab is"),
    "a list in the list": ({"2.19.0-lab": {**LAB, "gpus": [["ada"]]}}, "gpus '[['ada']]' of 2.19"),
    "no size": ({"2.19.0-lab": {**LAB, "gigabytes": "9.5.1"}}, "gigabytes '9.5.1' of 2.19.0-lab"),
    "no package": ({"2.19.0-lab": {**LAB, "packages": ["a b"]}}, "'a b' of 2.19.0-lab is not the"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    answer, sentence = REFUSED[case]
    with pytest.raises(RefusedError) as refused:
        read_images(answer)
    assert str(refused.value).startswith(sentence)


def test_a_queue_knows_on_which_gpus_an_own_image_runs() -> None:
    images = {"2.19.0-lab": {**LAB, "gpus": ["ada"]}}
    answers = {**CLUSTER, "images": images, "tf_versions": ["2.19.0-lab"], "queue": "lab"}
    assert error("cluster_gpus", {**answers, "cluster_gpus": {"ada": 4}}) == ""
    assert error("cluster_gpus", {**answers, "cluster_gpus": {"volta": 4}}).startswith(
        "2.19.0-lab runs on ada, and the cluster has none of them"
    )


@pytest.mark.parametrize(
    ("name", "service"), [("2.19.0-lab", "tf2.19.0-lab"), ("lab-2.19.0", "lab-2.19.0")]
)
def test_an_own_image_has_everything_that_a_container_has(
    name: str, service: str, generate: Callable[..., CopierProject]
) -> None:
    project = generate(
        images={name: LAB}, tf_versions=[name, "2.19.0"], gpus=["ada"], driver="550.54.15"
    )
    assert project.answers["ports"] == {"2.19.0": 21922, name: 21923}
    compose = (project / "docker-compose.yml").read_text()
    assert f"\n  {service}:\n" in compose
    facts = json.loads((project / "host/facts.json").read_text())["containers"][service]
    assert (facts["image"], facts["port"]) == (LAB["image"], 21923)
    assert "FROM registry.lab/tf:2.19\n" in (project / f"images/{service}/Dockerfile").read_text()
    readme = (project / "README.md").read_text()
    assert (
        f"| {service} | `registry.lab/tf:2.19` | 22.04 | 12.5 | ? | 525.60.13 or newer |" in readme
    )
    assert re.findall(r"\n(\S+) cannot share: it is only in its image\.", readme) == [service]
    hosts = re.findall(r"^Host (.*)$", (project / "ssh_config").read_text(), re.MULTILINE)
    assert f"{project.answers['host']}-{service}" in hosts


def test_an_update_keeps_an_own_image_and_its_port(
    copier_template: Path, article: dict[str, Any], tmp_path: Path
) -> None:
    answers = {**article, "images": IMAGES, "tf_versions": ["2.19.0-lab"], "gpus": ["ada"]}
    del answers["ports"]
    host = Repository.create(tmp_path / "repository").copy(copier_template, answers)
    before = host.read("docker-compose.yml")
    host.answer(language="zh")
    assert host.answers["images"] == IMAGES
    assert host.read("docker-compose.yml") == before
    with pytest.raises(UserMessageError, match=r"tf_versions: '2.19.0-lab' is not in the catal"):
        host.answer(images={})


def test_an_update_takes_what_the_file_has_by_now_and_data_goes_before_it(
    copier_template: Path, article: dict[str, Any], tmp_path: Path
) -> None:
    repository = Repository.create(tmp_path / "repository")
    answers = {**article, "images": IMAGES, "tf_versions": ["2.19.0-lab"], "gpus": ["ada"]}
    del answers["ports"]
    host = repository.copy(copier_template, answers)
    newer = {**LAB, "image": "registry.lab/tf:2.19.1"}
    other = {**LAB, "image": "registry.lab/tf:2.18"}
    for folder, name in ((host.path.parent, "lab-2.18"), (host.path, "nlp-2.18")):
        file = {"2.19.0-lab": newer, name: other}
        (folder / "images.yml").write_text(yaml.safe_dump({"images": file}))
        repository.commit()
        host.answer(tf_versions=["2.19.0-lab", name])
        assert host.answers["images"].keys() >= file.keys()
        assert "FROM registry.lab/tf:2.19.1\n" in host.read("images/tf2.19.0-lab/Dockerfile")
        assert f"\n  {name}:\n" in host.read("docker-compose.yml")
    assert host.answers["images"].keys() == {"2.19.0-lab", "lab-2.18", "nlp-2.18"}
    assert host.answers["ports"] == {"2.19.0-lab": 21922, "lab-2.18": 21822, "nlp-2.18": 21823}
    host.answer(images=IMAGES, tf_versions=["2.19.0-lab"])
    assert host.answers["images"] == IMAGES
    (host.path / "images.yml").write_text("images: {lab: {image: tf}}")
    repository.commit()
    with pytest.raises(UserMessageError, match=r"^images: 'lab' is not a name for an image; write"):
        host.answer(language="zh")


def test_a_file_beside_the_directories_answers_for_each_and_is_recorded(
    copier: CopierFixture, article: dict[str, Any], tmp_path: Path
) -> None:
    answers = {**article, "tf_versions": ["2.19.0-lab"], "gpus": []}
    del answers["ports"]
    (tmp_path / "images.yml").write_text(yaml.safe_dump({"images": IMAGES}))
    project = copier.copy(tmp_path / "gpu01", **answers)
    assert project.answers["images"] == IMAGES

    (tmp_path / "images.yml").write_text("images: {2.19.0-lab: {image: tf}}")
    with pytest.raises(UserMessageError, match=r"^images: 2.19.0-lab has no ubuntu; add it"):
        copier.copy(tmp_path / "gpu02", **{**answers, "host": "gpu02"})
    (tmp_path / "images.yml").write_text("lab: tf")
    with pytest.raises(UserMessageError, match=r"^images: .*/images.yml is not a map with images"):
        copier.copy(tmp_path / "gpu02", **{**answers, "host": "gpu02"})
    assert not (tmp_path / "gpu02").exists()
