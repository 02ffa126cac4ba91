"""copier.yml asks what it promises, and says nothing that Copier would ignore without a word."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from extensions import questions
from tests.support import ROOT, git

CONFIG: dict[str, Any] = yaml.safe_load((ROOT / "copier.yml").read_text())
QUESTIONS = {name: facts for name, facts in CONFIG.items() if not name.startswith("_")}

# An interface: people write these names into their --data files. The ledger of ports comes
# last, since it follows from the answers before it.
NAMES = """kind host images tf_versions driver gpus uid gid host_home conda_path project_path
    image_registry image_tag storage nfs_server gpus_per_person queue
    cluster_gpus session_hours idle_minutes mirror ssh advanced containers
    user sudo people address port_offset bind_address gpu_devices gpu_resource gpus_per_pod
    pod_resources shm_size memory cpus ulimits mounts groups packages registry digests proxy
    no_proxy subnet admin deploy_path language ports""".split()

SETTINGS = """_min_copier_version _subdirectory _jinja_extensions _envops _skip_if_exists
    _message_after_copy _message_after_update _migrations""".split()


def test_the_questions_have_their_names_and_their_order() -> None:
    assert list(QUESTIONS) == NAMES
    assert set(questions.TABLE) == set(NAMES)


def test_no_setting_is_misspelt_and_none_runs_a_command_but_to_move_files() -> None:
    assert {name for name in CONFIG if name.startswith("_")} == set(SETTINGS)
    assert CONFIG["_min_copier_version"] == "9.19.0"
    assert CONFIG["_envops"]["undefined"] == "jinja2.StrictUndefined"
    (migration,) = CONFIG["_migrations"]
    assert migration["when"] == (
        "{{ _stage == 'after' and has_moved_files(_copier_conf.dst_path) }}"
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_question_has_only_keys_that_copier_reads(name: str) -> None:
    known = {"type", "help", "choices", "multiselect", "default", "placeholder", "ask", "when"}
    assert set(QUESTIONS[name]) <= known | {"validator"}


@pytest.mark.parametrize("name", NAMES)
def test_a_question_is_one_sentence_and_is_checked_wherever_it_is_answered(name: str) -> None:
    question = QUESTIONS[name]
    lines = re.sub(r"\{\{.*\}\}", "...", question["help"]).split("\n")
    assert re.fullmatch(r"[A-Z][^?]*\?( \([^()]+\))?", lines[0])
    assert all(line.startswith("   ") for line in lines[1:])
    assert question["when"] == f"{{{{ check('{name}') }}}}"
    chosen = "choices" in question and not question.get("multiselect")
    chosen = chosen or question["type"] == "bool"
    assert question.get("validator") == (None if chosen else f"{{{{ error('{name}') }}}}")


def test_every_file_name_is_legal_on_windows() -> None:
    for path in git(ROOT, "ls-files", "-z", "-co", "--exclude-standard").split("\0")[:-1]:
        assert not re.search(r'[<>:"|?*\\]', path), path
