"""Run every benchmark, print one Markdown table, and draw the plot of the README."""

from __future__ import annotations

from bench import (
    cluster,
    fleet,
    generate,
    images,
    load,
    plot,
    rebuild,
    scale,
    sharing,
    start,
    update,
)
from bench.common import table


def main() -> None:
    """Run every benchmark; a goal that is missed is marked, and no failure."""
    parts = (generate, update, scale, fleet, cluster, sharing)
    rows = [row for part in parts for row in part.measure()]
    weighed = images.weigh()
    plot.write(weighed)
    rows += [*images.rows(weighed), *rebuild.measure(), *start.measure(), *load.measure()]
    print(table(rows))


if __name__ == "__main__":
    main()
