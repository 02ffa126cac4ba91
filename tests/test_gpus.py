"""The GPU generations of a release follow from the code in its wheel."""

from __future__ import annotations

import pytest

from extensions import catalogue
from extensions.gpus import (
    COMPUTE_CAPABILITIES,
    EXAMPLES,
    Code,
    Fit,
    classify,
    fit,
    fits,
    generation,
)

CODE = Code(native=("5.0", "6.0", "7.0", "8.0"), ptx=("8.0",))


@pytest.mark.parametrize(
    ("capability", "how"),
    [
        ("3.5", Fit.FAILS),
        ("5.2", Fit.NATIVE),
        ("7.5", Fit.NATIVE),
        ("8.9", Fit.NATIVE),
        ("9.0", Fit.COMPILES),
        ("12.0", Fit.COMPILES),
    ],
)
def test_code_runs_on_newer_minors_of_its_major_and_ptx_compiles(capability: str, how: Fit) -> None:
    assert fit(CODE, capability) is how


def test_code_for_a_newer_minor_does_not_run_on_an_older_one() -> None:
    assert fit(Code(("8.9",), ()), "8.6") is Fit.FAILS
    assert fits(Code(("8.6",), ("8.0",)), "ampere") is Fit.COMPILES  # 8.0


def test_reports_and_doubts_go_before_code() -> None:
    runs, slow, unverified = classify(CODE, fails=["blackwell"], unverified=["ada"])
    assert (runs, slow, unverified) == (
        ("pascal", "volta", "turing", "ampere"), ("hopper",), ("ada",)
    )  # fmt: skip


# From the code in the wheels, their CUDA, and reports.
@pytest.mark.parametrize(
    ("version", "shown"),
    [
        ("1.15.5", "pascal to turing"),
        ("2.3.4", "pascal to turing"),
        ("2.11.0", "pascal to ampere, ada?, hopper?"),
        ("2.12.0", "pascal to ada, hopper slow"),
        ("2.14.0", "pascal to ada, hopper slow"),
        ("2.15.0.post1", "pascal to ada, hopper slow, blackwell slow"),
        ("2.15.1", "pascal to ada, hopper slow, blackwell slow"),
        ("2.16.2", "pascal to hopper"),
        ("2.17.0", "pascal to hopper"),
        ("2.21.0", "pascal to hopper"),
    ],
)
def test_the_generations_of_a_release(version: str, shown: str) -> None:
    assert str(catalogue.releases()[version].gpus) == shown


def test_every_generation_has_its_capabilities_and_examples() -> None:
    assert list(COMPUTE_CAPABILITIES) == list(EXAMPLES)
    for name, capabilities in COMPUTE_CAPABILITIES.items():
        for capability in capabilities:
            assert generation(capability) == name


@pytest.mark.parametrize(
    ("capability", "name"),
    [
        ("8.7", "ampere"),
        ("7.2", "volta"),
        ("12.9", "blackwell"),
        ("11.0", None),
        ("14.0", None),
        ("5.2", None),
        ("[N/A]", None),
        ("9", None),
    ],
)
def test_a_capability_that_is_not_listed_belongs_to_the_next_older_of_its_major(
    capability: str, name: str | None
) -> None:
    assert generation(capability) == name
