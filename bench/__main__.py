"""Run the benchmarks that are named, or all, and print each row as soon as it is measured."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable

from bench import (
    cluster,
    editor,
    environments,
    fleet,
    generate,
    images,
    load,
    people,
    plot,
    rebuild,
    scale,
    sharing,
    start,
    update,
)
from bench.common import HEADER, Row, line


def _images() -> Iterable[Row]:
    """Weigh the images, and draw the plot of the README from that."""
    weighed = images.weigh()
    plot.write(weighed)
    return images.rows(weighed)


PARTS: dict[str, Callable[[], Iterable[Row]]] = {
    "generate": generate.measure,
    "update": update.measure,
    "scale": scale.measure,
    "fleet": fleet.measure,
    "cluster": cluster.measure,
    "sharing": sharing.measure,
    "environments": environments.measure,
    "images": _images,
    "rebuild": rebuild.measure,
    "start": start.measure,
    "load": load.measure,
    "people": people.measure,
    "editor": editor.measure,
}
"""The benchmarks by name, those without an engine first."""


def main() -> None:
    """Run benchmarks; a goal that is missed is marked, and no failure."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    names = ", ".join(PARTS)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{names} (default: all)")
    chosen = parser.parse_args().names or list(PARTS)
    if unknown := set(chosen) - PARTS.keys():
        parser.error(f"{', '.join(sorted(unknown))}: no such benchmark; choose from {names}")
    print(HEADER, flush=True)
    for name in chosen:
        for row in PARTS[name]():
            print(line(row), flush=True)


if __name__ == "__main__":
    main()
