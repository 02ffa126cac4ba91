"""What the images are made of, and where they come from and go to."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

from .. import holds
from ..addresses import is_url
from ..answers import Answers, Kind, Question, RefusedError
from ..reading import parsed, quoted_text, shown, text, text_map, text_or_map
from .general import CONTAINERS
from .tensorflow import IMAGES


def _read_packages(answer: object) -> tuple[str, ...]:
    names = parsed(answer)
    if not isinstance(names, list):
        raise RefusedError(
            f"{shown(answer)} is not a list; write it as [vim, net-tools], or [] for none"
        )
    for name in names:
        if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9][a-z0-9+.-]*[a-z0-9+.]", name):
            raise RefusedError(
                f"{shown(name)} is not the name of an apt package; use lower-case letters, digits, "
                "+ - and ., such as net-tools"
            )
        if holds.is_cuda(name):
            raise RefusedError(
                f"{shown(name)} is a CUDA package, and those are held at the versions of the "
                "image; leave it out"
            )
    return tuple(names)


PACKAGES = Question[tuple[str, ...]]("packages", CONTAINERS, _read_packages, unanswered=())


def _read_image_prefix(answer: object) -> str:
    """Refuse what https://github.com/distribution/reference does not take before an image."""
    prefix = text(answer)
    name = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
    host, _, _ = prefix.partition("/")
    is_host = "." in host or ":" in host  # else a part of a path, on Docker Hub
    if len(prefix) > 200:
        raise RefusedError(f"{shown(prefix)} is too long for an image; use at most 200 characters")
    if not re.fullmatch(rf"({name}(:[0-9]{{1,5}})?(/{name})*)?", prefix) or (
        is_host and not is_url(f"https://{host}")
    ):
        raise RefusedError(
            f"{shown(prefix)} is not a prefix of image names; write host, port and path without "
            "https:// and without a trailing slash, such as registry.example.com:5000/hub"
        )
    return prefix


def _read_registry_prefix(answer: str) -> str:
    host, _, _ = answer.partition("/")
    if re.fullmatch("[a-z0-9_-]+", host) and host != "localhost":
        raise RefusedError(
            f"{shown(answer)} would be a part of Docker Hub, since its host has neither dot nor "
            "port; write its full name, such as registry.example.com/hub, or registry:443/hub"
        )
    return _read_image_prefix(answer)


def _read_registry(answer: object) -> str | Mapping[str, str]:
    """Return a prefix for the images of every registry, or a map of registry to prefix."""
    prefixes = text_or_map(answer)
    if isinstance(prefixes, str):
        return _read_registry_prefix(prefixes)
    example = "{docker.io: m.daocloud.io/docker.io, nvcr.io: m.daocloud.io/nvcr.io}"
    for upstream, prefix in prefixes.items():
        if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+(:[0-9]{1,5})?", upstream):
            raise RefusedError(f"{shown(upstream)} is not a registry; write it as {example}")
        if not prefix:
            raise RefusedError(f"{upstream} has no prefix; write it as {example}")
        _read_registry_prefix(prefix)
    return prefixes


REGISTRY: Question[str | Mapping[str, str]] = Question(
    "registry", CONTAINERS, _read_registry, unanswered=""
)


def _read_digests(answer: object) -> Mapping[str, str]:
    digests = text_map(answer)
    if digests is None:
        example = "{tensorflow/tensorflow:2.17.0-gpu: sha256:4f3c...}"
        raise RefusedError(
            f"{shown(answer)} is not a map of image to digest; write it as {example}, or {{}}"
        )
    return digests


def _check_digests(digests: Mapping[str, str], answers: Answers) -> None:
    known = sorted({release.image for release in answers[IMAGES].releases.values()})
    for image, digest in digests.items():
        if image not in known:
            near = difflib.get_close_matches(image, known, 1, 0) or known[-1:]
            raise RefusedError(
                f"{shown(image)} is not a base image of the catalogue; write it as in {near[0]}"
            )
        if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
            raise RefusedError(
                f"{shown(digest)} is not a digest of {image}; write sha256: and 64 digits, as "
                f"'docker buildx imagetools inspect {image}' prints it"
            )


DIGESTS = Question[Mapping[str, str]](
    "digests", CONTAINERS, _read_digests, unanswered={}, check=_check_digests
)


def _read_image_registry(answer: object) -> str:
    if answer == "":
        raise RefusedError(
            "'' is not a registry; name the one that all nodes pull from, such as "
            "registry.example.com/lab"
        )
    return _read_image_prefix(answer)


IMAGE_REGISTRY = Question(
    "image_registry", (Kind.CLUSTER,), _read_image_registry, unanswered="", default=lambda _: ""
)


def _read_image_tag(answer: object) -> str:
    tag = quoted_text(answer, "'1.0', or use a tag such as v2")
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", tag):
        raise RefusedError(
            f"{shown(tag)} is not a tag of an image; use letters, digits, . _ and -, such as v2"
        )
    if tag == "latest":
        raise RefusedError(
            "'latest' is the same tag for every build; use one that changes, such as v2"
        )
    return tag


IMAGE_TAG = Question("image_tag", (Kind.CLUSTER,), _read_image_tag, unanswered="")
