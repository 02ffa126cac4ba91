"""Which GPU generations a TensorFlow runs on, from the GPU code in its wheel.

Code for a compute capability (cubin) runs on that one and on newer ones of the same
major: https://docs.nvidia.com/cuda/cuda-c-programming-guide/#binary-compatibility.
Intermediate code (PTX) is compiled at the first start for anything newer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

COMPUTE_CAPABILITIES = {
    "pascal": ("6.0", "6.1"),
    "volta": ("7.0",),
    "turing": ("7.5",),
    "ampere": ("8.0", "8.6"),
    "ada": ("8.9",),
    "hopper": ("9.0",),
    "blackwell": ("10.0", "10.3", "12.0", "12.1"),
}
"""GPU generation to the compute capabilities of its GPUs, without the modules of Jetson and
DRIVE, oldest first: https://developer.nvidia.com/cuda-gpus and /cuda-legacy-gpus"""

GENERATIONS = tuple(COMPUTE_CAPABILITIES)
"""NVIDIA GPU generations, oldest first."""

EXAMPLES = {
    "pascal": "GTX 1080 Ti, P100",
    "volta": "Titan V, V100",
    "turing": "RTX 2080 Ti, T4",
    "ampere": "RTX 3090, A100",
    "ada": "RTX 4090, L40S",
    "hopper": "H100, H200",
    "blackwell": "RTX 5090, B200",
}
"""GPU generation to a card that people buy and one for data centres."""


class Fit(Enum):
    """How code runs on a GPU, best first."""

    NATIVE = 0
    COMPILES = 1
    FAILS = 2


@dataclass(frozen=True)
class Code:
    """The GPU code of a TensorFlow."""

    native: tuple[str, ...]
    """Compute capabilities that it has code for."""
    ptx: tuple[str, ...]
    """Compute capabilities that it has PTX for."""


def _number(capability: str) -> tuple[int, int]:
    major, minor = capability.split(".")
    return int(major), int(minor)


def generation(capability: str) -> str | None:
    """Return the GPU generation of a compute capability, None for one that is unknown.

    One that is not listed belongs to the next older one of its major number, as that of a
    module of Jetson does. ``host/doctor`` has the same rule.
    """
    if not re.fullmatch(r"\d{1,3}\.\d{1,3}", capability):
        return None
    number = _number(capability)
    older = {
        _number(listed): name
        for name, capabilities in COMPUTE_CAPABILITIES.items()
        for listed in capabilities
        if _number(listed) <= number
    }
    return older[max(older)] if older and max(older)[0] == number[0] else None


def fit(code: Code, capability: str) -> Fit:
    """Return how code runs on the GPUs of a compute capability."""
    major, minor = _number(capability)
    for built in map(_number, code.native):
        if built[0] == major and built[1] <= minor:
            return Fit.NATIVE
    if any(_number(built) <= (major, minor) for built in code.ptx):
        return Fit.COMPILES
    return Fit.FAILS


def fits(code: Code, generation: str) -> Fit:
    """Return how code runs on the GPUs of a generation: as on the one it suits least."""
    capabilities = COMPUTE_CAPABILITIES[generation]
    return max((fit(code, capability) for capability in capabilities), key=lambda f: f.value)


def classify(
    code: Code, fails: Iterable[str], unverified: Iterable[str]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return the generations that code runs on, compiles for, and may run on.

    Args:
        code: The GPU code.
        fails: Generations that it was reported to fail on, whatever its code says.
        unverified: Generations for which its code speaks, and a doubt against.
    """
    excluded = {*fails, *unverified}
    by_fit: dict[Fit, list[str]] = {fit: [] for fit in Fit}
    for generation in COMPUTE_CAPABILITIES:
        if generation not in excluded:
            by_fit[fits(code, generation)].append(generation)
    doubtful = (g for g in unverified if fits(code, g) is not Fit.FAILS)
    return tuple(by_fit[Fit.NATIVE]), tuple(by_fit[Fit.COMPILES]), tuple(doubtful)


def _range(generations: tuple[str, ...]) -> str:
    """Return generations as a range where they are consecutive, else as a list."""
    first, last = GENERATIONS.index(generations[0]), GENERATIONS.index(generations[-1])
    if len(generations) > 1 and generations == GENERATIONS[first : last + 1]:
        return f"{generations[0]}-{generations[-1]}"
    return ",".join(generations)


@dataclass(frozen=True)
class Gpus:
    """The NVIDIA GPU generations that a TensorFlow build runs on."""

    runs: tuple[str, ...]
    slow: tuple[str, ...]
    """Runs after compiling for this GPU at the first start, half an hour or more."""
    unverified: tuple[str, ...]
    """May run: nobody could verify it."""
    why: str

    @property
    def possible(self) -> tuple[str, ...]:
        """Generations that are not known to fail, oldest first."""
        return tuple(g for g in GENERATIONS if g in self.runs + self.slow + self.unverified)

    @property
    def short(self) -> str:
        """Such as ``pascal-ada hopper-blackwell slow``."""
        words = [_range(self.runs)] if self.runs else []
        if self.slow:
            words.append(f"{_range(self.slow)} slow")
        if self.unverified:
            words.append(f"{_range(self.unverified)}?")
        return " ".join(words)

    def __str__(self) -> str:
        """Such as ``pascal to ampere, ada slow, hopper?``."""
        return self.listed("to", "{} slow", ", ")

    def listed(self, to: str, slow: str, comma: str) -> str:
        """Return them in the words of a language.

        Args:
            to: Stands between the first and the last of a range.
            slow: Has ``{}`` for a generation that is compiled for at the first start.
            comma: Stands between two of them.
        """
        runs = self.runs if len(self.runs) < 3 else (f"{self.runs[0]} {to} {self.runs[-1]}",)
        words = [*runs, *map(slow.format, self.slow), *(f"{g}?" for g in self.unverified)]
        return comma.join(words)
