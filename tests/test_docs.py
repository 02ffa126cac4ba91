"""The documents: the two languages say the same, and every message is explained."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from pytest_copier.plugin import CopierProject

from tests.support import ROOT, git
from tests.test_refusals import CLUSTER

IN_BOTH_LANGUAGES = {
    "docs/cluster.md": "docs/zh/cluster.md",
    "docs/fleet.md": "docs/zh/fleet.md",
    "docs/guide.md": "docs/zh/guide.md",
    "docs/host.md": "docs/zh/host.md",
    "docs/known-problems.md": "docs/zh/known-problems.md",
    "docs/update.md": "docs/zh/update.md",
}
PAGES = [ROOT / name for name in git(ROOT, "ls-files", "-co", "--exclude-standard", "*.md").split()]


def skeleton(markdown: str) -> list[str]:
    """What a translation keeps: headings' depth, commands, steps, tables, code and links."""
    kept = []
    in_block = False
    for line in markdown.splitlines():
        if line.lstrip().startswith("```"):
            in_block = not in_block
        if in_block or line.lstrip().startswith("```"):
            kept.append(line)
        elif heading := re.match("#+ ", line):
            kept.append(heading[0])
        elif line.startswith("|"):
            cells = line.strip("|").split(" | ")
            kept.append(f"row of {len(cells)} {re.findall('`[^`]+`', cells[0])}")
        elif step := re.match(r"\s*([-*]|\d+\.) ", line):
            kept.append(step[0])
    links = [target.split("#")[0] for target in re.findall(r"\]\(([^)]+)\)", markdown)]
    kept += sorted(Path(link).name for link in links)
    return kept


@pytest.mark.parametrize(("english", "chinese"), IN_BOTH_LANGUAGES.items())
def test_both_languages_have_the_same_headings_commands_tables_and_links(
    english: str, chinese: str
) -> None:
    assert skeleton((ROOT / english).read_text()) == skeleton((ROOT / chinese).read_text())


def test_the_readme_has_the_same_shape_in_both_languages_up_to_what_developers_read() -> None:
    english, _, _ = (ROOT / "README.md").read_text().partition("## Develop\n")
    chinese, _, _ = (ROOT / "README.zh-CN.md").read_text().partition("开发、测试和依赖")
    assert shared_links(skeleton(english)) == shared_links(skeleton(chinese))


def shared_links(kept: list[str]) -> list[str]:
    """A skeleton without the link from one language's README to the other's."""
    return [item for item in kept if item not in ("README.md", "README.zh-CN.md")]


@pytest.mark.parametrize("answers", [{}, {"ssh": False}, {"tf_versions": ["1.15.5"]}, CLUSTER])
def test_the_readme_of_the_directory_has_the_same_shape_in_both_languages(
    generate: Callable[..., CopierProject], answers: dict[str, object]
) -> None:
    english, chinese = (
        (generate(**answers, language=language) / "README.md").read_text()
        for language in ("en", "zh")
    )
    assert skeleton(english) == skeleton(chinese)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if not target.startswith("http"):
            file, _, heading = target.partition("#")
            linked = page.parent / file if file else page
            assert linked.exists(), target
            if heading:
                titles = re.findall("^#+ (.*)", linked.read_text(), re.MULTILINE)
                slugs = [re.sub(r"[^\w -]", "", t).lower().replace(" ", "-") for t in titles]
                assert heading in slugs, target


QUOTED = r"""(?:'[^']*'|"(?:[^"$]|\$[^(]|\$\([^()]*\))*")"""
CALL = rf"\b(say|fail|tell|echo|leave|change|warn)((?: +[a-z]+(?= +\"))?(?: +{QUOTED})+)"
PRINTED_BEFORE = {"change": "would ", "leave": "left to you: "}


def messages(script: str) -> list[list[str]]:
    """The fixed pieces of every sentence that a generated script may print."""
    found = []
    for function, arguments in re.findall(CALL, script.replace("\\\n", " ")):
        words = shlex.split(arguments)
        if function == "tell":
            text = words[0]
        elif function in ("warn", "fail") and len(words) == 3:  # check, message, cure
            text = words[1]
        else:
            text = PRINTED_BEFORE.get(function, "") + " ".join(words)
        text = re.sub(r"\$\([^()]*\)|\$\{[^{}]*\}|\$[@*\w]+|/home/ai[\w/]*|1000(:1000)?", "…", text)
        pieces = [piece.strip(" '") for piece in text.split("…")]
        if function != "echo" or text.startswith("conda:"):
            found.append([piece for piece in pieces if len(piece) > 2])
    return [pieces for pieces in found if pieces]


@pytest.mark.parametrize(
    "script",
    [
        "start.sh",
        "conda.sh",
        "init_env1.sh",
        "environments/new.sh",
        "host/setup.sh",
        "host/doctor.sh",
        "host/bundle.sh",
    ],
)
def test_every_message_of_our_scripts_is_a_known_problem(
    generate: Callable[..., CopierProject], script: str
) -> None:
    page = (ROOT / "docs/known-problems.md").read_text()
    sections = page.split("\n## ")
    own = [section for section in sections if section.startswith(f"{script}\n")] or sections
    rows = [
        line.split(" | ")[0]
        for section in own
        for line in section.splitlines()
        if line.startswith("| `")
    ]
    host = generate(proxy="http://proxy.example.com:3128", registry="registry.example.com/hub")
    of_script = messages((host / script).read_text())
    assert of_script
    for pieces in of_script:
        assert any(in_order(pieces, row) for row in rows), pieces


def in_order(pieces: list[str], row: str) -> bool:
    places = [row.find(piece) for piece in pieces]
    return -1 not in places and all(a < b for a, b in pairwise(places))
