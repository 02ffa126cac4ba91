"""Any history of a host, against a simple model of what must come out.

A handful of histories by default; the 200 of a release by
``pytest --hypothesis-profile=full tests/test_histories.py`` (half an hour).
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from extensions import catalogue, sharing
from extensions.containers import service_name
from tests.releases import NEWEST, Host, Repository, release, replace
from tests.support import git

VERSIONS = ["1.15.5", "2.9.1", "2.9.3", "2.15.0.post1", "2.17.0", "2.17.0-nv25.02"]
RELEASES = [NEWEST, "100.0.0", "101.0.0"]

BELOW = "# Add your own below this line: an update keeps them."
SERVICES = "# Add your own services below this line: an update keeps them."

PEOPLE = {name: {"uid": uid} for name, uid in [("alice", 2001), ("bob", 2002), ("li_na", 2003)]}

chosen = st.lists(st.sampled_from(VERSIONS), min_size=1, max_size=4, unique=True)


def blocks(compose: str) -> dict[str, str]:
    """Return the text of each service, and of what a person's services have in common."""
    begin = re.compile("^(?:  |x-person-)([^ :]+):", re.MULTILINE)
    people, _, services = compose.partition("\nservices:\n")
    people = people[people.find("\nx-person-") :] if "\nx-person-" in people else ""
    services = services.partition(SERVICES)[0]
    found = {}
    for part in re.split(r"(?m)^(?=x-person-)", people)[1:] + re.split(r"(?m)^(?=  \S)", services):
        if match := begin.match(part):
            found[match[0].strip()] = part.rstrip()
    return found


@pytest.fixture(scope="module")
def template(copier_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template with two later releases: other text, and a new question."""
    target = tmp_path_factory.mktemp("later") / "template"
    git(copier_template, "clone", "--quiet", str(copier_template), str(target))
    replace("template/host/images/*.jinja", **{"# Packages of every": "# All packages of every"})(
        target
    )
    replace("template/host/docker-compose.yml.jinja", **{"timeout: 10s": "timeout: 9s"})(target)
    release(target, "100.0.0")
    with (target / "copier.yml").open("a") as questions:
        questions.write("\nshm_size:\n  type: str\n  default: 1gb\n")
    replace(
        "template/host/*.jinja", **{"  init: true\n": "  init: true\n  shm_size: {{ shm_size }}\n"}
    )(target)
    release(target, "101.0.0")
    return target


class History(RuleBasedStateMachine):
    """The host of the article and its admin. The model is what the admin remembers."""

    template: Path
    article: dict[str, Any]

    @initialize(versions=chosen, offset=st.sampled_from([0, 10]))
    def copy(self, versions: list[str], offset: int) -> None:
        self.folder = tempfile.TemporaryDirectory()
        repository = Repository.create(Path(self.folder.name, "infra"))
        answers = {**self.article, "driver": "", "gpus": []}
        del answers["ports"]
        answers |= {"tf_versions": versions, "port_offset": offset}
        self.host: Host = repository.copy(self.template, answers)
        self.versions = set(versions)
        self.people: set[str] = set()
        self.way = sharing.PER_VERSION
        self.ports: dict[str, int] = {}
        self.release = NEWEST
        self.edits: dict[str, str] = {}
        self.answers: dict[str, Any] = {}

    @property
    def groups(self) -> list[sharing.Group]:
        return sharing.groups(self.versions, self.way)

    def prefixes(self, mark: str) -> list[str]:
        """What names of everybody's containers begin with."""
        return ["", *(f"{name}{mark}" for name in sorted(self.people))]

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()

    @rule(versions=chosen)
    def choose(self, versions: list[str]) -> None:
        self.host.answer(tf_versions=versions)
        self.versions = set(versions)

    @rule(way=st.sampled_from(sharing.WAYS))
    def share(self, way: str) -> None:
        self.host.answer(containers=way)
        self.way = way

    @rule(people=st.sets(st.sampled_from(sorted(PEOPLE)), max_size=3))
    def name_people(self, people: set[str]) -> None:
        before = blocks(self.host.read("docker-compose.yml"))
        self.host.answer(people={name: PEOPLE[name] for name in sorted(people)})
        after = blocks(self.host.read("docker-compose.yml"))
        changed = [name for name, text in before.items() if after.get(name, text) != text]
        assert changed == []
        gone, new = self.people - people, people - self.people
        for names, of in (
            (before.keys() - after.keys(), gone),
            (after.keys() - before.keys(), new),
        ):
            assert len(names) == len(of) * (len(self.groups) + 1)
        self.people = people

    @rule(version=st.sampled_from(VERSIONS), port=st.integers(1024, 65500))
    def add_with_ports_typed_over(self, version: str, port: int) -> None:
        name = sharing.group_name(catalogue.releases()[version], self.way)
        typed = {f"{prefix}{name}": port + n for n, prefix in enumerate(self.prefixes("/"))}
        if not self.ports.keys().isdisjoint(typed):
            return
        if not {*typed.values()}.isdisjoint(self.ports.values()):
            return
        versions = sorted({*self.versions, version})
        self.host.answer(tf_versions=versions, ports={**self.ports, **typed})
        self.versions.add(version)
        assert self.host.answers["ports"].items() >= typed.items()

    @rule(
        answer=st.sampled_from(
            [("uid", 1001), ("mirror", "none"), ("packages", ["vim"]), ("bind_address", "::1"),
             ("gpu_devices", "0,1"), ("language", "zh"), ("port_offset", 20), ("sudo", True)]
        )
    )  # fmt: skip
    def answer_anew(self, answer: tuple[str, Any]) -> None:
        self.host.answer(**dict([answer]))
        self.answers |= dict([answer])

    @precondition(lambda self: self.release != RELEASES[-1])
    @rule()
    def take_over_the_next_release(self) -> None:
        self.release = RELEASES[RELEASES.index(self.release) + 1]
        self.host.update(tag=self.release)
        self.host.repository.commit()

    @rule(
        edit=st.sampled_from(
            [
                ("images/init_env1.sh", f"    {BELOW}\n", f"    {BELOW}\n    htop\n"),
                (
                    "docker-compose.yml",
                    f"{SERVICES}\n",
                    f"{SERVICES}\n\n  own:\n    image: own\n",
                ),
                ("docker-compose.yml", "  healthcheck:\n", "  mem_limit: 60g\n  healthcheck:\n"),
                (
                    "images/container/start.sh",
                    "set -euo pipefail\n",
                    "set -euo pipefail\numask 002\n",
                ),
                (".env", f"{BELOW}\n", f"{BELOW}\nOWN=1\n"),
                ("NOTES.md", "", "Ours.\n"),
            ]
        )
    )
    def edit_by_hand(self, edit: tuple[str, str, str]) -> None:
        name, old, new = edit
        if self.edits.get(new) is None:
            if old:
                self.host.edit(name, old, new)
            else:
                (self.host.path / name).write_text(new)
            self.host.repository.commit()
            self.edits[new] = name

    @invariant()
    def no_port_moves_and_none_is_used_twice(self) -> None:
        recorded = self.host.answers["ports"]
        assert recorded.items() >= self.ports.items()
        assert len(set(recorded.values())) == len(recorded)
        assert recorded.keys() >= {
            f"{whose}{group.entry}" for group in self.groups for whose in self.prefixes("/")
        }
        self.ports = recorded

    @invariant()
    def no_edit_is_lost_and_nothing_conflicts(self) -> None:
        assert self.host.conflicts() == []
        for new, name in self.edits.items():
            for line in new.splitlines():
                assert line in self.host.read(name)

    @invariant()
    def every_answer_is_kept(self) -> None:
        recorded = self.host.answers
        assert recorded.items() >= self.answers.items()
        assert recorded["_commit"] == self.release
        assert set(recorded["tf_versions"]) == self.versions

    @invariant()
    def what_is_generated_is_what_was_chosen(self) -> None:
        compose = yaml.safe_load(self.host.read("docker-compose.yml"))
        names = {service_name(group.entry) for group in self.groups}
        services = {f"{whose}{name}" for name in names for whose in self.prefixes("-")}
        assert set(compose["services"]) - {"own"} == services
        assert {path.parent.name for path in self.host.path.glob("images/*/Dockerfile")} == names
        for script in self.host.path.rglob("*.sh"):
            subprocess.run(["bash", "-n", str(script)], check=True)
        for group in self.groups:
            for slash, dash in zip(self.prefixes("/"), self.prefixes("-"), strict=True):
                service = compose["services"][f"{dash}{service_name(group.entry)}"]
                assert service["ports"][0].endswith(f":{self.ports[f'{slash}{group.entry}']}:22")


@pytest.fixture
def history(template: Path, article: dict[str, Any]) -> Iterator[type[History]]:
    History.template, History.article = template, article
    yield History


def test_any_history_keeps_ports_answers_and_edits(history: type[History]) -> None:
    full = settings.get_current_profile_name() == "full"
    quick = settings(max_examples=1, stateful_step_count=6, deadline=None)
    run_state_machine_as_test(history, settings=settings() if full else quick)
