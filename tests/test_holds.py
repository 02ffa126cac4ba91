"""Every CUDA package of an image is held, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_copier.plugin import CopierProject

from extensions import catalogue, holds
from extensions.containers import service_name

CUDA_PACKAGES = sorted({p for t in catalogue.toolkits().values() for p in t.packages})


@pytest.mark.parametrize("toolkit", catalogue.toolkits().values(), ids=lambda t: t.name)
def test_the_hold_list_names_exactly_the_packages_of_the_toolkit(
    toolkit: catalogue.Toolkit,
) -> None:
    assert holds.hold_list(toolkit.packages) == sorted(toolkit.packages)


def test_every_dockerfile_holds_exactly_the_packages_of_its_release(
    generate: Callable[..., CopierProject],
) -> None:
    project = generate(tf_versions=list(catalogue.releases()), gpus=[], driver="")
    for version, release in catalogue.releases().items():
        dockerfile = (project / f"{service_name(version)}/Dockerfile").read_text()
        command = dockerfile.split("bash /tmp/init_env1.sh")[1].split("\n\n")[0]
        assert re.findall(r"[a-z][^\s\\]*", command) == sorted(release.toolkit.packages)


@pytest.mark.parametrize("package", CUDA_PACKAGES)
def test_every_package_of_a_toolkit_is_found_by_its_name_too(package: str) -> None:
    assert holds.is_cuda(package)


@pytest.mark.parametrize(
    "package", ["vim", "libc6", "libcurl4", "libcups2", "python3", "nvidia-modprobe", "tensor"]
)
def test_other_packages_are_free(package: str) -> None:
    assert not holds.is_cuda(package)


@given(st.sets(st.sampled_from(CUDA_PACKAGES)))
def test_a_hold_list_neither_loses_nor_repeats_a_package(packages: set[str]) -> None:
    printed = holds.hold_list(packages)
    assert set(printed) == packages
    assert len(printed) == len(packages)
