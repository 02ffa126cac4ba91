"""Any answer to any question is refused by name, or comes out meaning what was answered.

A few dozen answers by default; thousands by
``pytest --hypothesis-profile=full tests/test_answers.py`` (half an hour).
"""

from __future__ import annotations

import getpass
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import copier
import pytest
import yaml
from copier.errors import UserMessageError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_copier.plugin import CopierFixture, CopierProject

from extensions import mirrors, questions, registries, sharing
from extensions.answers import Kind
from extensions.containers import service_name
from extensions.questions.images import REGISTRY
from extensions.questions.network import MIRROR
from extensions.questions.people import PEOPLE, namespace_of
from extensions.reading import parsed
from tests import test_cluster, test_fleet
from tests.answers import ARTICLE, CLUSTER, asked, error
from tests.releases import ANSWERS_FILE
from tests.support import ROOT, missing

QUESTIONS: dict[str, dict[str, Any]] = {
    name: question
    for name, question in yaml.safe_load((ROOT / "copier.yml").read_text()).items()
    if name in questions.TABLE
}
GPUS = {"volta": 2, "turing": 2, "ampere": 8, "blackwell": 4}
EXAMPLE = {**ARTICLE, **CLUSTER, "cluster_gpus": GPUS}
"""Answers that every kind accepts, also to what it does not ask."""
BEYOND = {
    "containers": "per-cuda",
    "digests": {"tensorflow/tensorflow:2.17.0-gpu": f"sha256:{'5' * 64}"},
}
"""Answers that the example does without."""

NASTY = [
    *"""$HOME ${CURRENT_UID} $$ $(id) `id` ; && | > < ! ~ * ? [a] {a,b} ' " \\ \\n %h %% = # @ , :
    & *a &a !!python/object/apply:os.system --- ... - ? << null NO 0x10 1e3 1:30 .inf 017 1_000
    {{ {{7*7}} {% {%raw%} {# #} {{_copier_conf.src_path}} {{self}} .. . / // - -- root ]]> <!--
    é 李 🎤 İ ß ﬁ""".split(),
    *(" ", "  ", ": ", " #", "\n", "\r", "\t", "\0", "\x1b[31m", "\x7f", "\x85", "\xa0", "\u2028"),
    *("\u202e", "\u200b", "\ufeff", "\ufffd", "e\u0301"),
]  # fmt: skip
"""What means something to YAML, Compose, a shell, Docker, sshd, Jinja or a terminal."""

LONG = st.integers(100, 70_000).map("x".__mul__)

WRONG_TYPES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.dates() | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=4,
)


def spoiled(good: Any) -> st.SearchStrategy[Any]:
    """Answers like a good one, with something nasty in up to three places."""
    if isinstance(good, list):
        items = st.one_of(*map(spoiled, good)) if good else st.nothing()
        return st.lists(items, max_size=4) | spoiled(json.dumps(good))
    if isinstance(good, dict):
        key, value = next(iter(good.items()))
        more = st.dictionaries(spoiled(key), spoiled(value), max_size=2)
        return more.map(lambda new: {**good, **new}) | spoiled(json.dumps(good))
    if isinstance(good, bool | int):
        return st.integers() | spoiled(str(good).lower())

    def insert(pieces: list[tuple[float, str]]) -> str:
        text = str(good)
        for place, piece in pieces:
            at = round(place * len(text))
            text = text[:at] + piece + text[at:]
        return text

    piece = st.sampled_from(NASTY) | st.characters(codec="utf-8") | LONG
    return st.lists(st.tuples(st.floats(0, 1), piece), max_size=3).map(insert)


def good_answers(name: str) -> list[Any]:
    """Answers that the question itself and the example suggest."""
    question = QUESTIONS[name]
    choices = question.get("choices", [])
    suggested = [*choices.values()] if isinstance(choices, dict) else []
    suggested += [question[key] for key in ("default", "placeholder") if question.get(key)]
    suggested += [answers[name] for answers in (ARTICLE, CLUSTER, BEYOND) if name in answers]
    return [answer for answer in suggested if "{{" not in str(answer)] or [""]


ANSWERS = {
    name: st.one_of(
        *map(spoiled, good_answers(name)), st.sampled_from(NASTY), st.text(), WRONG_TYPES
    )
    for name in QUESTIONS
}


def sound(kind: str) -> dict[str, st.SearchStrategy[Any]]:
    """The answers to a kind's questions that are accepted beside those of the example."""

    def accepted(name: str) -> st.SearchStrategy[Any]:
        others = {**EXAMPLE, "kind": kind}
        return ANSWERS[name].filter(lambda answer: not error(name, others | {name: answer}))

    return {name: accepted(name) for name in QUESTIONS if asked(name, kind) and name != "kind"}


def examples(few: int) -> settings:
    """The profile's own number of answers in a full run, few and always the same otherwise."""
    slow = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    if settings.get_current_profile_name() == "full":
        return settings(suppress_health_check=slow)
    return settings(max_examples=few, derandomize=True, deadline=None, suppress_health_check=slow)


@dataclass
class Checkers:
    """The files that came out, each once, for the checkers that are slow to start."""

    scripts: set[str] = field(default_factory=set)
    dockerfiles: set[str] = field(default_factory=set)

    def collect(self, folder: Path) -> None:
        self.scripts |= {path.read_text() for path in folder.rglob("*.sh")}
        # hadolint does not know a registry with a port and no dot, which Docker does
        self.dockerfiles |= {
            re.sub(r"^FROM ([\w-]+):", r"FROM \1.invalid:", path.read_text(), flags=re.MULTILINE)
            for path in folder.glob("images/*/Dockerfile")
        }

    def run(self, folder: Path) -> None:
        for texts, command in (
            (self.scripts, ["shellcheck"]),
            (self.dockerfiles, ["hadolint", "--failure-threshold=warning"]),
        ):
            program = str(Path(sys.executable).with_name(command[0]))
            paths = []
            for number, text in enumerate(sorted(texts)):
                paths.append(folder / f"{command[0]}-{number}")
                paths[-1].write_text(text)
            for some in range(0, len(paths), 100):
                output(program, *command[1:], *paths[some : some + 100])


@pytest.fixture(scope="module")
def checkers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkers]:
    """Collect what came out; in the end, shellcheck and hadolint find nothing in it."""
    collected = Checkers()
    yield collected
    collected.run(tmp_path_factory.mktemp("checkers"))


Judge = Callable[[str, Mapping[str, Any]], None]


@pytest.fixture(scope="module")
def judge(template: Path, checkers: Checkers) -> Judge:
    """Generate a directory, and judge what came of the answers."""
    if not shutil.which("docker"):
        missing("Docker Compose is not installed")

    means = {
        Kind.HOST: assert_directory_means,
        Kind.FLEET: assert_fleet_means,
        Kind.CLUSTER: assert_cluster_means,
    }

    def generate(kind: str, answers: Mapping[str, Any]) -> None:
        data = {**EXAMPLE, "kind": kind, **answers}
        if answers.keys() & {"tf_versions", "containers", "people"} and "ports" not in answers:
            del data["ports"]
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder, "gpu01")
            try:
                copier.run_copy(
                    str(template), target, data=data, defaults=True, unsafe=True, quiet=True
                )
            except UserMessageError as refusal:
                name, _, sentence = str(refusal).partition(": ")
                assert name in answers, refusal
                assert "; " in sentence and sentence.isprintable()
                assert not target.exists()
                return
            recorded = yaml.safe_load((target / ANSWERS_FILE).read_text(encoding="utf-8"))
            for name, answer in answers.items():
                if asked(name, recorded["kind"]):
                    assert as_text(recorded[name], name) == as_text(answer, name), name
                else:
                    assert name not in recorded
            for path in target.rglob("*.y*ml"):
                assert list(yaml.safe_load_all(path.read_text(encoding="utf-8"))), path
            means[recorded["kind"]](target, recorded)
            if recorded["kind"] == Kind.HOST:  # a cluster's images are those of a host
                checkers.collect(target)

    return generate


FIRST_ASKED_BY = {name: next(k for k in Kind if asked(name, k)) for name in QUESTIONS}


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_answer_is_refused_by_name_or_means_what_it_says(question: str, judge: Judge) -> None:
    @examples(few=2)
    @given(ANSWERS[question])
    def any_answer(answer: Any) -> None:
        judge(FIRST_ASKED_BY[question], {question: answer})

    any_answer()


@pytest.mark.parametrize(("kind", "few"), [("host", 12), ("fleet", 1), ("cluster", 3)])
def test_several_answers_together_mean_what_they_say(kind: str, few: int, judge: Judge) -> None:
    @examples(few)
    @given(st.fixed_dictionaries({}, optional=sound(kind)))
    def any_answers(answers: dict[str, Any]) -> None:
        judge(kind, answers)

    any_answers()


@pytest.mark.parametrize(("kind", "few"), [("host", 10), ("fleet", 2), ("cluster", 2)])
def test_several_bad_answers_together_are_refused_by_one_of_their_names(
    kind: str, few: int, judge: Judge
) -> None:
    """Also those that the kind does not ask, as an answers file of another kind brings them."""

    @examples(few)
    @given(st.fixed_dictionaries({}, optional={**ANSWERS, "kind": st.just(kind)}))
    def any_answers(answers: dict[str, Any]) -> None:
        judge(kind, answers)

    any_answers()


def in_text(value: Any) -> Any:
    """What YAML reads, every scalar in it as text."""
    if isinstance(value, dict):
        return {str(key): in_text(item) for key, item in value.items()}
    return [in_text(item) for item in value] if isinstance(value, list) else str(value)


def as_text(answer: Any, name: str) -> Any:
    """An answer as a person reads it, whichever way it was written."""
    question = QUESTIONS[name]
    if question["type"] == "yaml" or question.get("multiselect"):
        value = parsed(answer)
        items = in_text(value)
        return sorted(set(items)) if question.get("multiselect") else items
    if question["type"] == "bool":
        return str(answer).lower() in ("true", "yes", "y", "on", "1", "t")
    return str(int(str(answer))) if question["type"] == "int" else str(answer)


def output(*command: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def bash(script: Path, commands: str) -> list[str]:
    """Run commands with a generated script's functions, up to its main; return what they say."""
    text = script.read_text(encoding="utf-8")
    functions, _, _ = text.rpartition("\nmain")
    environment = "CURRENT_UID=4321:4321 CURRENT_USER=ai\n"
    told = "\nsay() { printf '%s\\0' \"$*\"; }\ntold() { printf '%s\\0' \"$@\"; }\n"
    spoken = subprocess.run(
        ["bash", "-s"], input=environment + functions + told + commands,
        capture_output=True, encoding="utf-8",
    )  # fmt: skip
    return spoken.stdout.split("\0")[:-1]


def groups(answers: Mapping[str, Any]) -> list[sharing.Group]:
    """What each container serves."""
    return sharing.groups(answers["tf_versions"], answers["containers"])


def assert_directory_means(folder: Path, answers: Mapping[str, Any]) -> None:
    assert_compose_means(folder, answers)
    assert_images_mean(folder, answers)
    assert_start_means(folder, answers)
    if answers["ssh"]:
        assert_ssh_means(folder, answers)
    assert (folder / ".env").read_text().splitlines()[0] == (
        f"CURRENT_UID={answers['uid']}:{answers['gid']}"
    )
    assert (folder / "README.md").read_text().splitlines()[0] == f"# {answers['host']}"


def assert_compose_means(folder: Path, answers: Mapping[str, Any]) -> None:
    """Docker Compose itself reads the file, and understands what was answered."""
    understood = json.loads(output("docker", "compose", "config", "--format=json", cwd=folder))
    assert understood["name"] == answers["host"]
    names = {service_name(group.entry) for group in groups(answers)}
    people = PEOPLE.read(answers["people"])
    of_people = {f"{person.name}-{name}" for person in people for name in names}
    assert understood["services"].keys() == names | of_people
    for name, service in understood["services"].items():
        assert service["container_name"] == service["hostname"] == f"{answers['host']}-{name}"
        if name in of_people:  # tests/test_people.py
            continue
        assert service["user"] == f"{answers['uid']}:{answers['gid']}"
        mounts = {
            mount["target"]: (mount["source"], mount.get("read_only", False))
            for mount in service["volumes"]
        }
        assert mounts["/AI"] == (answers["project_path"], False)
        assert mounts[answers["conda_path"]] == (answers["conda_path"], False)
        if answers["host_home"] != answers["conda_path"]:
            assert mounts[answers["host_home"]] == (answers["host_home"], True)
        (gpus,) = service["deploy"]["resources"]["reservations"]["devices"]
        devices = answers["gpu_devices"]
        assert gpus.get("device_ids", "all") == (
            devices if devices == "all" else devices.split(",")
        )
        assert service.get("environment", {}).get("http_proxy", "") == answers["proxy"]
        if answers["proxy"] and answers["no_proxy"]:
            assert service["environment"]["no_proxy"].endswith(f",{answers['no_proxy']}")
        assert ("cap_drop" in service) != answers["sudo"]
        if answers["ssh"]:
            (published,) = service["ports"]
            assert published["host_ip"] == answers["bind_address"]
            assert int(published["published"]) in map(int, answers["ports"].values())


def assert_images_mean(folder: Path, answers: Mapping[str, Any]) -> None:
    for group in groups(answers):
        text = (folder / "images" / service_name(group.entry) / "Dockerfile").read_text()
        assert f"\nARG CURRENT_USER={answers['user']}\n" in text
        assert re.findall("^USER (.*)$", text, re.MULTILINE) == ["$CURRENT_USER"]
        (image,) = re.findall("^FROM (.*)$", text, re.MULTILINE)
        official = group.base
        wanted = registries.pulled(official, REGISTRY.read(answers["registry"]))
        digest = {str(key): value for key, value in answers["digests"].items()}.get(official)
        assert image == (f"{wanted}@{digest}" if digest else wanted)
    packages = bash(folder / "images/init_env1.sh", 'told "${packages[@]}"')
    ours = ("openssh-server", "rsync", "tzdata", "sudo")
    own = [package for package in packages if package not in ours]
    assert own == [package for package in answers["packages"] if package not in ours]
    script = folder / "images/init_env2.sh"
    assert bash(script, 'told "$user" "$uid" "$gid"') == ["ai", "4321", "4321"]  # build arguments
    urls = mirrors.urls(MIRROR.read(answers["mirror"]))
    assert (f"'index-url = {urls.pip}'" in script.read_text()) == bool(urls.pip)
    assert (f"#{urls.apt}\\1#g" in (folder / "images/init_env1.sh").read_text()) == bool(urls.apt)


def assert_start_means(folder: Path, answers: Mapping[str, Any]) -> None:
    """What a container tells at its start, on a machine that lacks /AI and everything else."""
    (mounts,) = bash(folder / "images/container/start.sh", "set +e; (check_mounts)")
    told, _, path = mounts.partition(f"sudo chown {os.getuid()}:{os.getgid()} ")
    assert told
    assert output("bash", "-c", f"printf %s {path}") == answers["project_path"]


def assert_ssh_means(folder: Path, answers: Mapping[str, Any]) -> None:
    keys = f"{answers['host_home']}/.ssh/authorized_keys"
    (sentence,) = bash(folder / "images/container/start.sh", "check_keys")
    assert f"add public keys to {keys} on the server" in sentence
    script = folder / "images/container/start.sh"
    options = bash(script, 'told "${sshd_options[@]}"')
    (line,) = [line for line in options if line.startswith("AuthorizedKeysFile ")]
    assert re.fullmatch(r'AuthorizedKeysFile "([^"\\]*)" /AI/.ssh/authorized_keys', line)
    assert line.split('"')[1].replace("%%", "%") == keys
    assert "%" not in line.replace("%%", "")
    assert f"AllowUsers {getpass.getuser()}" in options
    for group in groups(answers)[:2]:
        alias = f"{answers['host']}-{service_name(group.entry)}"
        client = output("ssh", "-G", "-F", folder / "ssh_config", alias).splitlines()
        wanted = {f"port {answers['ports'][group.entry]}", f"user {answers['user']}"}
        assert wanted | {f"hostname {answers['address']}"} <= set(client)


def assert_fleet_means(folder: Path, answers: Mapping[str, Any]) -> None:
    """Ansible itself reads the configuration, the inventory and what was answered."""
    server = folder / "hosts/gpu01"
    server.mkdir(parents=True)
    (server / ANSWERS_FILE).write_text("{host: gpu01, tf_versions: [2.17.0]}\n")
    variables = json.loads(test_fleet.output(folder, "ansible-inventory", "--host=gpu01"))
    assert variables["ansible_user"] == answers["admin"]
    assert variables["deploy_path"] == answers["deploy_path"]
    page = (folder / "FLEET.md").read_text()
    assert f"`{answers['admin']}`" in page
    assert f"`{answers['deploy_path']}`" in page


def assert_cluster_means(folder: Path, answers: Mapping[str, Any]) -> None:
    """The real kubectl makes of the manifests what test_cluster.py asks of them."""
    project = CopierProject(folder, CopierFixture(ROOT, {}, pytest.MonkeyPatch()))
    person = namespace_of(answers["user"])
    objects = test_cluster.kustomize(folder / "people" / person)
    test_cluster.test_names_are_labels_of_rfc_1035(objects)
    test_cluster.test_no_pod_is_root_has_a_capability_or_could_gain_one(project, objects)
    test_cluster.test_a_service_has_the_port_of_the_ledger_and_finds_its_pod_and_no_other(
        project, person, objects
    )
    test_cluster.test_mounts_are_where_a_host_has_them_and_come_from_the_answered_storage(
        project, person, objects
    )
    test_cluster.test_compose_builds_every_image_under_the_name_that_the_pods_pull(project, objects)
