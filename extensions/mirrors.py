"""Where apt, pip and conda download from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Urls:
    """Base URLs of one mirror."""

    apt: str
    """Takes the place of the Ubuntu archive, such as ``http://archive.ubuntu.com/ubuntu``."""
    pip: str
    """Takes the place of PyPI's index."""
    conda: str
    """Directory that holds conda's ``pkgs`` and ``cloud``."""
    docker: str
    """Takes the place of https://download.docker.com."""

    @property
    def trusted_host(self) -> str:
        """Host that pip must be told to trust, since it takes nothing from others by http."""
        url = urlsplit(self.pip)
        return (url.hostname or "") if url.scheme == "http" else ""


# Ubuntu's packages are signed, so apt fetches them by http: an image without CA
# certificates can do that too.
KNOWN = {
    # https://developer.aliyun.com/mirror/
    "aliyun": Urls(
        "http://mirrors.aliyun.com/ubuntu",
        "https://mirrors.aliyun.com/pypi/simple",
        "https://mirrors.aliyun.com/anaconda",
        "https://mirrors.aliyun.com/docker-ce",
    ),
    # https://mirrors.tuna.tsinghua.edu.cn/help/
    "tuna": Urls(
        "http://mirrors.tuna.tsinghua.edu.cn/ubuntu",
        "https://mirrors.tuna.tsinghua.edu.cn/pypi/web/simple",
        "https://mirrors.tuna.tsinghua.edu.cn/anaconda",
        "https://mirrors.tuna.tsinghua.edu.cn/docker-ce",
    ),
    # https://mirrors.ustc.edu.cn/help/
    "ustc": Urls(
        "http://mirrors.ustc.edu.cn/ubuntu",
        "https://mirrors.ustc.edu.cn/pypi/simple",
        "https://mirrors.ustc.edu.cn/anaconda",
        "https://mirrors.ustc.edu.cn/docker-ce",
    ),
}


def urls(mirror: str) -> Urls | None:
    """Return the URLs behind the answer ``mirror``, None for ``none``.

    A mirror named by its base URL serves ``/ubuntu``, ``/pypi/simple``, ``/anaconda`` and
    ``/docker-ce``.
    """
    if mirror == "none":
        return None
    base = mirror.rstrip("/")
    return KNOWN.get(mirror) or Urls(
        f"{base}/ubuntu", f"{base}/pypi/simple", f"{base}/anaconda", f"{base}/docker-ce"
    )


def registry_url(registry: str) -> str:
    """Return the URL of the server of a prefix of image names.

    Docker speaks http to registries on the machine itself:
    https://docs.docker.com/reference/cli/dockerd/#insecure-registries
    """
    server = registry.split("/")[0]
    local = re.match(r"(localhost|127(\.\d+){3})(:|$)", server)
    return f"{'http' if local else 'https'}://{server}"
