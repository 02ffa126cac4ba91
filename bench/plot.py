"""The plot in the README: gigabytes of images shared and not, and what we add to an image."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from bench import sharing
from bench.common import ROOT
from bench.images import Weighed

FILE = ROOT / "docs/measured.svg"
WIDTH, LABELS, ROW = 860, 330, 26
OURS, THEIRS = "#2f6f9f", "#b0b7bf"


@dataclass(frozen=True)
class Bar:
    """One bar of a panel."""

    label: str
    value: float
    ours: bool


def write(weighed: list[Weighed]) -> None:
    """Draw both panels into `FILE`."""
    ours, theirs = sharing.both()
    gigabytes = [
        Bar(f"{cost.way}: {cost.images} images", cost.gigabytes, cost is ours)
        for cost in (ours, theirs)
    ]
    megabytes = []
    for on in (on for on in weighed if on.official):
        megabytes += [
            Bar(f"{on.codename}: ours, no packages", on.lean.megabytes, True),
            Bar(f"{on.codename}: ours, the article's packages", on.ours.megabytes, True),
            Bar(f"{on.codename}: the article's recipe", on.article.megabytes, False),
        ]
    first, height = panel("Official images of every release of the catalogue", gigabytes, "GB", 0)
    second, height = panel("What is added to an image", megabytes, "MB", height)
    FILE.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="sans-serif" font-size="14" fill="#333">\n'
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>\n{first}{second}</svg>\n'
    )


def panel(title: str, bars: list[Bar], unit: str, top: int) -> tuple[str, int]:
    """Return a panel of horizontal bars as SVG, and where the next one may begin."""
    longest = max(bar.value for bar in bars)
    lines = [f'<text x="16" y="{top + 28}" font-weight="bold">{escape(title)}</text>']
    for row, bar in enumerate(bars):
        y = top + 44 + row * ROW
        length = round(bar.value / longest * (WIDTH - LABELS - 100))
        fill = OURS if bar.ours else THEIRS
        text = f'<text x="{LABELS - 10}" y="{y + 15}" text-anchor="end">{escape(bar.label)}</text>'
        figure = f"{bar.value:.0f} {unit}"
        lines += [
            text,
            f'<rect x="{LABELS}" y="{y}" width="{length}" height="{ROW - 6}" fill="{fill}"/>',
            f'<text x="{LABELS + length + 8}" y="{y + 15}">{figure}</text>',
        ]
    return "\n".join(lines) + "\n", top + 44 + len(bars) * ROW + 16
