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


def test_the_hold_list_of_tensorflow_1_15_5_is_that_of_its_image() -> None:
    toolkit = catalogue.releases()["1.15.5"].toolkit
    assert (
        holds.hold_list(toolkit.packages)
        == (
            "cuda-command-line-tools-10-0 cuda-compat-10-0 cuda-cublas-10-0 cuda-cudart-10-0 "
            "cuda-cufft-10-0 cuda-curand-10-0 cuda-cusolver-10-0 cuda-cusparse-10-0 libcudnn7 "
            "libnvinfer5"
        ).split()
    )


def test_every_dockerfile_holds_exactly_the_packages_of_its_release(
    generate: Callable[..., CopierProject],
) -> None:
    project = generate(tf_versions=list(catalogue.releases()), gpus=[], driver="")
    for version, release in catalogue.releases().items():
        dockerfile = (project / f"images/{service_name(version)}/Dockerfile").read_text()
        command = dockerfile.split("bash /tmp/init_env1.sh")[1].split("\n\n")[0]
        assert re.findall(r"[a-z][^\s\\]*", command) == sorted(release.toolkit.packages)


@pytest.mark.parametrize("package", CUDA_PACKAGES)
def test_every_package_of_a_toolkit_is_found_by_its_name_too(package: str) -> None:
    assert holds.is_cuda(package)


@pytest.mark.parametrize(
    "package", ["vim", "libc6", "libcurl4", "libcups2", "python3", "libnvme1", "tensor"]
)
def test_other_packages_are_free(package: str) -> None:
    assert not holds.is_cuda(package)


@given(st.permutations(CUDA_PACKAGES))
def test_the_order_of_the_catalogue_does_not_change_a_hold_list(packages: list[str]) -> None:
    assert holds.hold_list(packages) == holds.hold_list(CUDA_PACKAGES)
    assert sorted(packages) == CUDA_PACKAGES  # none is lost, none repeated


@given(st.sampled_from(CUDA_PACKAGES), st.from_regex(r"[0-9a-z.+-]{0,8}", fullmatch=True))
def test_a_later_name_of_a_cuda_package_is_still_found(package: str, suffix: str) -> None:
    assert holds.is_cuda(package + suffix)
