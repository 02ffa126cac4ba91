"""Images come from their own registry, or through one that stands for it."""

from __future__ import annotations

import pytest

from extensions.registries import docker_mirror, pulled

HUB, NVIDIA = "tensorflow/tensorflow:2.17.0-gpu", "nvcr.io/nvidia/tensorflow:25.02-tf2-py3"
DAOCLOUD = {"docker.io": "m.daocloud.io/docker.io", "nvcr.io": "m.daocloud.io/nvcr.io"}


@pytest.mark.parametrize(
    ("image", "registry", "name"),
    [
        (HUB, "", HUB),
        (NVIDIA, "", NVIDIA),
        (HUB, "registry.example.com/hub", f"registry.example.com/hub/{HUB}"),
        (
            NVIDIA,
            "registry.example.com/hub",
            "registry.example.com/hub/nvidia/tensorflow:25.02-tf2-py3",
        ),
        (HUB, DAOCLOUD, f"m.daocloud.io/docker.io/{HUB}"),
        (NVIDIA, DAOCLOUD, "m.daocloud.io/nvcr.io/nvidia/tensorflow:25.02-tf2-py3"),
        (HUB, {"nvcr.io": "harbor.example.com/nvcr"}, HUB),
        ("ubuntu:24.04", DAOCLOUD, "m.daocloud.io/docker.io/library/ubuntu:24.04"),
        ("lab:5000/tf:2.19", DAOCLOUD, "lab:5000/tf:2.19"),
        ("lab:5000/tf:2.19", {"lab:5000": "r.example.com"}, "r.example.com/tf:2.19"),
    ],
)
def test_an_image_is_pulled_through_the_prefix_of_its_registry(
    image: str, registry: str | dict[str, str], name: str
) -> None:
    assert pulled(image, registry) == name


@pytest.mark.parametrize(
    ("registry", "mirror"),
    [
        ("", ""),
        ("registry.example.com:5000", "https://registry.example.com:5000"),
        ("127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("harbor.example.com/hub", ""),
        ({"docker.io": "docker.m.daocloud.io"}, "https://docker.m.daocloud.io"),
        (DAOCLOUD, ""),
        ({"nvcr.io": "nvcr.m.daocloud.io"}, ""),
    ],
)
def test_the_engine_asks_only_what_serves_docker_hub_without_a_path(
    registry: str | dict[str, str], mirror: str
) -> None:
    assert docker_mirror(registry) == mirror
