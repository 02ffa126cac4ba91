"""Years of `copier update`: no port moves, no edit is lost, nothing else changes."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pexpect
import pytest
import yaml
from copier.errors import UserMessageError
from pytest_copier.plugin import CopierProject

from extensions import catalogue
from extensions.containers import service_name
from tests.answers import asked
from tests.releases import (
    ANSWERS_FILE,
    NEWEST,
    Change,
    Host,
    Repository,
    files,
    replace,
    with_earlier_release,
    with_later_release,
)
from tests.support import ROOT, by_default, git

CONFIG: dict[str, Any] = yaml.safe_load((ROOT / "copier.yml").read_text())
QUESTIONS = {  # of a host, without the advanced ones
    name: CONFIG[name]
    for name in CONFIG
    if not name.startswith("_")
    and asked(name, "host")
    and CONFIG[name].get("ask", "{{ ssh }}") == "{{ ssh }}"
}
RELEASED = [tag for tag in git(ROOT, "tag", "--list").split() if re.match(r"[0-9]", tag)]
ON_THE_HOST = {"host/facts.json", "host/facts.sh"}
LISTS_ALL_VERSIONS = {ANSWERS_FILE, "README.md", "docker-compose.yml", "ssh_config", *ON_THE_HOST}

OF_2_9_3 = {
    "images/tf2.9.3/Dockerfile",
    "environments/tf2.9.3.yml",
    "environments/tf2.9.3-cuda.yml",
    ".devcontainer/tf2.9.3/devcontainer.json",
}
"""The files that only this version has."""


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.create(tmp_path / "infra")


@pytest.fixture(scope="module")
def generated(
    copier_template: Path, article: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Host:
    """The article's host, in git, which no test changes."""
    repository = Repository.create(tmp_path_factory.mktemp("generated") / "infra")
    return repository.copy(copier_template, article)


@pytest.fixture
def host(generated: Host, tmp_path: Path) -> Host:
    """The article's host, in git."""
    return generated.copied(tmp_path / "infra")


def blocks(host: Host) -> dict[str, str]:
    """The text of every service in the compose file."""
    services = host.read("docker-compose.yml").split("\nservices:\n")[1].split("\nnetworks:\n")[0]
    return dict(re.findall(r"^  (\S+):\n((?:    .*\n)+)", services, re.MULTILINE))


# --- versions come and go ---------------------------------------------------------------------


def test_adding_a_version_changes_no_other_byte(host: Host) -> None:
    before, services = host.files(), blocks(host)
    host.answer(tf_versions=["1.15.5", "2.9.3", "2.17.0"])
    after = host.files()
    assert set(after) - set(before) == OF_2_9_3
    assert {name for name in before if before[name] != after[name]} == LISTS_ALL_VERSIONS
    assert blocks(host).items() > services.items()
    assert '    ports: ["0.0.0.0:20922:22"]\n' in blocks(host)["tf2.9.3"]


@pytest.mark.parametrize("by", by_default("--data", among=["--data", "--data-file"]))
def test_a_version_is_added_by_one_command(
    host: Host, by: str, copier_command: Callable[..., str], tmp_path: Path
) -> None:
    given = "tf_versions=[1.15.5, 2.9.3, 2.17.0]"
    if by == "--data-file":
        given = str(tmp_path / "answers.yml")
        Path(given).write_text('tf_versions: ["1.15.5", "2.9.3", "2.17.0"]\n')
    said = copier_command(
        "update", "--trust", "--defaults", "--vcs-ref", ":current:", by, given, cwd=host.path
    )
    assert set(blocks(host)) == {"tf1.15.5", "tf2.9.3", "tf2.17.0"}
    assert host.answers["ports"] == {"1.15.5": 10022, "2.9.3": 20922, "2.17.0": 20022}
    assert said.rstrip().endswith("docker compose up -d --build --wait --remove-orphans")


def test_a_version_is_added_at_the_prompt_and_everything_else_confirmed(host: Host) -> None:
    before = host.files()
    prompt = pexpect.spawn(
        sys.executable, ["-m", "copier", "update", "--trust", "--vcs-ref", ":current:"],
        cwd=host.path, env={**os.environ, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"},
        timeout=30, dimensions=(90, 250), encoding="utf-8",
    )  # fmt: skip
    prompt.delaybeforesend = None
    shown = "\x1b[?7h"  # ends what Copier draws: it waits for input
    for question in QUESTIONS:
        prompt.expect_exact(QUESTIONS[question]["help"].split("?")[0])
        prompt.expect_exact(shown)
        if question == "tf_versions":
            rows = [version for _, version in catalogue.base().choices(["1.15.5", "2.17.0"])]
            prompt.send("\x1b[B" * rows.index("2.9.3") + " ")
        prompt.send("\r")
    prompt.expect(pexpect.EOF)
    prompt.wait()
    assert prompt.exitstatus == 0
    assert set(host.files()) - set(before) == OF_2_9_3
    assert host.answers["ports"] == {"1.15.5": 10022, "2.9.3": 20922, "2.17.0": 20022}


def test_a_removed_version_goes_and_comes_back_with_its_port_and_every_byte(host: Host) -> None:
    before = host.files()
    host.answer(tf_versions=["2.17.0"])
    assert not (host.path / "images/tf1.15.5/Dockerfile").exists()
    assert set(blocks(host)) == {"tf2.17.0"}
    assert "10022" not in host.read("ssh_config") + host.read("README.md")
    assert host.answers["ports"] == {"1.15.5": 10022, "2.17.0": 20022}
    host.answer(tf_versions=["1.15.5", "2.17.0"])
    assert host.files() == before


def test_a_port_that_was_reserved_is_given_to_nobody_else(
    repository: Repository, copier_template: Path, article: dict[str, Any]
) -> None:
    ports = {"1.15.5": 20922, "2.17.0": 20022}
    host = repository.copy(copier_template, {**article, "ports": ports})
    host.answer(tf_versions=["2.17.0"])
    host.answer(tf_versions=["2.9.1", "2.17.0"])
    assert host.answers["ports"] == {**ports, "2.9.1": 20923}


def test_answering_a_port_anew_is_refused_and_changes_nothing(host: Host) -> None:
    with pytest.raises(UserMessageError, match="which stays 10022"):
        host.update(tag=NEWEST, ports={"1.15.5": 11522, "2.17.0": 20022})
    assert host.repository.changes() == ""


@pytest.mark.parametrize(
    ("answers", "changed"),
    [
        ({"uid": 1001, "gid": 1001}, {".env", "README.md", *ON_THE_HOST}),
        (
            {"mirror": "none"},
            {"images/init_env1.sh", "images/init_env2.sh", "environments/facts.sh", *ON_THE_HOST},
        ),
        ({"packages": ["vim"]}, {"images/init_env1.sh"}),
        (
            {"host_home": "/data/ai"},
            {
                "README.md",
                "docker-compose.yml",
                "images/container/start.sh",
                *ON_THE_HOST,
            },
        ),
        (
            {"project_path": "/data/p"},
            {"README.md", "docker-compose.yml", "images/container/start.sh", *ON_THE_HOST},
        ),
        (
            {"conda_path": "/data/conda"},
            {
                "README.md",
                "docker-compose.yml",
                "images/container/start.sh",
                "images/container/conda.sh",
                "environments/facts.sh",
                "images/tf1.15.5/Dockerfile",
                "images/tf2.17.0/Dockerfile",
                *ON_THE_HOST,
            },
        ),
        ({"bind_address": "10.0.0.7"}, {"docker-compose.yml"}),
        ({"gpu_devices": "0"}, {"README.md", "docker-compose.yml"}),
        ({"port_offset": 10}, set()),
        ({"language": "zh"}, {"README.md"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_another_answer_changes_only_the_files_it_is_in(
    generate: Callable[..., CopierProject], answers: dict[str, Any], changed: set[str]
) -> None:
    before, after = files(generate().path), files(generate(**answers).path)
    assert set(after) == set(before)
    assert {name for name in before if before[name] != after[name]} == changed | {ANSWERS_FILE}


def test_an_update_with_another_answer_is_what_generating_with_it_is(
    host: Host, generate: Callable[..., CopierProject]
) -> None:
    answers = {"uid": 1001, "mirror": "none", "host_home": "/data/ai", "language": "zh"}
    host.answer(**answers)
    assert host.answers.items() >= answers.items()
    updated, fresh = host.files(), files(generate(**answers).path)
    assert {**updated, ANSWERS_FILE: b""} == {**fresh, ANSWERS_FILE: b""}


# --- shared containers -------------------------------------------------------------------------


@pytest.fixture
def sharing(repository: Repository, copier_template: Path, article: dict[str, Any]) -> Host:
    """A host of two CUDA lines with a shared container each."""
    given = {**article, "containers": "per-cuda", "tf_versions": ["2.9.3", "2.17.0"]}
    del given["ports"]
    return repository.copy(copier_template, given)


def test_a_release_that_joins_a_shared_container_changes_no_byte_that_is_built_or_started(
    sharing: Host,
) -> None:
    before = sharing.files()
    sharing.answer(tf_versions=["2.5.0", "2.9.3", "2.17.0", "2.18.0"])
    after = sharing.files()
    new = {f"environments/{name}.yml" for name in ("tf2.5.0", "tf2.5.0-cuda", "tf2.18.0")}
    assert set(after) - set(before) == new
    assert {name for name in before if before[name] != after[name]} <= {
        ANSWERS_FILE,
        "README.md",
        "host/facts.json",
        "ssh_config",
    }
    assert sharing.answers["ports"] == {"cuda11.2": 31122, "cuda12.3": 31232}


def test_a_release_of_another_line_adds_one_service(sharing: Host) -> None:
    services = blocks(sharing)
    sharing.answer(tf_versions=["1.15.5", "2.9.3", "2.17.0"])
    added = dict(blocks(sharing).items() - services.items())
    assert set(added) == {"cuda10.0"}
    assert services.items() < blocks(sharing).items()
    assert '    ports: ["0.0.0.0:31002:22"]\n' in added["cuda10.0"]


def test_every_way_to_share_keeps_ports_and_aliases_and_comes_back_to_every_byte(
    host: Host,
) -> None:
    before = host.files()
    aliases = set(re.findall(r"gpu01-tf[0-9.]+", host.read("ssh_config")))
    ports = host.answers["ports"]
    assert ports == {"1.15.5": 10022, "2.17.0": 20022}
    for way, services in (
        ("one", {"tensorflow": 30022}),
        ("per-cuda", {"cuda10.0": 31002, "cuda12.3": 31232}),
    ):
        host.answer(containers=way)
        assert set(blocks(host)) == set(services)
        assert not list(host.path.glob("images/tf*/Dockerfile"))
        ports |= services
        assert host.answers["ports"] == ports
        assert set(re.findall(r"gpu01-tf[0-9.]+", host.read("ssh_config"))) == aliases
    host.answer(containers="per-version")
    after = host.files()
    del before[ANSWERS_FILE], after[ANSWERS_FILE]
    assert after == before
    assert host.answers["ports"] == ports


# --- releases of the template -----------------------------------------------------------------


def older_catalogue(template: Path) -> None:
    """Fewer versions, and no toolkit of the newest."""
    path = template / "extensions/catalogue.yaml"
    facts = yaml.safe_load(path.read_text())
    facts["releases"] = {
        version: release
        for version, release in facts["releases"].items()
        if not release["toolkit"].startswith(("cuda12", "nv12")) and version != "2.9.3"
    }
    facts["toolkits"] = {
        name: toolkit
        for name, toolkit in facts["toolkits"].items()
        if not name.startswith(("cuda12", "nv12"))
    }
    path.write_text(yaml.safe_dump(facts, sort_keys=False))


def older_questions(template: Path) -> None:
    """One question is gone since, one was added."""
    path = template / "copier.yml"
    head, cpus = path.read_text().split("\ncpus:\n")
    asked_once = "timezone:\n  type: str\n  default: UTC\n\n"
    path.write_text(head + "\n" + asked_once + cpus.split("\n\n", 1)[1])
    replace("extensions/questions/limits.py", **{"CPUS = ": "_ = "})(template)
    replace("template/host/docker-compose.yml.jinja", cpus="''")(template)


def older_code(template: Path) -> None:
    """Extensions of the same names did other things."""
    replace("extensions/ports.py", **{"+ 22 + offset": "+ 7 + offset"})(template)
    replace("extensions/holds.py", **{"return sorted(packages)": "return ['old-name']"})(template)
    replace("extensions/mirrors.yaml", **{"mirrors.aliyun.com": "old.example.com"})(template)


def other_files(template: Path) -> None:
    """A file had another name."""
    (template / "template/host/images/container/start.sh.jinja").rename(
        template / "template/host/images/container/entrypoint.sh.jinja"
    )


EARLIER: dict[str, Change] = {
    "an older catalogue": older_catalogue,
    "older text": replace(
        "template/host/**/*.jinja",
        **{"# Packages of every image": "# All packages", "restart: always": "restart: on-failure"},
    ),
    "older questions": older_questions,
    "older extensions under the same names": older_code,
    "another list of files": other_files,
}


def at_once(template: Path) -> None:
    """All of them."""
    for change in list(EARLIER.values())[:-1]:
        change(template)


EARLIER["all at once"] = at_once


@pytest.mark.parametrize("earlier", by_default("all at once", among=EARLIER))
def test_an_update_from_an_earlier_release_keeps_answers_and_ports_without_a_conflict(
    earlier: str,
    repository: Repository,
    copier_template: Path,
    article: dict[str, Any],
    tmp_path: Path,
) -> None:
    template = with_earlier_release(copier_template, tmp_path / "template", EARLIER[earlier])
    given = {**article, "tf_versions": ["1.15.5", "2.11.0"]}
    del given["ports"]
    host = repository.copy(template, given, tag="0.9.0")
    recorded = host.answers

    host.update()
    assert host.conflicts() == []
    assert host.answers["_commit"] == NEWEST
    kept = {name: value for name, value in recorded.items() if name not in ("_commit", "timezone")}
    assert host.answers.items() >= kept.items()
    assert host.answers["ports"] == recorded["ports"]

    host.repository.commit()
    updated = host.files()
    host.update()
    assert host.repository.changes() == ""
    fresh = repository.copy(template, {**given, "ports": recorded["ports"], "host": "gpu01-2"})
    same = {name: text.replace(b"gpu01-2", b"gpu01") for name, text in fresh.files().items()}
    assert {**same, ANSWERS_FILE: b""} == {**updated, ANSWERS_FILE: b""}


@pytest.mark.parametrize("tag", [*RELEASED, NEWEST])
def test_an_update_from_every_released_version(
    tag: str, repository: Repository, copier_template: Path, article: dict[str, Any]
) -> None:
    host = repository.copy(copier_template, article, tag=tag)
    ports = host.answers["ports"]
    host.edit("images/init_env1.sh", "    net-tools\n", "    net-tools\n    htop\n")
    host.repository.commit()
    host.update()
    assert host.conflicts() == []
    assert host.answers["ports"].items() >= ports.items()
    assert "    htop\n" in host.read("images/init_env1.sh")
    host.repository.commit()
    host.update()
    assert host.repository.changes() == ""


def test_a_version_of_the_new_catalogue_is_added_in_the_update_itself(
    repository: Repository, copier_template: Path, article: dict[str, Any], tmp_path: Path
) -> None:
    template = with_earlier_release(copier_template, tmp_path / "template", older_catalogue)
    given = {**article, "tf_versions": ["1.15.5"], "ports": {"1.15.5": 10022}}
    host = repository.copy(template, given, tag="0.9.0")
    host.update(tf_versions=["1.15.5", "2.17.0"])
    assert host.conflicts() == []
    assert host.answers["ports"] == {"1.15.5": 10022, "2.17.0": 21722}
    assert (host.path / "images/tf2.17.0/Dockerfile").exists()


def renamed_question(template: Path) -> None:
    """bind_address is called listen_address, by the recipe of docs/release.md."""
    files = (
        "copier.yml", "extensions/*.py", "extensions/questions/*.py",
        "template/host/*.jinja", "template/host/*/*.jinja",
    )  # fmt: skip
    replace(*files, bind_address="listen_address")(template)
    replace(
        "copier.yml",
        **{"  default: 0.0.0.0\n": "  default: \"{{ bind_address | default('0.0.0.0') }}\"\n"},
    )(template)


def test_a_question_renamed_in_a_release_keeps_its_answer(
    repository: Repository, copier_template: Path, article: dict[str, Any], tmp_path: Path
) -> None:
    template = with_later_release(copier_template, tmp_path / "template", renamed_question)
    host = repository.copy(template, {**article, "bind_address": "10.0.0.7"})
    host.update()
    assert host.conflicts() == []
    assert host.answers["listen_address"] == "10.0.0.7"
    assert "bind_address" not in host.answers
    assert '"10.0.0.7:10022:22"' in host.read("docker-compose.yml")


def without_2_17(template: Path) -> None:
    path = template / "extensions/catalogue.yaml"
    facts = yaml.safe_load(path.read_text())
    for version in ("2.17.0", "2.17.0-nv25.02"):
        del facts["releases"][version]
    path.write_text(yaml.safe_dump(facts, sort_keys=False))


def test_a_version_that_leaves_the_catalogue_is_named_and_nothing_changes(
    repository: Repository, copier_template: Path, article: dict[str, Any], tmp_path: Path
) -> None:
    template = with_later_release(copier_template, tmp_path / "template", without_2_17)
    host = repository.copy(template, article)
    gone = "tf_versions: '2.17.0' is not in the catalogue; choose one of 2.17.1"
    with pytest.raises(UserMessageError, match=re.escape(gone)):
        host.update()
    assert host.repository.changes() == ""

    host.update(tf_versions=["1.15.5", "2.17.1"])
    assert host.conflicts() == []
    assert host.answers["tf_versions"] == ["2.17.1", "1.15.5"]
    assert host.answers["ports"] == {"1.15.5": 10022, "2.17.0": 20022, "2.17.1": 21722}


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({"driver": "450.80.02"}, "tf_versions: '2.17.0' needs NVIDIA driver 525.60.13 or newer"),
        ({"gpus": ["hopper"]}, "tf_versions: '1.15.5' does not run on hopper"),
    ],
)
def test_a_new_answer_that_contradicts_a_recorded_one_is_refused(
    host: Host, answers: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UserMessageError, match=re.escape(sentence)):
        host.update(tag=NEWEST, **answers)
    assert host.repository.changes() == ""


# --- edits by hand ----------------------------------------------------------------------------


def edit_by_hand(host: Host) -> None:
    """What users change: a package, a mount, a service of their own, a variable, the address of
    the host, files beside."""
    host.edit("images/init_env1.sh", "an update keeps them.\n", "an update keeps them.\n    htop\n")
    host.edit(
        "docker-compose.yml",
        "  healthcheck:\n",
        "    - {type: bind, source: /data/sets, target: /data/sets, read_only: true}\n"
        "  healthcheck:\n",
    )
    own = '  registry:\n    image: registry:2\n    ports: ["127.0.0.1:5000:5000"]\n'
    host.edit("docker-compose.yml", "an update keeps them.\n", f"an update keeps them.\n\n{own}")
    host.edit(".env", "an update keeps them.\n", "an update keeps them.\nTZ=Asia/Shanghai\n")
    host.edit("ssh_config", "    HostName gpu01\n", "    HostName 192.0.2.17\n")
    (host.path / "images/certs/company.crt").write_text("-----BEGIN CERTIFICATE-----\n")
    (host.path / "NOTES.md").write_text("Ours.\n")
    host.repository.commit()


def assert_edits_are_there(host: Host) -> None:
    assert "    htop\n" in host.read("images/init_env1.sh")
    compose = yaml.safe_load(host.read("docker-compose.yml"))
    assert compose["x-container"]["volumes"][-1]["source"] == "/data/sets"
    assert compose["services"]["registry"]["image"] == "registry:2"
    assert host.read(".env").endswith("TZ=Asia/Shanghai\n")
    assert "    HostName 192.0.2.17\n" in host.read("ssh_config")
    assert host.read("images/certs/company.crt").startswith("-----BEGIN")
    assert host.read("NOTES.md") == "Ours.\n"


def test_edits_survive_versions_and_answers_that_come_and_go(host: Host) -> None:
    edit_by_hand(host)
    for answers in (
        {"tf_versions": ["2.9.3"], "uid": 1001, "packages": ["vim"]},
        {"tf_versions": ["1.14.0", "1.15.5", "2.9.3", "2.17.0", "2.21.0"], "sudo": True},
    ):
        host.answer(**answers)
        assert host.conflicts() == []
        assert_edits_are_there(host)
        versions = {service_name(version) for version in host.answers["tf_versions"]}
        assert set(blocks(host)) == versions | {"registry"}


@pytest.mark.parametrize("earlier", by_default("all at once", among=EARLIER))
def test_edits_survive_a_release(
    earlier: str,
    repository: Repository,
    copier_template: Path,
    article: dict[str, Any],
    tmp_path: Path,
) -> None:
    template = with_earlier_release(copier_template, tmp_path / "template", EARLIER[earlier])
    given = {**article, "tf_versions": ["1.15.5", "2.11.0"]}
    del given["ports"]
    host = repository.copy(template, given, tag="0.9.0")
    edit_by_hand(host)
    host.update()
    assert host.conflicts() == []
    assert_edits_are_there(host)


def test_where_both_changed_one_line_both_stand_in_the_file_between_markers(
    repository: Repository, copier_template: Path, article: dict[str, Any], tmp_path: Path
) -> None:
    template = with_earlier_release(copier_template, tmp_path / "template", EARLIER["older text"])
    host = repository.copy(template, article, tag="0.9.0")
    host.edit("docker-compose.yml", "restart: on-failure", "restart: unless-stopped")
    host.repository.commit()
    host.update()
    assert host.conflicts() == ["hosts/gpu01/docker-compose.yml", "docker-compose.yml"]
    # docs/update.md shows this very conflict
    conflict = (
        "<<<<<<< before updating\n  restart: unless-stopped\n=======\n  restart: always\n"
        ">>>>>>> after updating\n"
    )
    assert conflict in host.read("docker-compose.yml")
    assert conflict in (ROOT / "docs/update.md").read_text()


def test_the_files_in_certs_are_the_users_even_for_recopy(
    host: Host, copier_command: Callable[..., str]
) -> None:
    (host.path / "images/certs/.gitkeep").write_text("kept by hand\n")
    copier_command("recopy", "--trust", "--force", str(host.path))
    assert host.read("images/certs/.gitkeep") == "kept by hand\n"


# --- several hosts in one repository ----------------------------------------------------------


@pytest.fixture
def two_hosts(
    repository: Repository, copier_template: Path, article: dict[str, Any], tmp_path: Path
) -> tuple[Host, Host]:
    """Two hosts of an earlier release in one repository."""
    template = with_earlier_release(copier_template, tmp_path / "template", EARLIER["older text"])
    a, b = (
        repository.copy(template, {**article, "host": host}, tag="0.9.0") for host in ("a", "b")
    )
    return a, b


def test_hosts_are_updated_in_a_loop_without_a_commit_between(
    two_hosts: tuple[Host, Host],
) -> None:
    for host in two_hosts:
        host.update()
    for host in two_hosts:
        assert host.conflicts() == []
        assert host.answers["_commit"] == NEWEST


def test_uncommitted_work_in_one_host_does_not_hinder_the_other(
    two_hosts: tuple[Host, Host],
) -> None:
    a, b = two_hosts
    a.edit("images/init_env1.sh", "    net-tools\n", "    htop\n")
    b.update()
    assert b.answers["_commit"] == NEWEST
    assert "    htop\n" in a.read("images/init_env1.sh")
    with pytest.raises(UserMessageError, match="dirty"):
        a.update()
    assert "    htop\n" in a.read("images/init_env1.sh")


def test_a_host_left_in_conflict_stops_the_next_one_until_it_is_resolved(
    two_hosts: tuple[Host, Host],
) -> None:
    a, b = two_hosts
    a.edit("docker-compose.yml", "restart: on-failure", "restart: unless-stopped")
    a.repository.commit()
    a.update()
    before = b.files()
    with pytest.raises(Exception, match="git-write-tree: error building trees"):
        b.update()
    assert b.files() == before
    text = a.read("docker-compose.yml")
    (a.path / "docker-compose.yml").write_text(re.sub(r"(?s)<<<<<<<.*?>>>>>>>.*?\n", "", text))
    a.repository.commit()
    b.update()
    assert b.answers["_commit"] == NEWEST


# --- recopy -----------------------------------------------------------------------------------


def test_recopy_keeps_answers_and_ports_and_takes_back_edits(
    host: Host, copier_command: Callable[..., str]
) -> None:
    before = host.files()
    edit_by_hand(host)
    (host.path / "README.md").unlink()
    copier_command("recopy", "--trust", "--force", str(host.path))
    mine = {"NOTES.md": b"Ours.\n", "images/certs/company.crt": b"-----BEGIN CERTIFICATE-----\n"}
    assert host.files() == {**before, **mine}


def test_catalogue_covers_what_these_tests_assume() -> None:
    assert {"2.9.1", "2.9.3", "2.17.1"} <= set(catalogue.releases())
