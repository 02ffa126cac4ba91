"""Where apt, pip and conda download from, and the server its Docker, toolkit and Miniforge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from urllib.parse import urlsplit

from . import data


@dataclass(frozen=True)
class Urls:
    """Base URLs without a slash at the end; empty where the original site is used."""

    apt: str = ""
    """Takes the place of the Ubuntu archive, such as ``http://archive.ubuntu.com/ubuntu``."""
    pip: str = ""
    """Takes the place of PyPI's index."""
    conda: str = ""
    """Directory that holds conda's ``pkgs`` and ``cloud``."""
    docker: str = ""
    """Takes the place of https://download.docker.com."""
    nvidia: str = ""
    """Takes the place of https://nvidia.github.io/libnvidia-container."""
    miniforge: str = ""
    """Takes the place of https://github.com/conda-forge/miniforge/releases/download."""

    @property
    def trusted_host(self) -> str:
        """Host that pip must be told to trust, since it takes nothing from others by http."""
        url = urlsplit(self.pip)
        return (url.hostname or "") if url.scheme == "http" else ""


PARTS = tuple(field.name for field in fields(Urls))
"""What a mirror may serve: the keys of a map, in the order of the pages."""


def known() -> Mapping[str, Mapping[str, str]]:
    """Return the named mirrors: name to part to URL, or to the mirror that has this part."""
    mirrors: dict[str, dict[str, str]] = data.load("mirrors.yaml")
    return mirrors


def url_of(part: str, mirror: str) -> str:
    """Return where a mirror, given by name or URL, has a part, empty where it has none."""
    while mirror in known():
        mirror = known()[mirror].get(part, "")
    return mirror.rstrip("/")


def urls(mirror: str | Mapping[str, str]) -> Urls:
    """Return the URLs behind the answer ``mirror``, all of them empty for ``none``.

    A mirror named by its base URL serves ``/ubuntu``, ``/pypi/simple``, ``/anaconda`` and
    ``/docker-ce``. A map has a URL, or the name of a mirror, for each part that it names.
    """
    if isinstance(mirror, Mapping):
        return Urls(**{str(part): url_of(str(part), str(url)) for part, url in mirror.items()})
    if mirror == "none":
        return Urls()
    if mirror in known():
        return Urls(**{part: url_of(part, mirror) for part in PARTS})
    base = mirror.rstrip("/")
    return Urls(f"{base}/ubuntu", f"{base}/pypi/simple", f"{base}/anaconda", f"{base}/docker-ce")
