"""The facts that a host's doctor compares the server with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from . import gpus, holds, mirrors
from .answers import Answers
from .containers import Container, plan, proxies, services
from .drivers import Drivers
from .questions.general import HOST
from .questions.mounts import MOUNTS
from .questions.network import MIRROR, SSH
from .questions.paths import CONDA_PATH, HOST_HOME, PROJECT_PATH
from .questions.people import GID, PEOPLE, UID
from .release import Release

ENGINE = "20.10.10"
"""Oldest Docker Engine: before it, Ubuntu 22.04's apt fails in containers, since seccomp
refuses clone3 (https://github.com/moby/moby/pull/42681)."""

COMPOSE = "2.4"
"""Oldest Compose."""


def facts_json(answers: Answers) -> str:
    """Return the content of ``host/facts.json``: an answer that was not given leaves no trace."""
    facts: dict[str, Any] = {
        "host": answers[HOST],
        "uid": answers[UID],
        "gid": answers[GID],
        "paths": {path.name: answers[path] for path in (HOST_HOME, CONDA_PATH, PROJECT_PATH)},
    }
    if people := answers[PEOPLE]:
        facts["people"] = {
            one.name: {"uid": one.uid, "gid": one.gid, "home": one.home, "project": one.project}
            for one in people
        }
    if mounts := answers[MOUNTS]:
        facts["mounts"] = list(mounts)
    containers = plan(answers)
    if proxy := proxies(answers):
        facts["proxy"] = proxy
    if apt := mirrors.urls(answers[MIRROR]).apt:
        facts["mirror"] = f"{apt}/dists/{containers[0].toolkit.codename}/InRelease"
    facts["needs"] = {"engine": ENGINE, "compose": COMPOSE}
    facts["gpu_generations"] = gpus.COMPUTE_CAPABILITIES
    facts["cuda_packages"] = holds.FAMILIES
    made = services(answers)
    facts["containers"] = {
        one.name: _container(one, [m for m in made if m.folder == one.folder], answers[SSH])
        for one in containers
    }
    return _printed(facts, 0) + "\n"


def _container(container: Container, made: list[Container], ssh: bool) -> dict[str, Any]:
    toolkit = container.toolkit
    ports = {one.person.name: one.port for one in made if one.person}
    return {
        "image": container.image,
        **({"port": container.port} if ssh else {}),
        **({"ports": ports} if ssh and ports else {}),
        "drivers": _drivers(toolkit.drivers),
        "gigabytes": toolkit.size_gb,
        "glibc": toolkit.glibc,
        "libraries": toolkit.libraries,
        "releases": {
            release.version: {**_gpus(release), **_environments(release, container)}
            for release in container.releases
        },
    }


def _environments(release: Release, container: Container) -> dict[str, Any]:
    """Return where a release is installed, and what it needs that differs from its container."""
    if not release.installable:
        return {}
    names = [container.environment_of(release)]
    if release.own_cuda and release.own_environment not in names:
        names.append(release.own_environment)
    own = release.libraries != container.toolkit.libraries
    return {
        "environments": names,
        **({"drivers": _drivers(release.toolkit.drivers)} if container.own_cuda else {}),
        **({"libraries": release.libraries} if own else {}),
    }


def _drivers(drivers: Drivers) -> dict[str, Any]:
    older = {"branches": drivers.branches, "data_center": drivers.data_center}
    return {"toolkit": drivers.toolkit, **{name: few for name, few in older.items() if few}}


def _gpus(release: Release) -> dict[str, Any]:
    gpus = release.gpus
    lists = {"runs": gpus.runs, "slow": gpus.slow, "unverified": gpus.unverified}
    return {**{name: names for name, names in lists.items() if names}, "why": gpus.why}


def _printed(value: Any, depth: int) -> str:
    """Return a value as JSON: a line for each entry of an object, one line for a list."""
    if not isinstance(value, Mapping) or not value:
        return json.dumps(value, ensure_ascii=False)
    indent = "  " * (depth + 1)
    lines = [f"{indent}{json.dumps(key)}: {_printed(one, depth + 1)}" for key, one in value.items()]
    return "{\n" + ",\n".join(lines) + "\n" + "  " * depth + "}"
