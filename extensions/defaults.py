"""Defaults of the questions that depend on the machine or on other answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from . import catalogue, checks, machine


def _host(answers: Mapping[str, Any]) -> str:
    return re.sub("[^a-z0-9]+", "-", answers["_folder_name"].lower()).strip("-")[:40] or "gpu01"


def _tf_versions(answers: Mapping[str, Any]) -> list[str]:
    """Return the newest 1.x and 2.x that this host can run."""

    driver, gpus = checks.driver_of(answers), checks.gpus_of(answers)

    def fits(release: catalogue.Release) -> bool:
        host = {"driver": driver, "gpus": gpus, "tf_versions": [release.version]}
        return not checks.refusal("tf_versions", host)

    fitting = catalogue.default_versions(fits, gpus)
    return fitting or catalogue.default_versions(lambda _: True, [])


_DEFAULTS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "host": _host,
    "tf_versions": _tf_versions,
    "driver": lambda _: machine.driver(),
    "gpus": lambda _: machine.gpus(),
    "uid": lambda _: machine.uid(),
    "gid": lambda _: machine.gid(),
    "host_home": lambda _: machine.home(),
    "conda_path": lambda answers: machine.conda_path(str(answers["host_home"])),
    "project_path": lambda answers: f"{answers['host_home']}/tensorflow_volume",
    "image_registry": lambda _: "",
    "nfs_server": lambda _: "",
}


def default(question: str, answers: Mapping[str, Any]) -> Any:
    """Return the default of a question, given the answers known so far."""
    return _DEFAULTS[question](answers)
