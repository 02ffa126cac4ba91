"""Run every benchmark, and print one Markdown table."""

from __future__ import annotations

from bench import generate, images, load, rebuild, update
from bench.common import table


def main() -> None:
    """Run every benchmark; a goal that is missed is marked, and no failure."""
    parts = (generate, update, images, rebuild, load)
    print(table([row for part in parts for row in part.measure()]))


if __name__ == "__main__":
    main()
