"""Which apt packages carry CUDA, and must not be moved by apt."""

from __future__ import annotations

from collections.abc import Iterable

FAMILIES = (
    "cuda",
    "cudnn",
    "gds-tools",
    "libcublas",
    "libcudart",
    "libcudla",
    "libcudnn",
    "libcufft",
    "libcufile",
    "libcupti",
    "libcurand",
    "libcusolver",
    "libcusparse",
    "libcutensor",
    "libnccl",
    "libnpp",
    "libnvfatbin",
    "libnvidia-",
    "libnvinfer",
    "libnvjitlink",
    "libnvjpeg",
    "libnvonnxparsers",
    "libnvparsers",
    "libnvptxcompiler",
    "libnvvm",
    "nsight-",
    "nv-tensorrt-",
    "nvidia-",
    "nvinfer-runtime-",
    "tensorrt",
)
"""What the names of NVIDIA's packages for CUDA and its driver begin with.

Source: the apt repositories ``cuda`` and ``machine-learning`` of NVIDIA, as the
Dockerfiles of the official images use them.
"""


def is_cuda(package: str) -> bool:
    """Return whether an apt package belongs to one of the CUDA families."""
    return package.startswith(FAMILIES)


def hold_list(packages: Iterable[str]) -> list[str]:
    """Return the CUDA packages of a toolkit in the order in which they are printed."""
    return sorted(packages)
