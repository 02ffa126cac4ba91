"""The entry of a release that the catalogue lacks, as text for extensions/catalogue.yaml."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from packaging.version import Version

from extensions import catalogue

from .check import Check

FILE = Path(catalogue.__file__).with_name("catalogue.yaml")
_AFTER_RELEASES = "\n# Where the facts come from."


def proposal(version: str, check: Check) -> str:
    """Return the entry of a release, with what its neighbour has where nothing was read."""
    wheels = check.wheels("tensorflow")[version]
    older = [v for v in catalogue.releases() if "-" not in v and Version(v) < Version(version)]
    neighbour = older[-1]
    facts = catalogue.load()["releases"][neighbour]
    pythons = sorted({wheel.python for wheel in wheels}, key=Version)
    extra = "[and-cuda]" if "and-cuda" in wheels[0].extras else ""
    today = date.today().isoformat()
    quoted = ", ".join(f'"{python}"' for python in pythons)
    needs = f", needs: [{', '.join(names)}]" if (names := facts["wheel"].get("needs")) else ""
    group = _group(version, check)
    taken = "toolkit and bounds" if group else "toolkit, bounds and GPUs"
    entry = [
        f'  "{version}":',
        f"    toolkit: {facts['toolkit']}",
        f'    wheel: {{requirement: "tensorflow{extra}=={version}", python: [{quoted}]{needs}, '
        f'read: "{today}"}}',
        f"    gpus: {group or facts['gpus']}",
        "    sources: [pypi, wheel_code]",
        f'    doubts: "whether it has a working image; {taken} are those of {neighbour}"',
    ]
    return "\n".join(entry) + "\n"


def _group(version: str, check: Check) -> str | None:
    """Return the group of GPUs whose code the wheel has, the newest where several have it."""
    wheel = check.wheels("tensorflow")[version][0]
    info = wheel.build_info()
    code = info.code if info else wheel.gpu_code(24)
    groups = catalogue.load()["gpus"]
    same = [
        name
        for name, facts in groups.items()
        if "native" in facts
        and code
        and (tuple(facts["native"]), tuple(facts["ptx"])) == (code.native, code.ptx)
    ]
    return same[-1] if same else None


def written(text: str, entries: dict[str, str]) -> str:
    """Return the text of the catalogue with entries in their place by age.

    Args:
        text: The catalogue.
        entries: Version to entry.
    """
    for version, entry in entries.items():
        newer = [
            other
            for other in catalogue.releases()
            if "-" not in other and Version(other) > Version(version)
        ]
        before = f'  "{newer[0]}":\n' if newer else _AFTER_RELEASES
        head, found, tail = text.partition(before)
        assert found, before  # noqa: S101 (the file has every release that was read from it)
        text = head + entry + found + tail
    return text
