"""The documents: the two languages say the same, and every link leads somewhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_copier.plugin import CopierProject

from tests.answers import CLUSTER
from tests.e2e.picture import FILES, SESSION, Login, read
from tests.support import ROOT, git

IN_BOTH_LANGUAGES = {
    "docs/cluster.md": "docs/zh/cluster.md",
    "docs/fleet.md": "docs/zh/fleet.md",
    "docs/guide.md": "docs/zh/guide.md",
    "docs/host.md": "docs/zh/host.md",
    "docs/known-problems.md": "docs/zh/known-problems.md",
    "docs/networks.md": "docs/zh/networks.md",
    "docs/people.md": "docs/zh/people.md",
    "docs/releases.md": "docs/zh/releases.md",
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
    kept += sorted(Path(link).name.replace(".zh-CN", "") for link in links)
    return kept


NOT_PROSE = (
    r"(?ms)^\s*```.*?^\s*```$",  # blocks of code
    r"(?<=\])\([^)]*\)",  # where links lead
    r"<[^>]*>|https?://[!-~]+",
    r"(?<!\*)\*[^*\n]+\*(?!\*)",  # names in a program's window
)
HAN = "[\u4e00-\u9fff]"
FAULTS_OF_CHINESE = (
    r"(?<![\w-])(?:the|of|to|is|and|with|or)(?![\w-])",  # an English sentence
    rf"{HAN}[,;:!?(]|[,;!?)] ?{HAN}",  # punctuation of another width
    rf"{HAN}[A-Za-z0-9`]|[A-Za-z0-9`]{HAN}",  # no space
)


def faults_of_chinese(markdown: str) -> list[str]:
    """Return what a Chinese page has that no Chinese page should, each with its surroundings."""
    for pattern in NOT_PROSE:
        markdown = re.sub(pattern, "", markdown)
    markdown = re.sub("`[^`]*`", "`", markdown)
    around = "[^\n]{0,20}"
    return [
        found[0]
        for fault in FAULTS_OF_CHINESE
        for found in re.finditer(f"{around}(?:{fault}){around}", markdown)
    ]


@pytest.mark.parametrize("page", ["README.zh-CN.md", *IN_BOTH_LANGUAGES.values()])
def test_a_chinese_page_has_no_english_sentence_and_chinese_punctuation_and_spaces(
    page: str,
) -> None:
    assert not faults_of_chinese((ROOT / page).read_text())


@pytest.mark.parametrize(("english", "chinese"), IN_BOTH_LANGUAGES.items())
def test_both_languages_have_the_same_headings_commands_tables_and_links(
    english: str, chinese: str
) -> None:
    assert skeleton((ROOT / english).read_text()) == skeleton((ROOT / chinese).read_text())


def test_the_readme_has_the_same_shape_in_both_languages() -> None:
    english, chinese = (
        skeleton((ROOT / page).read_text()) for page in ("README.md", "README.zh-CN.md")
    )
    assert english == chinese


def test_the_terminal_and_the_text_of_the_readme_have_the_same_commands() -> None:
    light, dark = ("".join(read(path.read_text())) for path in FILES)
    assert light == dark
    for page in ("README.md", "README.zh-CN.md"):
        text = (ROOT / page).read_text()
        for step in SESSION:
            if isinstance(step, Login):
                assert f"ssh {step.alias}" in light
            else:
                assert step.typed.replace(" ", "") in light.replace(" ", "")
                assert step.typed.replace(" --defaults", "") in text


TROUBLED = {"tf_versions": ["2.1.0", "2.15.0.post1", "2.21.0"], "driver": "", "gpus": []}
PEOPLE = {"tf_versions": ["1.15.5"], "people": {"alice": {"uid": 1001}}}
QUEUE = {"queue": "lab", "cluster_gpus": {"turing": 2, "ampere": 8}, "idle_minutes": 60}


@pytest.mark.parametrize(
    "answers",
    [{}, {"ssh": False}, TROUBLED, PEOPLE, CLUSTER, {**CLUSTER, **QUEUE}],
)
def test_the_readme_of_the_directory_is_the_same_in_both_languages(
    generate: Callable[..., CopierProject], answers: dict[str, object]
) -> None:
    english, chinese = (
        (generate(**answers, language=language) / "README.md").read_text()
        for language in ("en", "zh")
    )
    assert skeleton(english) == skeleton(chinese)
    assert not faults_of_chinese(chinese)
    assert "None" not in english + chinese


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
