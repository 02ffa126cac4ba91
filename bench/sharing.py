"""What a host with every release of the catalogue takes on disk, shared and not.

Computed from the sizes in the catalogue: no official image could be pulled.
"""

from __future__ import annotations

from bench.common import Row, at_most
from extensions import catalogue
from extensions.sharing import PER_CUDA, PER_VERSION, Cost, cost

GOAL = 0.4
"""Gigabytes of the images that sharing may leave."""


def both() -> tuple[Cost, Cost]:
    """Return the cost of every release of the catalogue, shared and not."""
    versions = catalogue.releases()
    return cost(versions, PER_CUDA), cost(versions, PER_VERSION)


def measure() -> list[Row]:
    """Return the comparison of both ways of sharing."""
    ours, theirs = both()
    what = f"every release of the catalogue, `{ours.way}`:"
    baseline = f"`{theirs.way}`"
    return [
        at_most(
            f"{what} official images",
            f"{ours.images}, {ours.gigabytes} GB",
            f"{theirs.images}, {theirs.gigabytes} GB: {baseline}",
            ours.gigabytes / theirs.gigabytes,
            GOAL,
        ),
        Row(
            f"{what} images and environments",
            f"{_total(ours)} GB",
            f"{_total(theirs)} GB: {baseline}",
            _total(ours) / _total(theirs),
        ),
    ]


def _total(cost: Cost) -> int:
    return cost.gigabytes + cost.environment_gigabytes
