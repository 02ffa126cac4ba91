"""The command line: ``python -m catalogue check`` and ``python -m catalogue pages``."""

from __future__ import annotations

import argparse
import sys
import time

from extensions import catalogue

from . import entries, marks, pages
from .check import Check
from .images import compare_images
from .pypi import Index, index_url
from .registry import Registry


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m catalogue", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser(
        "check", help="compare the catalogue with PyPI; exit 1 where it differs, 2 on an error"
    )
    check.add_argument("versions", nargs="*", help="releases to look at (default: all)")
    check.add_argument("--index", default=index_url(), help="package index (default: pip's)")
    check.add_argument("--registry", help="compare images too, in the registry of this URL")
    check.add_argument("--prefix", default="", help="of the repositories in that registry")
    check.add_argument(
        "--deep", action="store_true", help="read the GPU code of every TensorFlow: gigabytes"
    )
    check.add_argument(
        "--write", action="store_true", help="put entries of releases that are missing in place"
    )
    commands.add_parser("pages", help="write docs/releases.md and docs/zh/releases.md")
    return parser.parse_args()


def _check(arguments: argparse.Namespace) -> int:
    started = time.monotonic()
    index = Index(arguments.index)

    def say(what: str) -> None:
        seconds = time.monotonic() - started
        print(f"{seconds:5.0f} s {index.megabytes:6.0f} MB  {what}", file=sys.stderr, flush=True)

    known = catalogue.releases()
    if unknown := [version for version in arguments.versions if version not in known]:
        print(f"{unknown[0]} is not in the catalogue; leave it out", file=sys.stderr)
        return 2
    check = Check(index, say, deep=arguments.deep)
    missing = [] if arguments.versions else check.missing()
    check.releases(arguments.versions or list(known))
    if not arguments.versions:
        check.debuggers()
    if arguments.registry:
        say(f"images in {arguments.registry}")
        compare_images(Registry(arguments.registry), check.report, arguments.prefix)
    for version in missing:
        print(f"{version}: PyPI has it, and the catalogue does not")
    for difference in check.report.differences:
        print(difference)
    for fact in check.report.unread:
        print(f"not read: {fact}")
    print(
        f"{check.report.read} facts read, {len(check.report.differences)} differ, "
        f"{len(check.report.unread)} could not be read, {len(missing)} releases are missing: "
        f"{index.megabytes:.0f} MB in {time.monotonic() - started:.0f} s"
    )
    by_program, from_texts = marks.count()
    print(
        f"in the catalogue {by_program} facts were read by this program, which marks them with the "
        f"day, and {from_texts} taken from texts"
    )
    if arguments.write and missing:
        proposed = {version: entries.proposal(version, check) for version in missing}
        text = entries.written(entries.FILE.read_text(encoding="utf-8"), proposed)
        entries.FILE.write_text(text, encoding="utf-8")
        print(f"{', '.join(missing)} written to {entries.FILE}; look at their doubts")
    return 1 if missing or check.report.differences else 0


def main() -> int:
    """Run a command; return its exit code."""
    arguments = _arguments()
    if arguments.command == "pages":
        pages.write()
        return 0
    return _check(arguments)


sys.exit(main())
