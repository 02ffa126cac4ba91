"""Run every benchmark, and print one Markdown table."""

from __future__ import annotations

from bench import generate, images, rebuild
from bench.common import table


def main() -> None:
    """Run every benchmark; a goal that is missed is marked, and no failure."""
    print(table([*generate.measure(), *images.measure(), *rebuild.measure()]))


if __name__ == "__main__":
    main()
