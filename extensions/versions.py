"""What people type for a TensorFlow release, and which one they mean.

Nothing is rewritten: what is recorded is what was typed, so anything but the name of a
release is refused, with the name to type.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

from packaging.version import InvalidVersion, Version

from .release import Release

_LATEST = re.compile(r"latest(-gpu)?(-py3)?(-jupyter)?")
_DECORATION = re.compile(
    r"^(.*/)?tensorflow(-gpu)?(\[and-cuda\])?(==|:)|^v(?=[0-9])|(-(gpu|py3|jupyter))+$"
)


def advice(typed: str, releases: Mapping[str, Release]) -> str:
    """Return why something typed is not a release, and which one to type.

    Args:
        typed: What is not the name of a release, such as ``latest-gpu`` or ``2.10``.
        releases: The releases by version, oldest first.
    """
    name = _DECORATION.sub("", typed.strip())
    if name in releases:
        return f"is more than a version; write {name}"
    if _LATEST.fullmatch(typed):
        return _latest(releases)
    official = [version for version in releases if "-" not in version]
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", name):
        return _minor(name, official)
    try:
        version = Version(name)
    except InvalidVersion:
        return _misspelt(name, releases)
    if version < Version(official[0]):
        return (
            f"is older than {official[0]}, the oldest in the catalogue: its image is on "
            f"Ubuntu 16.04 or older; choose {official[0]}"
        )
    if version.is_prerelease:
        older = [other for other in official if Version(other) < version]
        return f"is a pre-release, which is not offered; choose {older[-1]}"
    if version > Version(official[-1]):
        return (
            f"is newer than {official[-1]}, the newest in this catalogue; choose that, or update "
            "the template"
        )
    return _misspelt(name, releases)


def _latest(releases: Mapping[str, Release]) -> str:
    official = [release for version, release in releases.items() if "-" not in version]
    newest, sound = official[-1], [release for release in official if release.own_image][-1]
    if newest is sound:
        return f"is not a release; choose {newest.version}, the newest"
    why = newest.unusable["why"] if newest.unusable else "does not exist"
    return (
        f"is {newest.version}, whose image {why}; choose {sound.version}, the newest with a "
        f"working image, or {newest.version} as an environment"
    )


def _minor(name: str, official: list[str]) -> str:
    of_minor = [version for version in official if f"{version}.".startswith(f"{name}.")]
    if not of_minor:
        return f"is not in the catalogue; choose one from {official[0]} to {official[-1]}"
    if name.isdigit():
        return f"is a major version; choose a release, such as {of_minor[-1]}"
    return f"is a minor version; choose one of {', '.join(of_minor)}"


def _misspelt(name: str, releases: Mapping[str, Release]) -> str:
    minor = ".".join(name.split(".")[:2])
    same = [version for version in releases if version.startswith(f"{minor}.")]
    near = same or difflib.get_close_matches(name, releases, 3, 0.3) or list(releases)[-3:]
    return f"is not in the catalogue; choose one of {', '.join(near)}"
