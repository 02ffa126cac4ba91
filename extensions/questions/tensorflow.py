"""Which TensorFlow releases, on which driver and GPUs, and how they share containers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from .. import catalogue, drivers, machine, own_images, sharing, versions
from ..answers import Answers, Kind, Question, RefusedError
from ..catalogue import Catalogue
from ..gpus import GENERATIONS
from ..reading import listed, one_of, parsed, quoted_text, shown, texts
from ..release import Release
from .general import CONTAINERS, KIND


def _images_of_file(answers: Answers) -> Mapping[str, Any]:
    conf = answers.of_copier("_copier_conf")
    return own_images.of_file(Path(conf["dst_path"])) if conf else {}


def _with_images_of_file(answers: Answers) -> dict[str, Any]:
    """Return the recorded images with those of the file, which an update may find changed."""
    recorded = parsed(answers.recorded.of_copier(IMAGES.name) or {})
    return {**(recorded if isinstance(recorded, Mapping) else {}), **_images_of_file(answers)}


def _check_images(known: Catalogue, answers: Answers) -> None:
    """Refuse a recorded answer that is not up to date with the file: Copier takes the default."""
    conf = answers.of_copier("_copier_conf")
    if not conf or IMAGES.name in conf["data"]:
        return
    for name, release in own_images.read_images(_images_of_file(answers)).own.items():
        if known.releases.get(name) != release:
            raise RefusedError(f"{name} differs from {own_images.FILE}; write it as in that file")


IMAGES = Question[Catalogue](
    "images",
    CONTAINERS,
    own_images.read_images,
    unanswered=catalogue.base(),
    check=_check_images,
    default=_with_images_of_file,
    complete=_with_images_of_file,
)
"""Read as the catalogue with these images in it."""


def _read_driver(answer: object) -> str:
    driver = quoted_text(answer, "'550.54.15'")
    if driver != "" and not re.fullmatch(r"[0-9]{2,4}(\.[0-9]{1,4}){1,2}", driver):
        raise RefusedError(
            f"{shown(driver)} is not a driver version; write it as nvidia-smi prints it, such as "
            "550.54.15, or leave it empty"
        )
    return driver


def _no_start(driver: str, chosen: Iterable[Release]) -> tuple[str, str] | None:
    """Return the first release that does not start on a driver, and which driver it needs."""
    for release in chosen:
        accepted = release.toolkit.drivers
        if driver and drivers.judge(driver, accepted) in drivers.REFUSED:
            return release.version, drivers.needed(driver, accepted)
    return None


def _starts_on_any_gpu(driver: str, release: Release) -> bool:
    """Return whether a release starts on a driver whatever the GPU is, since nobody said."""
    accepted = release.toolkit.drivers
    return not driver or drivers.judge(driver, accepted) is drivers.Verdict.STARTS


def _check_driver(driver: str, answers: Answers) -> None:
    if unmet := _no_start(driver, chosen(answers)):
        raise RefusedError(
            f"{shown(driver)} does not suffice for TensorFlow {unmet[0]}, which needs {unmet[1]}; "
            "upgrade the driver, or leave that version out"
        )


DRIVER = Question(
    "driver",
    (Kind.HOST,),
    _read_driver,
    unanswered="",
    check=_check_driver,
    default=lambda _: machine.driver(),
)


def _read_gpus(answer: object) -> tuple[str, ...]:
    present = texts(answer)
    if present is None:
        raise RefusedError(
            f"{shown(answer)} is not a list; write it as [ampere, ada], or [] for not checked"
        )
    for generation in present:
        if generation not in GENERATIONS:
            raise RefusedError(
                f"{shown(generation)} is not a known GPU generation; choose from "
                f"{listed(GENERATIONS)}"
            )
    return present


def _cannot_run(
    gpus: tuple[str, ...], chosen: Iterable[Release], driver: str
) -> tuple[str, str] | None:
    """Return the first release that runs on none of the generations, and why with a way out."""
    present = set(gpus)

    def runs(release: Release) -> bool:
        return not present.isdisjoint(release.gpus.possible)

    def sure(release: Release) -> bool:
        return present.isdisjoint(release.gpus.unverified)

    for release in chosen:
        if not gpus or runs(release):
            continue
        offered = catalogue.releases().values()
        others = [other for other in offered if runs(other) and _starts_on_any_gpu(driver, other)]
        same_major = [other for other in others if other.major == release.major]
        best = sorted(same_major or others, key=sure)[-1:]
        way_out = (
            f"choose {best[0].version} or another that does" if best else "no release offered does"
        )
        return release.version, f"does not run on {listed(gpus)} ({release.gpus.why}); {way_out}"
    return None


def _check_gpus(gpus: tuple[str, ...], answers: Answers) -> None:
    if cannot := _cannot_run(gpus, chosen(answers), answers[DRIVER]):
        raise RefusedError(f"TensorFlow {cannot[0]} {cannot[1]}")


GPUS = Question[tuple[str, ...]](
    "gpus",
    (Kind.HOST,),
    _read_gpus,
    unanswered=(),
    check=_check_gpus,
    default=lambda _: machine.gpus(),
)


def _read_tf_versions(answer: object) -> tuple[str, ...]:
    typed = parsed(answer)
    if isinstance(typed, list):
        for version in typed:
            if isinstance(version, float):
                raise RefusedError(
                    f"{shown(version)} was read as a number; quote each version, as in '2.10.1'"
                )
    named = texts(answer)
    if not named:
        raise RefusedError(
            f"{shown(answer)} is not a list of versions; choose at least one, such as ['2.17.0']"
        )
    return named


def _check_tf_versions(named: tuple[str, ...], answers: Answers) -> None:
    releases = answers[IMAGES].releases
    if wrong := [version for version in named if version not in releases]:
        raise RefusedError("; ".join(f"{shown(v)} {versions.advice(v, releases)}" for v in wrong))
    if answers[KIND] != Kind.HOST:
        return
    driver, releases_named = answers[DRIVER], answers[IMAGES].chosen(named)
    if unmet := _no_start(driver, releases_named):
        raise RefusedError(
            f"{shown(unmet[0])} needs NVIDIA driver {unmet[1]}, and the server has {driver}; "
            "upgrade it and answer driver again, or leave that version out"
        )
    if cannot := _cannot_run(answers[GPUS], releases_named, driver):
        raise RefusedError(f"{shown(cannot[0])} {cannot[1]}")


def _default_tf_versions(answers: Answers) -> list[str]:
    """Return the newest 1.x and 2.x that this server can run."""
    driver, gpus = "", tuple[str, ...]()
    if answers[KIND] == Kind.HOST:
        driver = answers[DRIVER] if DRIVER in answers else machine.driver()
        gpus = answers[GPUS] if GPUS in answers else tuple(machine.gpus())

    def fits(release: Release) -> bool:
        return _starts_on_any_gpu(driver, release) and not _cannot_run(gpus, [release], "")

    fitting = catalogue.default_versions(fits, gpus)
    return fitting or catalogue.default_versions(lambda _: True, [])


TF_VERSIONS = Question[tuple[str, ...]](
    "tf_versions",
    CONTAINERS,
    _read_tf_versions,
    unanswered=(),
    check=_check_tf_versions,
    default=_default_tf_versions,
)


def version_choices(answers: Answers) -> list[list[str]]:
    """Return label and version of the releases that the question lists.

    With ``--defaults`` nobody reads the list, and Copier compiles each row of it several times:
    there it is what is chosen.
    """
    versions = answers[TF_VERSIONS] or _default_tf_versions(answers)
    rows = answers[IMAGES].choices(versions)
    conf = answers.of_copier("_copier_conf") or {}
    return [row for row in rows if row[1] in versions] if conf.get("defaults") else rows


def chosen(answers: Answers) -> list[Release]:
    """Return the chosen releases, oldest first."""
    return answers[IMAGES].chosen(answers[TF_VERSIONS])


SHARING = Question(
    "containers",
    CONTAINERS,
    partial(one_of, sharing.WAYS, "a way to share containers"),
    unanswered=sharing.PER_VERSION,
)
