"""Which TensorFlow releases, on which driver and GPUs, and how they share containers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial

from .. import catalogue, drivers, machine, sharing, versions
from ..answers import Answers, Kind, Question, RefusedError
from ..reading import listed, one_of, parsed, quoted_text, shown, text, texts
from .general import CONTAINERS, KIND


def _read_driver(answer: object) -> str:
    driver = quoted_text(answer, "'550.54.15'")
    if driver != "" and not re.fullmatch(r"[0-9]{2,4}(\.[0-9]{1,4}){1,2}", driver):
        raise RefusedError(
            f"{shown(driver)} is not a driver version; write it as nvidia-smi prints it, such as "
            "550.54.15, or leave it empty"
        )
    return driver


def _no_start(driver: str, versions: Iterable[str]) -> tuple[str, str] | None:
    """Return the first version that does not start on a driver, and which driver it needs."""
    for version in versions:
        accepted = catalogue.releases()[version].toolkit.drivers
        if driver and drivers.judge(driver, accepted) in drivers.REFUSED:
            return version, drivers.needed(driver, accepted)
    return None


def _starts_on_any_gpu(driver: str, release: catalogue.Release) -> bool:
    """Return whether a release starts on a driver whatever the GPU is, since nobody said."""
    accepted = release.toolkit.drivers
    return not driver or drivers.judge(driver, accepted) is drivers.Verdict.STARTS


def _check_driver(driver: str, answers: Answers) -> None:
    if unmet := _no_start(driver, answers[TF_VERSIONS]):
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
        if generation not in catalogue.GENERATIONS:
            raise RefusedError(
                f"{shown(generation)} is not a known GPU generation; choose from "
                f"{listed(catalogue.GENERATIONS)}"
            )
    return present


def _cannot_run(
    gpus: tuple[str, ...], versions: Iterable[str], driver: str
) -> tuple[str, str] | None:
    """Return the first version that runs on none of the generations, and why with a way out."""

    releases, present = catalogue.releases(), set(gpus)

    def runs(version: str) -> bool:
        return not present.isdisjoint(releases[version].gpus.possible)

    def sure(version: str) -> bool:
        return present.isdisjoint(releases[version].gpus.unverified)

    for version in versions:
        if not gpus or runs(version):
            continue
        others = [v for v, r in releases.items() if runs(v) and _starts_on_any_gpu(driver, r)]
        same_major = [v for v in others if v.split(".")[0] == version.split(".")[0]]
        best = sorted(same_major or others, key=sure)[-1:]
        way_out = f"choose {best[0]} or another that does" if best else "no release offered does"
        why = releases[version].gpus.why
        return version, f"does not run on {listed(gpus)} ({why}); {way_out}"
    return None


def _check_gpus(gpus: tuple[str, ...], answers: Answers) -> None:
    if cannot := _cannot_run(gpus, answers[TF_VERSIONS], answers[DRIVER]):
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
    """Return the chosen versions in the order of the catalogue, oldest first."""
    typed = parsed(answer)
    if isinstance(typed, list):
        for version in typed:
            if isinstance(version, float):
                raise RefusedError(
                    f"{shown(version)} was read as a number; quote each version, as in '2.10.1'"
                )
    chosen = texts(answer)
    if not chosen:
        raise RefusedError(
            f"{shown(answer)} is not a list of versions; choose at least one, such as ['2.17.0']"
        )
    releases = catalogue.releases()
    if wrong := [version for version in chosen if version not in releases]:
        raise RefusedError("; ".join(f"{shown(v)} {versions.advice(v, releases)}" for v in wrong))
    return tuple(version for version in releases if version in chosen)


def _check_tf_versions(chosen: tuple[str, ...], answers: Answers) -> None:
    if answers[KIND] != Kind.HOST:
        return
    driver = answers[DRIVER]
    if unmet := _no_start(driver, chosen):
        raise RefusedError(
            f"{shown(unmet[0])} needs NVIDIA driver {unmet[1]}, and the host has {driver}; "
            "upgrade it and answer driver again, or leave that version out"
        )
    if cannot := _cannot_run(answers[GPUS], chosen, driver):
        raise RefusedError(f"{shown(cannot[0])} {cannot[1]}")


def _default_tf_versions(answers: Answers) -> list[str]:
    """Return the newest 1.x and 2.x that this host can run."""
    driver, gpus = "", tuple[str, ...]()
    if answers[KIND] == Kind.HOST:
        driver = answers[DRIVER] if DRIVER in answers else machine.driver()
        gpus = answers[GPUS] if GPUS in answers else tuple(machine.gpus())

    def fits(release: catalogue.Release) -> bool:
        return _starts_on_any_gpu(driver, release) and not _cannot_run(gpus, [release.version], "")

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

SHARING = Question(
    "containers",
    CONTAINERS,
    partial(one_of, sharing.WAYS, "a way to share containers"),
    unanswered=sharing.PER_VERSION,
)


def _read_gpu_devices(answer: object) -> str:
    devices = text(answer)
    device = r"([0-9]{1,3}|(GPU|MIG)-[0-9A-Za-z/-]+)"
    if devices == "all":
        return devices
    if not re.fullmatch(rf"{device}(,{device})*", devices):
        raise RefusedError(
            f"{shown(devices)} does not name a GPU; use all, or indexes or UUIDs as nvidia-smi -L "
            "prints them, such as 0,1"
        )
    named = devices.split(",")
    if len(named) != len(set(named)):
        raise RefusedError(f"{shown(devices)} names a GPU twice; name each once")
    return devices


GPU_DEVICES = Question("gpu_devices", (Kind.HOST,), _read_gpu_devices, unanswered="all")
