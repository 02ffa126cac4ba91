"""Under which names images are pulled: from their own registries, or through others."""

from __future__ import annotations

import re
from collections.abc import Mapping

DOCKER_HUB = "docker.io"
"""The registry of an image whose name has none."""


def pulled(image: str, registry: str | Mapping[str, str]) -> str:
    """Return the name by which an official image is pulled.

    Args:
        image: Official name, such as ``tensorflow/tensorflow:2.17.0-gpu`` or ``nvcr.io/…``.
        registry: Prefix that takes the place of every registry, or a map of registry to
            prefix. A registry that is not in the map is used itself.
    """
    host, _, rest = image.partition("/")
    if rest and ("." in host or ":" in host):
        upstream, path = host, rest
    else:
        # https://docs.docker.com/reference/cli/docker/image/pull/: official ones have no owner
        upstream, path = DOCKER_HUB, image if rest else f"library/{image}"
    prefix = registry.get(upstream, "") if isinstance(registry, Mapping) else registry
    return f"{prefix}/{path}" if prefix else image


def docker_mirror(registry: str | Mapping[str, str]) -> str:
    """Return the URL for ``registry-mirrors`` of the Docker engine, empty where none fits.

    The engine asks it for images of Docker Hub alone, and takes no path, as projects of Harbor
    and Artifactory have: https://docs.docker.com/docker-hub/image-library/mirror/
    """
    prefix = registry.get(DOCKER_HUB, "") if isinstance(registry, Mapping) else registry
    return _url(prefix) if prefix and "/" not in prefix else ""


def _url(prefix: str) -> str:
    """Return the URL of the server of a prefix of image names.

    Docker speaks http to registries on the machine itself:
    https://docs.docker.com/reference/cli/dockerd/#insecure-registries
    """
    server = prefix.split("/")[0]
    local = re.match(r"(localhost|127(\.\d+){3})(:|$)", server)
    return f"{'http' if local else 'https'}://{server}"
