"""Facts of images, read through a registry's HTTP API without pulling a layer.

https://distribution.github.io/distribution/spec/api/ and
https://github.com/opencontainers/image-spec/blob/main/config.md
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import requests

from extensions.drivers import Drivers

_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


@dataclass(frozen=True)
class Image:
    """What the configuration of an image says."""

    digest: str
    size: int
    """Of its compressed layers, in bytes."""
    environment: dict[str, str]
    labels: dict[str, str]
    commands: tuple[str, ...]
    """The commands that made its layers, oldest first."""

    @property
    def cuda(self) -> str | None:
        """Such as ``12.3.0``."""
        return self.environment.get("CUDA_VERSION")

    @property
    def ubuntu(self) -> str | None:
        """Such as ``22.04``, where its base has a label for it."""
        return self.labels.get("org.opencontainers.image.version")

    @property
    def packages(self) -> dict[str, str]:
        """The apt packages that a version was asked for, with variables put in."""
        script = re.sub(
            r"\$\{?([A-Z0-9_]+)\}?",
            lambda match: self.environment.get(match[1], match[0]),
            "\n".join(self.commands),
        )
        pinned = re.findall(r"(?:^|\s)([a-z][a-z0-9+.-]+)=([0-9][^\s;&|\"']*)", script)
        return dict(pinned)

    @property
    def drivers(self) -> Drivers | None:
        """The driver branches that it accepts; the toolkit's own is its CUDA version."""
        rule = self.environment.get("NVIDIA_REQUIRE_CUDA")
        return accepted(rule) if rule else None


def accepted(rule: str) -> Drivers:
    """Return the branches of an ``NVIDIA_REQUIRE_CUDA``: those for any brand, those for Tesla.

    Terms are separated by blanks and any may hold; within a term, all that commas join:
    https://github.com/NVIDIA/libnvidia-container/blob/main/src/cli/dsl.c
    """
    cuda = ""
    brands: dict[str, set[str]] = {}
    for term in rule.split():
        if found := re.fullmatch(r"cuda>=([0-9.]+)", term):
            cuda = found[1]
        elif found := re.match(r"(?:brand=(\w+),)?driver>=(\d+)", term):
            brands.setdefault(found[2], set()).add(found[1] or "any")
    everywhere = [branch for branch, names in brands.items() if names != {"tesla"}]
    return Drivers(
        cuda,
        tuple(sorted(everywhere, key=int)),
        tuple(sorted(brands.keys() - set(everywhere), key=int)),
    )


class Registry:
    """A registry that speaks the HTTP API V2, such as https://registry-1.docker.io."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._session = requests.Session()
        self.bytes = 0

    def tags(self, repository: str) -> list[str]:
        """Return the tags of a repository, all pages of them."""
        found: list[str] = []
        path = f"/v2/{repository}/tags/list?n=1000"
        while path:
            response = self._get(path)
            found += response.json().get("tags") or []
            following = response.links.get("next", {}).get("url", "")
            path = following.removeprefix(self._url)
        return found

    def image(self, repository: str, tag: str) -> Image:
        """Return what an image for Linux on amd64 says of itself.

        Raises:
            requests.HTTPError: the registry does not have it.
        """
        accept = {"Accept": ", ".join(_INDEXES + _MANIFESTS)}
        response = self._get(f"/v2/{repository}/manifests/{tag}", accept)
        digest = response.headers["Docker-Content-Digest"]
        manifest = response.json()
        if "manifests" in manifest:
            amd64 = _for_amd64(manifest["manifests"])
            manifest = self._get(f"/v2/{repository}/manifests/{amd64}", accept).json()
        config = self._get(f"/v2/{repository}/blobs/{manifest['config']['digest']}").json()
        settings = config.get("config", {})
        return Image(
            digest=digest,
            size=sum(layer["size"] for layer in manifest["layers"]),
            environment=dict(item.split("=", 1) for item in settings.get("Env") or []),
            labels=settings.get("Labels") or {},
            commands=tuple(step.get("created_by", "") for step in config.get("history", [])),
        )

    def _get(self, path: str, headers: dict[str, str] | None = None) -> requests.Response:
        response = self._session.get(self._url + path, headers=headers, timeout=60)
        challenge = response.headers.get("WWW-Authenticate", "")
        if response.status_code == 401 and challenge.startswith("Bearer "):
            self._session.headers["Authorization"] = f"Bearer {self._token(challenge)}"
            response = self._session.get(self._url + path, headers=headers, timeout=60)
        response.raise_for_status()
        self.bytes += len(response.content)
        return response

    def _token(self, challenge: str) -> str:
        """Return a token for anybody, as https://distribution.github.io/distribution/spec/auth/."""
        asked: dict[str, Any] = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        realm = asked.pop("realm")
        answer = self._session.get(realm, params=asked, timeout=60)
        answer.raise_for_status()
        return str(answer.json()["token"])


def _for_amd64(manifests: list[dict[str, Any]]) -> str:
    for manifest in manifests:
        platform = manifest.get("platform", {})
        if (platform.get("os"), platform.get("architecture")) == ("linux", "amd64"):
            return str(manifest["digest"])
    raise ValueError("there is no image for linux/amd64")
