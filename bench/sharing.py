"""What hosts with few releases and with many take on disk, in each way of sharing.

Computed from the sizes in the catalogue: no official image could be pulled.
"""

from __future__ import annotations

from collections.abc import Collection

from bench.common import Row, at_most
from extensions import catalogue
from extensions.sharing import ONE, PER_CUDA, PER_VERSION, Cost, cost

GOAL = 0.4
"""Gigabytes of the images that sharing by CUDA may leave, of every release."""
GOAL_ONE = 0.01
"""Those that one container for all may leave."""
GOAL_TOGETHER = 0.5
"""Images and environments that it may leave, of every release."""

HOSTS = {
    "2 releases": ("1.15.5", "2.17.0"),
    "5 releases": ("1.15.5", "2.4.3", "2.9.3", "2.13.0", "2.17.0"),
    "every release but NVIDIA's builds": tuple(
        version for version, release in catalogue.releases().items() if release.installable
    ),
}


def both() -> tuple[Cost, Cost]:
    """Return the cost of every release of the catalogue, shared by CUDA and not."""
    versions = catalogue.releases()
    return cost(versions, PER_CUDA), cost(versions, PER_VERSION)


def measure() -> list[Row]:
    """Return the comparison of the ways of sharing."""
    ours, theirs = both()
    what = f"every release of the catalogue, `{ours.way}`:"
    rows = [
        at_most(
            f"{what} official images",
            f"{ours.images}, {ours.gigabytes} GB",
            f"{theirs.images}, {theirs.gigabytes} GB: `{theirs.way}`",
            ours.gigabytes / theirs.gigabytes,
            GOAL,
        ),
        _together(what, ours, theirs),
    ]
    for host, versions in HOSTS.items():
        rows += _in_one(host, versions)
    return rows


def _in_one(host: str, versions: Collection[str]) -> list[Row]:
    alone, by_cuda, one = (cost(versions, way) for way in (PER_VERSION, PER_CUDA, ONE))
    what = f"{host}, `{one.way}`:"
    return [
        at_most(
            f"{what} base images",
            f"{one.images}, {one.gigabytes} GB",
            f"{alone.images}, {alone.gigabytes} GB: `{alone.way}`",
            one.gigabytes / alone.gigabytes,
            GOAL_ONE,
        ),
        _together(what, one, alone, GOAL_TOGETHER if len(versions) > 5 else None),
        _together(what, one, by_cuda),
    ]


def _together(what: str, ours: Cost, theirs: Cost, goal: float | None = None) -> Row:
    words = (
        f"{what} images and environments",
        f"{_total(ours)} GB",
        f"{_total(theirs)} GB: `{theirs.way}`",
    )
    ratio = _total(ours) / _total(theirs)
    return at_most(*words, ratio, goal) if goal else Row(*words, ratio)


def _total(cost: Cost) -> int:
    return round(cost.gigabytes + cost.environment_gigabytes)
