"""What the servers of one repository need together: inventory, pages and playbooks that fit."""

# ruff: noqa: E501 (a row of a table stands whole, as it is printed)

from __future__ import annotations

import getpass
import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml
from pytest_copier.plugin import CopierFixture

from tests.support import ROOT, git
from tests.test_docs import faults_of_chinese, skeleton
from tests.test_generated import YAMLLINT

TOOLS = Path(sys.executable).parent
HOSTS: dict[str, dict[str, Any]] = {
    "gpu01": {},
    "gpu02": {
        "tf_versions": ["2.8.4", "2.9.3", "2.17.0"],
        "containers": "per-cuda",
        "people": {"alice": {"uid": 1001}, "alice-tf": {"uid": 1002}},
    },
    "gpu03": {"tf_versions": ["2.17.0"], "ssh": False},
    "gpu04": {
        "tf_versions": ["2.15.0.post1", "2.17.0"],
        "bind_address": "127.0.0.1",
        "project_path": "/data/{{ 7 * 7 }}",
    },
}
ADDRESS = "10.1.2.4"


def run(folder: Path, *command: str) -> CompletedProcess[str]:
    path = f"{TOOLS}:{os.environ['PATH']}"
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True,
        env={**os.environ, "PATH": path, "ANSIBLE_NOCOLOR": "1", "NO_COLOR": "1"},
    )  # fmt: skip


def output(folder: Path, *command: str) -> str:
    done = run(folder, *command)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def infra(
    copier_template: Path, article: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """An infra repository with four servers, its pages written and all committed."""
    root = tmp_path_factory.mktemp("infra")
    copier = CopierFixture(copier_template, {}, pytest.MonkeyPatch())
    for name, answers in HOSTS.items():
        given = {**article, "driver": "", "gpus": [], **answers, "host": name}
        if answers:
            del given["ports"]
        copier.copy(root / "hosts" / name, **given)
    copier.copy(root, kind="fleet")
    variables = root / "fleet/host_vars/gpu04.yml"
    variables.parent.mkdir()
    variables.write_text(f"ansible_host: {ADDRESS}\n")
    output(root, "ansible-playbook", "fleet/pages.yml")
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message=All")
    return root


@pytest.fixture
def mine(infra: Path, tmp_path: Path) -> Path:
    """A copy of that repository which a test may change."""
    return shutil.copytree(infra, tmp_path / "infra")


def test_the_fleet_has_exactly_its_files_and_no_leftovers_of_their_templates(infra: Path) -> None:
    names = git(infra, "ls-files").splitlines()
    own = {name for name in names if not re.match("hosts/gpu|fleet/host_vars", name)}
    playbooks = {f"fleet/{name}.yml" for name in ("deploy", "doctor", "pages", "reach", "setup")}
    assert own == playbooks | {
        ".copier-answers.yml",
        ".github/workflows/fleet.yml",
        "FLEET.md",
        "ansible.cfg",
        "fleet/.gitignore",
        "fleet/group_vars/all.yml",
        "fleet/inventory.yml",
        "fleet/inventory_plugins/hosts.py",
        "fleet/requirements.yml",
        "fleet/tasks/copy.yml",
        "fleet/templates/README.md.j2",
        "fleet/templates/doctor.txt.j2",
        "fleet/templates/ssh_config.j2",
        "hosts/README.md",
        "hosts/ssh_config",
    }
    for name in own:
        text = (infra / name).read_text()
        assert text.endswith("\n") and not text.endswith("\n\n"), name
        assert name.endswith(".py") or "\n\n\n" not in text, name
        assert name.endswith(".j2") or "{%" not in text, name


def test_yamllint_finds_nothing(infra: Path) -> None:
    output(infra, "yamllint", "--strict", "-d", YAMLLINT, "fleet")


def test_the_directories_are_the_inventory_and_their_answers_its_variables(infra: Path) -> None:
    groups = json.loads(output(infra, "ansible-inventory", "--list"))
    assert set(groups["_meta"]["hostvars"]) == set(HOSTS)
    assert groups["tf_2_9_3"]["hosts"] == ["gpu02"]
    assert set(groups["tf_2_17_0"]["hosts"]) == set(HOSTS)
    variables = json.loads(output(infra, "ansible-inventory", "--host=gpu04"))
    recorded = yaml.safe_load((infra / "hosts/gpu04/.copier-answers.yml").read_text())
    assert variables["answers"] == recorded
    assert variables["ansible_host"] == ADDRESS


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        (None, "{} has no .copier-answers.yml, so it was not generated; move it out of hosts/"),
        ("{[", "{}/.copier-answers.yml is not YAML; restore it from git"),
        ("kind: cluster", "{}/.copier-answers.yml is not of kind: host; move the directory"),
        ("kind: host", "{}/.copier-answers.yml lacks host and tf_versions; restore it from git"),
        ("{host: gpu01, tf_versions: []}", "host 'gpu01' of {} is also that of another directory"),
    ],
)
def test_a_directory_that_is_no_server_is_told(
    mine: Path, answers: str | None, sentence: str
) -> None:
    folder = mine / "hosts/gpu99"
    folder.mkdir()
    if answers is not None:
        (folder / ".copier-answers.yml").write_text(answers)
    done = run(mine, "ansible-playbook", "fleet/deploy.yml", "--list-hosts")
    assert done.returncode == 1
    assert sentence.format(folder) in " ".join(done.stderr.split())


def test_a_repository_without_directories_is_told(mine: Path) -> None:
    shutil.rmtree(mine / "hosts")
    done = run(mine, "ansible-inventory", "--list")
    assert (done.returncode, "has no directory of a server" in done.stderr) == (1, True)


def test_the_page_has_a_row_for_every_version_of_every_server(infra: Path) -> None:
    page = (infra / "hosts/README.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| [")]
    assert rows == [
        "| [gpu01](gpu01/README.md) | 1.15.5 | `ssh gpu01-tf1.15.5` | 10022 |",
        "| [gpu01](gpu01/README.md) | 2.17.0 | `ssh gpu01-tf2.17.0` | 20022 |",
        "| [gpu02](gpu02/README.md) | 2.8.4 | `ssh gpu02-tf2.8.4` | 31122 |",
        "| [gpu02](gpu02/README.md) | 2.9.3 | `ssh gpu02-tf2.9.3` | 31122 |",
        "| [gpu02](gpu02/README.md) | 2.17.0 | `ssh gpu02-tf2.17.0` | 31232 |",
        "| [gpu03](gpu03/README.md) | 2.17.0 | on the server itself | - |",
        "| [gpu04](gpu04/README.md) | 2.15.0.post1 | `ssh gpu04-tf2.15.0-post1` | 21522 |",
        "| [gpu04](gpu04/README.md) | 2.17.0 | `ssh gpu04-tf2.17.0` | 21722 |",
    ]


def test_the_page_has_a_row_for_everybody_with_containers_of_their_own(infra: Path) -> None:
    page = (infra / "hosts/README.md").read_text()
    assert [line for line in page.splitlines() if line.startswith("| gpu")] == [
        "| gpu02 | alice | `ssh gpu02-alice-cuda11.2`, `ssh gpu02-alice-tf2.8.4`, "
        "`ssh gpu02-alice-tf2.9.3`, `ssh gpu02-alice-cuda12.3`, `ssh gpu02-alice-tf2.17.0` |",
        "| gpu02 | alice-tf | `ssh gpu02-alice-tf-cuda11.2`, `ssh gpu02-alice-tf-tf2.8.4`, "
        "`ssh gpu02-alice-tf-tf2.9.3`, `ssh gpu02-alice-tf-cuda12.3`, "
        "`ssh gpu02-alice-tf-tf2.17.0` |",
    ]


@pytest.mark.parametrize(
    ("alias", "facts"),
    [
        ("gpu02-alice-tf2.9.3", {"hostname gpu02", "user alice", "port 31123"}),
        ("gpu01-tf1.15.5", {"hostname gpu01", "port 10022", "user ai"}),
        ("gpu02-tf2.9.3", {"hostname gpu02", "setenv TENSORFLOW_ENVIRONMENT=tf2.9.3"}),
        ("gpu04-tf2.17.0", {"hostname 127.0.0.1", f"proxyjump {ADDRESS}", "port 21722"}),
    ],
)
def test_ssh_reads_the_way_to_every_container(infra: Path, alias: str, facts: set[str]) -> None:
    told = output(infra, "ssh", "-G", "-F", "hosts/ssh_config", alias)
    assert facts <= set(re.sub(r"[][]", "", told).splitlines())  # some put an address in them


def test_the_pages_have_addresses_as_ssh_and_folders_as_markdown_takes_them(mine: Path) -> None:
    (mine / "hosts/gpu04").rename(mine / "hosts/the fourth")
    (mine / "fleet/host_vars/gpu04.yml").write_text("ansible_host: fd00::17\n")
    output(mine, "ansible-playbook", "fleet/pages.yml")
    assert "| [gpu04](the%20fourth/README.md) |" in (mine / "hosts/README.md").read_text()
    told = output(mine, "ssh", "-G", "-F", "hosts/ssh_config", "gpu04-tf2.17.0")
    assert "proxyjump fd00::17" in re.sub(r"[][]", "", told).splitlines()


def steps(root: Path) -> dict[str, str]:
    workflow = yaml.safe_load((root / ".github/workflows/fleet.yml").read_text())
    return {step["name"]: step["run"] for step in workflow["jobs"]["check"]["steps"][1:]}


def test_the_checks_of_the_workflow_pass_ansible_lint_at_its_strictest_among_them(
    infra: Path,
) -> None:
    _, *checks = steps(infra).values()
    assert "ansible-lint --offline --profile production" in checks[0]
    for check in checks:
        output(infra, "bash", "-euo", "pipefail", "-c", check)
    assert git(infra, "status", "--porcelain") == ""


def test_the_workflow_finds_a_page_that_was_not_written_anew(mine: Path) -> None:
    aliases = mine / "hosts/gpu01/ssh_config"
    aliases.write_text(aliases.read_text().replace("Port 10022", "Port 10023"))
    git(mine, "commit", "--quiet", "--all", "--message=Another port")
    command = next(command for command in steps(mine).values() if "pages" in command)
    assert run(mine, "bash", "-euo", "pipefail", "-c", command).returncode == 1


def test_every_action_is_pinned_by_commit_and_is_one_of_ours(infra: Path) -> None:
    ours = (ROOT / ".github/workflows/ci.yml").read_text()
    used = re.findall(r"uses: (.*)", (infra / ".github/workflows/fleet.yml").read_text())
    assert used
    for action in used:
        assert re.fullmatch(r"\S+@[0-9a-f]{40} # v[0-9.]+", action)
        assert f"uses: {action}\n" in ours


def test_what_is_pinned_is_what_was_tested(infra: Path) -> None:
    wanted = yaml.safe_load((infra / "fleet/requirements.yml").read_text())["collections"]
    for collection in wanted:
        package = find_spec(f"ansible_collections.{collection['name']}")
        assert package and package.submodule_search_locations
        manifest = Path(package.submodule_search_locations[0]) / "MANIFEST.json"
        facts = json.loads(manifest.read_text())["collection_info"]
        assert collection["version"] == facts["version"]
    texts = [
        *(infra / name for name in ("FLEET.md", ".github/workflows/fleet.yml")),
        ROOT / "messages/fleet-copy.jinja",
    ]
    for text in texts:
        for name, pinned in re.findall(r"([a-z-]+)==([0-9.]+)", text.read_text()):
            assert pinned == version(name), f"{name} in {text}"


def test_both_languages_say_the_same(
    infra: Path, mine: Path, copier_template: Path, tmp_path: Path
) -> None:
    copier = CopierFixture(copier_template, {}, pytest.MonkeyPatch())
    copier.copy(tmp_path / "chinese", kind="fleet", language="zh")
    shutil.copytree(infra / "hosts", tmp_path / "chinese/hosts")
    output(tmp_path / "chinese", "ansible-playbook", "fleet/pages.yml")
    for page in ("FLEET.md", "hosts/README.md"):
        english, chinese = (mine / page).read_text(), (tmp_path / "chinese" / page).read_text()
        assert english != chinese
        assert skeleton(english) == skeleton(chinese)
        assert not faults_of_chinese(chinese)


def test_an_update_keeps_edits_and_leaves_the_servers_alone(mine: Path) -> None:
    settings = mine / "fleet/group_vars/all.yml"
    settings.write_text(f"{settings.read_text()}ansible_port: 2222\n")
    git(mine, "commit", "--quiet", "--all", "--message=Another port of sshd")
    update = "copier update --trust --defaults --vcs-ref :current: --data admin=debian"
    output(mine, *update.split())
    changed = git(mine, "diff", "--unified=0").splitlines()
    lines = {line for line in changed if re.match(r"[-+]\w+: ", line)}
    assert lines == {
        "-admin: ubuntu", "+admin: debian", "-ansible_user: ubuntu", "+ansible_user: debian",
    }  # fmt: skip
    assert "ansible_port: 2222\n" in settings.read_text()


def with_one_down(root: Path, deploy_path: Path) -> None:
    """Let all servers be this machine, and the last one down."""
    here = {
        "ansible_connection": "local",
        "ansible_become": False,
        "ansible_python_interpreter": sys.executable,
        "ansible_user": getpass.getuser(),
    }
    for name in HOSTS:
        way = {"ansible_host": "127.0.0.1", "ansible_port": 1} if name == "gpu04" else here
        variables = {**way, "deploy_path": str(deploy_path)}
        (root / f"fleet/host_vars/{name}.yml").write_text(yaml.safe_dump(variables))


@pytest.mark.parametrize("book", ["setup", "deploy"])
@pytest.mark.parametrize("limit", ["all", "gpu0*"])
def test_a_server_that_is_down_is_told_before_anything_is_changed_anywhere(
    mine: Path, tmp_path: Path, book: str, limit: str
) -> None:
    with_one_down(mine, tmp_path / "servers")
    done = run(mine, "ansible-playbook", f"fleet/{book}.yml", f"--limit={limit}")
    assert done.returncode != 0
    told = "gpu04 cannot be reached, and nothing was changed; fix that, or continue without: "
    assert f"{told}--limit '{limit}:!gpu04'" in " ".join(done.stdout.split())
    assert not (tmp_path / "servers").exists()


def deployed_here(root: Path, deploy_path: Path) -> Path:
    """Let gpu01 be this machine, with nothing to set up; return where its directory goes."""
    with_one_down(root, deploy_path)
    (root / "hosts/gpu01/host/setup.sh").write_text("#!/bin/sh\n")
    return deploy_path / "gpu01"


def test_copying_again_removes_what_went_and_keeps_history_and_what_git_ignores(
    mine: Path, tmp_path: Path
) -> None:
    here = deployed_here(mine, tmp_path / "servers")
    output(mine, "ansible-playbook", "fleet/setup.yml", "--limit=gpu01")
    for name in (".git/HEAD", "host.key", "stray"):
        (here / name).parent.mkdir(exist_ok=True)
        (here / name).write_text("of the server\n")
    shutil.rmtree(mine / "hosts/gpu01/images/tf1.15.5")
    output(mine, "ansible-playbook", "fleet/setup.yml", "--limit=gpu01")
    names = {path.name for path in (*here.iterdir(), *here.glob("images/*"))}
    assert {".git", "host.key", "tf2.17.0"} <= names
    assert not {"stray", "tf1.15.5"} & names


@pytest.mark.parametrize("question", ["project_path", "host_home", "conda_path", "people"])
def test_a_directory_of_people_inside_the_deployed_one_is_refused_before_it_is_removed(
    mine: Path, tmp_path: Path, question: str
) -> None:
    here = deployed_here(mine, tmp_path / "servers")
    file = mine / "hosts/gpu01/.copier-answers.yml"
    inside = here / "of people"
    answer = {"alice": {"uid": 1001, "home": str(inside)}} if question == "people" else str(inside)
    answers = {**yaml.safe_load(file.read_text()), question: answer}
    file.write_text(yaml.safe_dump(answers))
    done = run(mine, "ansible-playbook", "fleet/setup.yml", "--limit=gpu01")
    assert done.returncode != 0
    told = f"{question} of gpu01 is {inside}, inside {here}, where everything that is not in"
    assert told in " ".join(done.stdout.split())
    assert not here.exists()


def test_a_dry_run_for_a_server_that_has_nothing_yet_tells_what_it_would_do(
    mine: Path, tmp_path: Path
) -> None:
    here = deployed_here(mine, tmp_path / "servers")
    for book in ("setup", "deploy"):
        output(mine, "ansible-playbook", f"fleet/{book}.yml", "--check", "--limit=gpu01")
    assert not here.exists()


CHECKS = {
    "gpu01": [("ok", "driver", "gpu01", "550.54.15 is new enough", "")] * 2,
    "gpu02": [
        ("ok", "driver", "gpu02", "550.54.15 is new enough", ""),
        ("warn", "clock", "gpu02", "the clock is not synchronised", "set it"),
        ("fail", "container", "tf2.17.0", "is unhealthy", "read the log"),
    ],
}


def test_the_doctors_table_has_a_row_for_every_problem_and_for_servers_that_are_down(
    mine: Path, tmp_path: Path
) -> None:
    with_one_down(mine, tmp_path)
    for name, checks in CHECKS.items():
        keys = ("status", "check", "subject", "message", "fix")
        told = {"host": name, "checks": [dict(zip(keys, row, strict=True)) for row in checks]}
        script = tmp_path / name / "host/doctor"
        script.parent.mkdir(parents=True)
        script.write_text(f"#!/bin/sh\necho '{json.dumps(told)}'\nexit {int(name == 'gpu02')}\n")
        script.chmod(0o755)
    done = run(mine, "ansible-playbook", "fleet/doctor.yml")
    assert done.returncode != 0
    assert (
        """    msg: |-
        gpu01  ok    2 checks
        gpu02  warn  clock      the clock is not synchronised; set it
        gpu02  fail  container  tf2.17.0: is unhealthy; read the log
        gpu03  fail  host/doctor does not run (Unable to change directory before execution.); run: ansible-playbook fleet/setup.yml
        gpu04  down  cannot be reached; check its power, its network and sshd
"""
        in done.stdout
    )
    failed = re.findall(r"^(\w+) .*failed=1", done.stdout, re.MULTILINE)
    assert failed == ["gpu02", "gpu03", "gpu04"]
    healthy = output(mine, "ansible-playbook", "fleet/doctor.yml", "--limit=gpu01")
    assert "gpu01  ok    2 checks\n" in healthy
