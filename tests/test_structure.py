"""The modules of extensions/ form layers: what one imports never imports it in turn."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
import yaml

from extensions import functions, questions
from tests.answers import ARTICLE, CLUSTER
from tests.support import ROOT

CONFIG = yaml.safe_load((ROOT / "copier.yml").read_text())
HOME = ROOT / "extensions"
MODULES = {
    path: ".".join(path.relative_to(HOME).with_suffix("").parts) for path in HOME.rglob("*.py")
}


def imports(path: Path) -> set[str]:
    """The modules of extensions/ that a module imports, all by relative imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            package = path.parents[node.level - 1].relative_to(HOME).parts
            base = ".".join((*package, *(node.module or "").split("."))).strip(".")
            found |= {f"{base}.{name.name}".strip(".") for name in node.names} | {base}
    own = {name.removesuffix(".__init__") for name in MODULES.values()}
    return found & own - {MODULES[path].removesuffix(".__init__")}


def test_no_import_leads_back() -> None:
    graph = {name.removesuffix(".__init__"): imports(path) for path, name in MODULES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as cycle:
        pytest.fail(f"these modules import one another: {cycle.args[1]}")


@pytest.mark.parametrize("path", MODULES, ids=MODULES.values())
def test_a_module_can_be_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 300


@pytest.mark.parametrize("name", questions.TABLE)
def test_a_question_that_nobody_answered_has_a_value_of_the_same_type(name: str) -> None:
    question, asked = questions.TABLE[name], CONFIG[name]
    suggested = asked["default"] if "{{" not in str(asked["default"]) else asked.get("placeholder")
    value = question.read({**ARTICLE, **CLUSTER}.get(name, suggested))
    assert type(value) is type(question.unanswered)


def test_no_function_hides_an_answer_from_the_templates() -> None:
    assert not functions.GLOBALS.keys() & questions.TABLE.keys()
