"""The pages as a site: built strictly, found by a search, read without network."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mkdocs.config import load_config

from tests.support import ROOT
from tests.test_docs import IN_BOTH_LANGUAGES

LOADED = re.compile(
    r"""<(?:script|img|source)[^>]+src(?:set)?=["']?([^"'> ]+)"""
    r"""|<link[^>]+rel=["']?(?:stylesheet|icon|preconnect)[^>]*href=["']?([^"'> ]+)"""
    r"""|<link[^>]+href=["']?([^"'> ]+)[^>]*rel=["']?(?:stylesheet|icon|preconnect)"""
)
"""What a browser loads with a page."""


@pytest.fixture(scope="module")
def site(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The site of the working tree; a link or an anchor that leads nowhere ends the build."""
    target = tmp_path_factory.mktemp("site")
    config = template / "docs/mkdocs.yml"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", config, "-d", target],
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    yield target


def pages(items: list[dict[str, Any]]) -> Iterator[str]:
    """Return the pages of a part of the navigation."""
    for item in items:
        for page in item.values():
            if isinstance(page, str):
                yield page
            else:
                yield from pages(page)


def test_both_languages_have_the_same_pages_in_the_same_places() -> None:
    english, chinese, *_ = load_config(str(ROOT / "docs/mkdocs.yml"))["nav"]
    translated = {"README.md": "README.zh-CN.md", **IN_BOTH_LANGUAGES}
    assert sorted(pages([english])) == sorted(translated)
    assert [translated[page] for page in pages([english])] == list(pages([chinese]))


def test_a_browser_finds_all_that_it_loads_in_the_site(site: Path) -> None:
    read = [page for page in site.rglob("*.html") if page.name != "404.html"]
    assert len(read) > 20
    for page in read:
        loaded = ["".join(found) for found in LOADED.findall(page.read_text())]
        assert any(address.endswith(".css") for address in loaded)
        for address in loaded:
            assert (page.parent / address).is_file(), f"{page} loads {address}"


@pytest.mark.parametrize(
    ("page", "text"),
    [("docs/releases.html", "2.17.0"), ("docs/zh/guide.html", "环境"), ("index.html", "ssh")],
)
def test_the_search_finds_the_pages_of_both_languages(site: Path, page: str, text: str) -> None:
    index = json.loads((site / "search/search_index.json").read_text())
    entries = [entry for entry in index["docs"] if entry["location"].startswith(page)]
    assert text in "".join(entry["text"] for entry in entries)
    words = "".join(entry["text"] for entry in index["docs"] if "zh/" in entry["location"])
    assert "\u200b环境\u200b" in words, "the words of Chinese are not separated"
