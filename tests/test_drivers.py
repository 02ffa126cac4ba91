"""Drivers are branches: an image starts on some older ones, and not on what is between."""

from __future__ import annotations

import pytest

from extensions import catalogue
from extensions.drivers import Verdict, judge, needed
from extensions.release import Toolkit

CASES = [
    ("cuda11.8-focal", "450.51.06", Verdict.DATA_CENTER),
    ("cuda11.8-focal", "460.91.03", Verdict.TOO_OLD),
    ("cuda11.8-focal", "470.57.02", Verdict.STARTS),
    ("cuda11.8-focal", "495.46", Verdict.BETWEEN),
    ("cuda11.8-focal", "525.60.13", Verdict.STARTS),
    ("cuda12.3-jammy", "470.82.01", Verdict.DATA_CENTER),
    ("cuda12.3-jammy", "525.53", Verdict.TOO_OLD),
    ("cuda12.3-jammy", "525.60.13", Verdict.STARTS),
    ("cuda12.3-jammy", "530.30.02", Verdict.BETWEEN),
    ("cuda12.3-jammy", "545.23.06", Verdict.STARTS),
    ("cuda12.3-jammy", "580.65.06", Verdict.STARTS),
    ("cuda10.0-bionic-b", "390.12", Verdict.TOO_OLD),
    ("cuda10.0-bionic-b", "384.81", Verdict.DATA_CENTER),
    ("nv11.8-focal", "515.65.01", Verdict.DATA_CENTER),
    ("nv11.8-focal", "515.48.07", Verdict.TOO_OLD),
    ("nv12.1-focal", "525.85.12", Verdict.DATA_CENTER),
]


@pytest.mark.parametrize(("toolkit", "driver", "verdict"), CASES)
def test_what_a_driver_means_for_a_toolkit(toolkit: str, driver: str, verdict: Verdict) -> None:
    assert judge(driver, catalogue.toolkits()[toolkit].drivers) is verdict


@pytest.mark.parametrize("toolkit", catalogue.toolkits().values(), ids=lambda t: t.name)
def test_every_driver_that_a_toolkit_names_starts_it(toolkit: Toolkit) -> None:
    for driver in (toolkit.driver, toolkit.drivers.toolkit, *toolkit.drivers.branches):
        assert judge(driver, toolkit.drivers) is Verdict.STARTS
    for driver in toolkit.drivers.data_center:
        assert judge(driver, toolkit.drivers) is Verdict.DATA_CENTER


def test_the_words_name_a_driver_that_would_start() -> None:
    accepted = catalogue.toolkits()["cuda12.3-jammy"].drivers
    assert needed("390.12", accepted) == "525.60.13 or newer"
    assert needed("530.30.02", accepted) == "one of branch 525 or 535, or 545.23.06 or newer"
