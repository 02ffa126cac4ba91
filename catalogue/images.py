"""What differs between the catalogue and what a registry has."""

from __future__ import annotations

import requests

from extensions import catalogue
from extensions.release import Toolkit

from .check import Report, minor
from .registry import Image, Registry


def compare_images(registry: Registry, report: Report, prefix: str = "") -> None:
    """Compare every official image of the catalogue, and look for those that it lacks.

    Args:
        registry: Where they are.
        report: Takes what differs.
        prefix: Of the repositories there, such as ``docker.io/`` in a pull-through cache.
    """
    for release in catalogue.releases().values():
        if not release.image.startswith("tensorflow/tensorflow:"):
            continue
        repository, _, tag = release.image.partition(":")
        if release.own_image:
            image = _image(registry, report, release.version, f"{prefix}{repository}", tag)
            if image:
                compare_toolkit(release.version, release.toolkit, image, report)
        elif not release.unusable:
            tags = registry.tags(f"{prefix}{repository}")
            report.compare(
                release.version, "whether it has an image", False, f"{release.version}-gpu" in tags
            )


def _image(
    registry: Registry, report: Report, version: str, repository: str, tag: str
) -> Image | None:
    try:
        image = registry.image(repository, tag)
    except requests.HTTPError as error:
        if error.response is not None and error.response.status_code == 404:
            report.compare(version, "its image", tag, "absent")
            return None
        raise
    report.read += 1
    return image


def compare_toolkit(version: str, toolkit: Toolkit, image: Image, report: Report) -> None:
    """Compare what an image says of itself with its toolkit; what it does not say is unread."""
    if image.cuda:
        report.compare(version, "CUDA of its image", minor(toolkit.cuda), minor(image.cuda))
    if image.ubuntu:
        report.compare(version, "Ubuntu of its image", toolkit.ubuntu, image.ubuntu)
    else:
        report.unread.append(f"{version}: Ubuntu of its image, which has no label for it")
    installed = image.packages
    for name, pinned in toolkit.packages.items():
        if pinned and name in installed:
            report.compare(version, f"{name} of its image", pinned, installed[name])
    if image.drivers:
        has = toolkit.drivers
        for fact, ours, theirs in (
            ("driver branches of its image", has.branches, image.drivers.branches),
            ("driver branches for data centres", has.data_center, image.drivers.data_center),
        ):
            known = [driver.partition(".")[0] for driver in ours]
            own = has.toolkit.partition(".")[0]
            report.compare(
                version, fact, [b for b in known if b != own], [b for b in theirs if b != own]
            )
