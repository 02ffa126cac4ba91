"""On which NVIDIA drivers a container starts.

CUDA images name the drivers they start on in ``NVIDIA_REQUIRE_CUDA``, which the NVIDIA
Container Toolkit checks: those of their own CUDA and newer ones, and chosen older
branches, some of them for data-centre GPUs only. A driver between two branches is
refused although it is newer than another that is accepted.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from packaging.version import Version


class Verdict(Enum):
    """What a driver means for the containers of a toolkit."""

    STARTS = "starts"
    DATA_CENTER = "starts on data-centre GPUs only"
    TOO_OLD = "too old"
    BETWEEN = "of a branch that is not accepted, though older ones are"


REFUSED = (Verdict.TOO_OLD, Verdict.BETWEEN)
"""The verdicts under which no GPU can be used."""


@dataclass(frozen=True)
class Drivers:
    """The drivers on which the images of a toolkit start."""

    toolkit: str
    """That of its CUDA: it and every newer one, on every GPU."""
    branches: tuple[str, ...]
    """Older ones, each from there to the end of its branch, on every GPU; oldest first."""
    data_center: tuple[str, ...]
    """Older ones, each from there to the end of its branch, on data-centre GPUs only."""

    @property
    def oldest(self) -> str:
        """The oldest driver that suffices on every GPU."""
        return self.branches[0] if self.branches else self.toolkit

    @property
    def branches_shown(self) -> str:
        """The older ones for every GPU, such as ``525.60.13+, 535+``."""
        return ", ".join(f"{first}+" for first in self.branches)

    @property
    def data_center_shown(self) -> str:
        """The older ones for data-centre GPUs, such as ``450.51+, 470.57+``."""
        return ", ".join(f"{first}+" for first in self.data_center)


def branch(driver: str) -> str:
    """Return the branch of a driver, such as ``"535"`` of ``"535.104.05"``."""
    return driver.partition(".")[0]


def _in_one_of(driver: str, branches: tuple[str, ...]) -> bool:
    return any(
        branch(driver) == branch(first) and Version(driver) >= Version(first) for first in branches
    )


def judge(driver: str, drivers: Drivers) -> Verdict:
    """Return what a driver means for the containers of a toolkit."""
    if Version(driver) >= Version(drivers.toolkit) or _in_one_of(driver, drivers.branches):
        return Verdict.STARTS
    if _in_one_of(driver, drivers.data_center):
        return Verdict.DATA_CENTER
    return Verdict.TOO_OLD if Version(driver) < Version(drivers.oldest) else Verdict.BETWEEN


def needed(driver: str, drivers: Drivers) -> str:
    """Return in words which driver is needed in place of one that is not accepted."""
    if judge(driver, drivers) is Verdict.TOO_OLD:
        return f"{drivers.oldest} or newer"
    *most, last = dict.fromkeys(branch(first) for first in drivers.branches)
    branches = f"{', '.join(most)} or {last}" if most else last
    return f"one of branch {branches}, or {drivers.toolkit} or newer"
