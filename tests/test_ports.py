"""A port is readable, and stays with its version for ever."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from extensions import catalogue, ports, sharing
from tests.answers import error

VERSIONS = list(catalogue.releases())
SHARED = [group.entry for group in sharing.groups(VERSIONS, sharing.PER_CUDA) if group.shared]


@pytest.mark.parametrize(
    ("version", "port"),
    [
        ("1.15.5", 11522),
        ("2.9.3", 20922),
        ("2.15.0.post1", 21522),
        ("2.17.0-nv25.02", 21722),
        ("cuda10.0", 31002),
        ("cuda11.2", 31122),
        ("cuda12.3", 31232),
    ],
)
def test_a_default_port_reads_like_its_version(version: str, port: int) -> None:
    assert ports.allot([version], {}) == {version: port}


def test_a_second_release_of_a_minor_takes_the_next_free_number() -> None:
    assert ports.allot(["2.9.1", "2.9.3"], {"2.8.4": 20923}) == {
        "2.8.4": 20923,
        "2.9.1": 20922,
        "2.9.3": 20924,
    }


def test_people_are_counted_in_the_order_of_the_ledger() -> None:
    ledger = ports.allot(["2.17.0", "alice/2.17.0", "bob/2.17.0"], {})
    assert ledger == {"2.17.0": 21722, "alice/2.17.0": 21723, "bob/2.17.0": 21724}
    grown = ports.allot(["1.15.5", "bob/1.15.5", "carol/1.15.5"], ledger, offset=10)
    assert grown == {**ledger, "1.15.5": 11532, "bob/1.15.5": 11534, "carol/1.15.5": 11535}


def test_an_offset_moves_only_ports_not_given_yet() -> None:
    names = ["1.15.5", "2.17.0", "cuda11.2", "tensorflow"]
    assert ports.allot(names, {"1.15.5": 11522}, offset=10) == {
        "1.15.5": 11522,
        "2.17.0": 21732,
        "cuda11.2": 31132,
        "tensorflow": 30032,
    }


def test_default_ports_lie_below_the_ephemeral_range() -> None:
    names = [*VERSIONS, *SHARED, "cuda17.6"]
    assert max(ports.allot(names, {}, offset=ports.MAX_OFFSET).values()) < 32768


def needed(answers: dict[str, Any]) -> list[str]:
    return [g.entry for g in sharing.groups(answers["tf_versions"], answers["containers"])]


chosen = st.lists(st.sampled_from(VERSIONS), min_size=1, unique=True)


class YearsOfAnswers(RuleBasedStateMachine):
    """Any history of choosing, dropping, choosing again, sharing or not, and typing over.

    Each step is one run of Copier: the ledger is allotted for the chosen versions as the
    question's default, typed over by the person, and recorded if it is not refused.
    """

    @initialize()
    def first_copy(self) -> None:
        self.ledger: dict[str, int] = {}
        self.before: dict[str, int] = {}

    @rule(
        chosen=chosen,
        way=st.sampled_from(sharing.WAYS),
        typed=st.dictionaries(
            st.sampled_from(VERSIONS + SHARED), st.integers(1000, 66000), max_size=3
        ),
        offset=st.integers(0, ports.MAX_OFFSET),
    )
    def answer(self, chosen: list[str], way: str, typed: dict[str, int], offset: int) -> None:
        answers = {"tf_versions": chosen, "containers": way, "port_offset": offset}
        answer = {**ports.allot(needed(answers), self.ledger, offset), **typed}
        if not error("ports", {**answers, "ports": answer}, {"ports": self.ledger}):
            self.before, self.ledger = self.ledger, answer
            assert set(needed(answers)) <= set(self.ledger)

    @rule(chosen=chosen, way=st.sampled_from(sharing.WAYS))
    def accept_the_default(self, chosen: list[str], way: str) -> None:
        answers: dict[str, Any] = {"tf_versions": chosen, "containers": way}
        answer = answers["ports"] = ports.allot(needed(answers), self.ledger)
        assert not error("ports", answers, {"ports": self.ledger})
        self.before, self.ledger = self.ledger, answer

    @invariant()
    def no_port_changes(self) -> None:
        assert self.before.items() <= self.ledger.items()

    @invariant()
    def no_port_is_used_twice(self) -> None:
        assert len(set(self.ledger.values())) == len(self.ledger)

    @invariant()
    def every_port_is_a_port(self) -> None:
        assert all(ports.LOWEST <= port <= ports.HIGHEST for port in self.ledger.values())


TestYearsOfAnswers = YearsOfAnswers.TestCase
