"""The catalogue agrees with its schema and with itself."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import jsonschema
import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from extensions import catalogue, holds
from extensions.drivers import branch
from extensions.gpus import GENERATIONS
from extensions.release import UBUNTU, Release, Toolkit

TEXT = {"type": "string", "minLength": 1}
TEXTS = {"type": "array", "items": TEXT}
SOURCES = {**TEXTS, "minItems": 1}
DAY = {"type": "string", "pattern": "^20[0-9]{2}-[0-9]{2}-[0-9]{2}$"}
LINK = {"type": "string", "pattern": "^https://"}
CAPABILITIES = {"type": "array", "items": {"type": "string", "pattern": r"^[0-9]+\.[0-9]$"}}
GPUS = {"type": "array", "items": {"enum": list(GENERATIONS)}}
DRIVER = {"type": "string", "pattern": r"^[0-9]{3}(\.[0-9]+)*$"}
SONAME = {"type": "string", "pattern": r"^lib[A-Za-z]+\.so\.[0-9.]+$"}
IMAGE = {
    "type": "string",
    "pattern": r"^(tensorflow/tensorflow|nvcr\.io/nvidia/tensorflow|ubuntu):\S+$",
}


def record(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def mapping(values: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": values}


SCHEMA = record(
    {
        "gpus": mapping(
            {
                "oneOf": [
                    record(
                        {
                            "native": CAPABILITIES,
                            "ptx": CAPABILITIES,
                            "read": DAY,
                            "fails": GPUS,
                            "unverified": GPUS,
                            "why": TEXT,
                            "sources": SOURCES,
                        },
                        {"doubts": TEXT},
                    ),
                    record(
                        {
                            "runs": GPUS,
                            "slow": GPUS,
                            "unverified": GPUS,
                            "why": TEXT,
                            "sources": SOURCES,
                        },
                        {"doubts": TEXT},
                    ),
                ]
            }
        ),
        "libraries": mapping(
            record(
                {
                    "opens": {"type": "array", "items": SONAME, "minItems": 8},
                    "sources": SOURCES,
                },
                {"doubts": TEXT},
            )
        ),
        "own_cuda": mapping(
            record(
                {
                    "conda": {"type": "array", "items": TEXT},
                    "pip": {
                        "type": "array",
                        "items": {"pattern": r"^nvidia-[a-z-]+-cu1[12]==[0-9.]+$"},
                    },
                    "gigabytes": {"type": "number", "exclusiveMinimum": 0},
                    "sources": SOURCES,
                },
                {"libraries": TEXT, "doubts": TEXT},
            )
        ),
        "base": record(
            {
                "image": IMAGE,
                "ubuntu": {"enum": list(UBUNTU)},
                "gigabytes": {"type": "number", "exclusiveMinimum": 0},
                "sources": SOURCES,
            }
        ),
        "toolkits": mapping(
            record(
                {
                    "line": TEXT,
                    "cuda": TEXT,
                    "cudnn": {"type": ["string", "null"]},
                    "ubuntu": {"enum": list(UBUNTU)},
                    "image": IMAGE,
                    "driver": record(
                        {
                            "toolkit": DRIVER,
                            "branches": {"type": "array", "items": DRIVER},
                            "data_center": {"type": "array", "items": DRIVER},
                            "sources": SOURCES,
                        }
                    ),
                    "libraries": TEXT,
                    "gigabytes": record(
                        {
                            "image": {"type": "number", "exclusiveMinimum": 0},
                            "environment": {"type": "number", "minimum": 0},
                            "sources": SOURCES,
                        }
                    ),
                    "packages": mapping({"type": ["string", "null"]}),
                    "sources": SOURCES,
                },
                {"own_cuda": TEXT, "doubts": TEXT},
            )
        ),
        "constraints": mapping(
            record(
                {
                    "requirement": {"type": "string", "pattern": r"^[a-z0-9-]+(<[0-9.]+)?$"},
                    "why": TEXT,
                    "sources": SOURCES,
                }
            )
        ),
        "releases": mapping(
            record(
                {"toolkit": TEXT, "gpus": TEXT, "sources": SOURCES},
                {
                    "image": IMAGE,
                    "unusable": record({"image": IMAGE, "why": TEXT, "link": LINK}),
                    "python": {"type": "string", "pattern": r"^3\.[0-9]+\??$"},
                    "evidence": {"enum": ["stated", "used"]},
                    "label": TEXT,
                    "wheel": record(
                        {"requirement": TEXT, "python": TEXTS, "read": DAY}, {"needs": SOURCES}
                    ),
                    "conda": record({"requirement": TEXT, "python": TEXTS}, {"needs": SOURCES}),
                    "own_cuda": TEXT,
                    "trouble": TEXT,
                    "trouble_zh": TEXT,
                    "trouble_in": {"enum": ["image", "environment"]},
                    "trouble_link": LINK,
                    "doubts": TEXT,
                },
            )
        ),
        "sources": mapping(TEXT),
    }
)

# Reported absent by people who looked: facts of the catalogue's sources.
ABSENT = "2.1.3 2.4.4 2.5.2 2.5.3 2.6.2 2.12.1 2.13.1 2.14.1 2.15.1 2.17.1 2.18.1 2.19.1".split()
# Their own images see no GPU.
BLIND = ["2.15.0", "2.18.0", "2.19.0", "2.20.0", "2.21.0"]

FACTS = catalogue.load()
RELEASES = catalogue.releases()
TOOLKITS = catalogue.toolkits()


def test_the_file_has_the_shape_that_the_code_reads() -> None:
    jsonschema.validate(FACTS, SCHEMA)


def test_every_source_named_is_explained_and_every_one_explained_is_named() -> None:
    kinds = ("gpus", "libraries", "own_cuda", "toolkits", "constraints", "releases")
    records = [facts for kind in kinds for facts in FACTS[kind].values()] + [FACTS["base"]]
    records += [t[part] for t in FACTS["toolkits"].values() for part in ("driver", "gigabytes")]
    assert {source for facts in records for source in facts["sources"]} == set(FACTS["sources"])


def test_releases_stand_oldest_first_a_build_of_nvidia_after_the_official_one() -> None:
    def age(version: str) -> tuple[Version, str]:
        official, _, build = version.partition("-")
        return Version(official), build

    assert list(RELEASES) == sorted(RELEASES, key=age)
    assert Version(next(iter(RELEASES))) >= Version("1.13")


def test_a_newer_cuda_never_needs_an_older_driver() -> None:
    ours = [t for t in TOOLKITS.values() if not t.line.startswith("nv")]
    for older, newer in itertools.pairwise(ours):
        assert Version(older.cuda) <= Version(newer.cuda)
        assert Version(older.driver) <= Version(newer.driver)


@pytest.mark.parametrize("toolkit", TOOLKITS.values(), ids=lambda t: t.name)
def test_the_branches_of_a_toolkit_rise_to_its_own_driver(toolkit: Toolkit) -> None:
    accepted = toolkit.drivers
    for older in (accepted.branches, accepted.data_center):
        ascending = [*map(Version, older), Version(accepted.toolkit)]
        assert ascending == sorted(set(ascending))
    assert not {*map(branch, accepted.branches)} & {*map(branch, accepted.data_center)}


def test_a_line_has_one_cuda_and_one_cudnn_major() -> None:
    def majors(toolkit: Toolkit) -> tuple[str, str]:
        return toolkit.line, (toolkit.cudnn or "").split(".")[0]

    assert len(set(map(majors, TOOLKITS.values()))) == len({t.line for t in TOOLKITS.values()})


@pytest.mark.parametrize("toolkit", TOOLKITS.values(), ids=lambda t: t.name)
def test_the_libraries_of_a_toolkit_are_those_of_its_cuda_and_cudnn(
    toolkit: Toolkit,
) -> None:
    major = toolkit.cuda.split(".")[0]
    assert f"libcublas.so.{major}" in "\n".join(toolkit.libraries)
    if toolkit.cudnn:
        assert f"libcudnn.so.{toolkit.cudnn.split('.')[0]}" in toolkit.libraries


def test_a_line_needs_one_driver() -> None:
    # else a release could be refused, or not, for what its shared container needs
    assert len({(t.line, t.driver) for t in TOOLKITS.values()}) == len(
        {t.line for t in TOOLKITS.values()}
    )


def test_only_a_toolkit_whose_releases_are_images_only_has_no_environment() -> None:
    for release in RELEASES.values():
        assert (release.toolkit.environment_gigabytes > 0) == release.installable


def test_no_two_releases_have_the_same_image_of_their_own() -> None:
    own = [release.image for release in RELEASES.values() if release.own_image]
    assert len(own) == len(set(own))


@pytest.mark.parametrize("toolkit", TOOLKITS.values(), ids=lambda t: t.name)
def test_the_image_of_a_toolkit_is_the_own_image_of_a_release_on_it(
    toolkit: Toolkit,
) -> None:
    if toolkit.bare:
        return
    assert toolkit.image in {
        r.image for r in RELEASES.values() if r.own_image and r.toolkit == toolkit
    }
    assert catalogue.base().python_of(toolkit.image)


@pytest.mark.parametrize("version", ABSENT)
def test_an_image_reported_absent_is_never_used(version: str) -> None:
    assert not [r for r in RELEASES.values() if r.image.endswith(f":{version}-gpu")]


@pytest.mark.parametrize("version", BLIND)
def test_an_image_that_sees_no_gpu_is_replaced_by_a_sound_one_and_an_environment(
    version: str,
) -> None:
    release = RELEASES[version]
    assert release.image == "tensorflow/tensorflow:2.17.0-gpu"
    extra = "" if version == "2.15.0" else "[and-cuda]"  # its TensorRT is not on PyPI
    assert release.requirement == f"tensorflow{extra}=={version}"
    assert release.label.startswith(f"{version} env ")
    assert release.unusable
    assert release.unusable["link"].startswith("https://github.com/tensorflow/")


@pytest.mark.parametrize("version", [v for v in ABSENT if v in RELEASES])
def test_a_release_without_an_image_is_offered_as_an_environment_and_says_so(version: str) -> None:
    release = RELEASES[version]
    assert release.image == release.toolkit.image
    assert release.label.startswith(f"{version} env ")


@pytest.mark.parametrize("release", RELEASES.values(), ids=lambda r: r.version)
def test_a_release_can_be_used_in_its_container(release: Release) -> None:
    assert release.own_image or release.installable
    assert release.gpus.possible
    if release.requirement:
        assert release.requirement.endswith(f"=={release.version}")
        assert release.pythons
    if release.own_image and release.pythons:
        assert catalogue.base().python_of(release.image).rstrip("?") in release.pythons  # type: ignore[union-attr]


def python(release: Release) -> Version:
    return Version(release.environment_python)


ENVIRONMENTS = [release for release in RELEASES.values() if release.installable]


def test_every_environment_can_bring_a_cuda_of_the_major_version_that_it_opens() -> None:
    for release in ENVIRONMENTS:
        assert release.own_cuda, release.version
        major = release.toolkit.cuda.partition(".")[0]
        for package in release.own_cuda.pip:
            assert Requirement(package).name.endswith(f"-cu{major}")
        assert (not release.own_cuda.conda + release.own_cuda.pip) == release.brings_cuda
    own = {release.own_cuda for release in ENVIRONMENTS}
    assert own == set(catalogue.own_cudas().values())


@pytest.mark.parametrize(
    ("version", "packages"),
    # https://github.com/conda-forge/cudatoolkit-feedstock and cudnn-feedstock; for 2.14.1 what its
    # own extra asks for
    [
        ("1.15.5", {"cudatoolkit=10.0", "cudnn=7.6.5"}),
        ("2.0.4", {"cudatoolkit=10.0", "cudnn=7.6.5"}),
        ("2.3.4", {"cudatoolkit=10.1", "cudnn=7.6.5"}),
        ("2.4.4", {"cudatoolkit=11.0", "cudnn=8.0.5"}),
        ("2.14.1", {"nvidia-cudnn-cu11==8.7.0.84", "nvidia-cublas-cu11==11.11.3.6"}),
    ],
)
def test_an_environment_brings_the_cuda_that_its_tensorflow_was_built_for(
    version: str, packages: set[str]
) -> None:
    own = RELEASES[version].own_cuda
    assert own is not None
    assert packages <= {*own.conda, *own.pip}


@pytest.mark.parametrize("release", ENVIRONMENTS, ids=lambda r: r.version)
def test_an_environment_has_a_python_with_wheels_and_bounds_a_package_once(
    release: Release,
) -> None:
    assert release.environment_python in release.pythons
    bounded = [Requirement(constraint).name for constraint in release.constraints]
    assert len(bounded) == len(set(bounded))
    order = [facts["requirement"] for facts in FACTS["constraints"].values()]
    assert list(release.constraints) == sorted(release.constraints, key=order.index)


def test_every_constraint_is_needed_by_a_release() -> None:
    needed = {constraint for release in ENVIRONMENTS for constraint in release.constraints}
    assert needed == {facts["requirement"] for facts in FACTS["constraints"].values()}


def test_an_environment_takes_the_python_of_its_own_image_where_that_is_known() -> None:
    assert RELEASES["1.15.5"].environment_python == "3.6"
    assert RELEASES["2.6.1"].python == "3.8?"
    assert RELEASES["2.6.1"].environment_python == "3.9"


def test_tensorboard_is_kept_from_a_setuptools_without_pkg_resources() -> None:
    # setuptools 82 needs Python 3.9; TensorFlow 2.21 no longer brings TensorBoard
    for release in ENVIRONMENTS:
        asked = python(release) >= Version("3.9") and Version(
            release.version.partition("-")[0]
        ) < Version("2.21")
        assert ("setuptools<82" in release.constraints) == asked, release.version


def test_a_bound_stands_only_where_the_python_could_have_what_it_keeps_out() -> None:
    oldest = {"protobuf<3.21": "3.7", "numpy<2": "3.9", "setuptools<82": "3.9"}
    for release in ENVIRONMENTS:
        for constraint in oldest.keys() & set(release.constraints):
            assert python(release) >= Version(oldest[constraint]), release.version


def test_a_wheel_that_bounds_protobuf_itself_is_not_told_to() -> None:
    for version, patched in [("2.6.1", "2.6.5"), ("2.7.0", "2.7.4"), ("2.8.0", "2.8.4")]:
        assert "protobuf<3.21" in RELEASES[version].constraints
        assert "protobuf<3.21" not in RELEASES[patched].constraints


def test_the_defaults_are_the_newest_1_x_and_2_x_with_a_sound_official_image() -> None:
    assert catalogue.default_versions(lambda _: True, []) == ["1.15.5", "2.17.0"]


def test_a_label_tells_cuda_python_driver_and_gpus() -> None:
    assert RELEASES["1.15.5"].label == ("1.15.5         CUDA 10.0 py3.6  driver 410 pascal-turing")
    assert RELEASES["2.15.1"].label == (
        "2.15.1 env     CUDA 12.3 py3.11 driver 525 pascal-ada hopper-blackwell slow"
    )


def test_every_label_fits_a_terminal_of_80_columns() -> None:
    # the prompt puts a pointer and a circle before it
    assert max(len(release.label) for release in RELEASES.values()) <= 75


def test_one_row_a_minor_is_listed_its_newest_sound_one_and_what_was_answered() -> None:
    listed = [version for _, version in catalogue.base().choices(["1.15.5", "2.4.1"])]
    assert listed[:2] == ["2.4.1", "1.15.5"]  # at the top, where a terminal of 24 lines has them
    official = [version for version in listed[2:] if "-" not in version]
    since = official[official.index("2.20.0") :]  # the weekly check adds newer ones
    assert since[:5] == ["2.20.0", "2.19.1", "2.18.1", "2.17.0", "2.16.2"]
    assert [v for v in official if v.startswith("2.4.")] == ["2.4.3"]
    assert [v for v in official if v.startswith(("2.11.", "2.1.", "2.15."))] == [
        "2.15.0.post1", "2.11.0", "2.1.2"
    ]  # fmt: skip
    assert len(listed) - len(official) == 2 + 4  # NVIDIA's own builds, and conda-forge's
    assert len(set(listed)) == len(listed) == len({r.minor for r in RELEASES.values()}) + 1


def test_every_patch_release_with_a_wheel_for_gpus_is_offered() -> None:
    # those of PyPI from 1.13 on; 1.15.1 was never published
    patches = {"1.13": 2, "1.14": 1, "1.15": 5, "2.0": 5, "2.1": 5, "2.2": 4, "2.3": 5, "2.4": 5,
        "2.5": 4, "2.6": 6, "2.7": 5, "2.8": 5, "2.9": 4, "2.10": 2, "2.11": 2, "2.12": 2,
        "2.13": 2, "2.14": 2, "2.15": 3, "2.16": 2, "2.17": 2, "2.18": 2, "2.19": 2, "2.20": 1,
        "2.21": 1}  # fmt: skip
    offered = Counter(r.minor for r in RELEASES.values() if "-" not in r.version)
    assert all(offered[minor] >= number for minor, number in patches.items())


def test_a_wheel_that_brings_a_cudnn_of_any_9_is_kept_from_one_without_pascal_and_volta() -> None:
    # its range reaches past 9.10, the last with kernels below compute capability 7.5
    for version in ("2.20.0", "2.21.0"):
        assert {"pascal", "volta"} <= set(RELEASES[version].gpus.runs)
        assert "nvidia-cudnn-cu12<9.11" in RELEASES[version].constraints
    assert "nvidia-cudnn-cu12<9.11" not in RELEASES["2.19.1"].constraints  # pins 9.3.0.75


def test_every_package_pinned_belongs_to_cuda() -> None:
    assert all(holds.is_cuda(name) for t in TOOLKITS.values() for name in t.packages)
