"""Many people at once on two containers. The larger figures are those of bench/load.py."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.e2e import load
from tests.e2e.conftest import RELEASES
from tests.e2e.support import Laptop

pytestmark = pytest.mark.full

SERVICES = (f"tf{RELEASES['bionic']}", f"tf{RELEASES['noble']}")


def test_nobody_is_refused_and_nothing_stays_behind(laptop: Laptop, tmp_path: Path) -> None:
    before = {service: load.processes(laptop, service) for service in SERVICES}
    memory = {service: load.memory(laptop, service) for service in SERVICES}

    rush = load.commands(laptop, SERVICES, 60)
    assert (rush.served, rush.problems) == (60, ())
    rush = load.sessions(laptop, SERVICES, 10)
    assert (rush.served, rush.problems) == (10, ())
    rush = load.transfers(laptop, SERVICES, 6, megabytes=5, folder=tmp_path)
    assert rush.served == 6

    for service in SERVICES:
        for _ in range(50):
            if (left := load.processes(laptop, service)) == before[service]:
                break
            time.sleep(0.1)
        assert left == before[service]
        assert not [program for program in left if program.startswith("Z")]
        assert load.memory(laptop, service) < memory[service] + 10
