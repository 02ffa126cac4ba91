"""What people type for a release leads to one, or to the true reason."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pexpect
import pyte
import pytest

from extensions import catalogue
from extensions.versions import advice
from tests.releases import Repository

RELEASES = catalogue.releases()
NEWEST = [version for version in RELEASES if "-" not in version][-1]
"""2.21.0, until the weekly check adds another."""
UNUSABLE = RELEASES[NEWEST].unusable or {"why": "does not exist"}
LATEST = (
    f"is {NEWEST}, whose image {UNUSABLE['why']}; choose 2.17.0, the newest with a working image, "
    f"or {NEWEST} as an environment"
)
TYPED = {
    "latest": LATEST,
    "latest-gpu": LATEST,
    "latest-gpu-jupyter": LATEST,
    "1.15.5-gpu-py3": "is more than a version; write 1.15.5",
    "2.17.0-gpu-jupyter": "is more than a version; write 2.17.0",
    "tensorflow/tensorflow:2.9.1-gpu": "is more than a version; write 2.9.1",
    "tensorflow-gpu==1.15.5": "is more than a version; write 1.15.5",
    "v2.17.0": "is more than a version; write 2.17.0",
    "2.10": "is a minor version; choose one of 2.10.0, 2.10.1",
    "2": f"is a major version; choose a release, such as {NEWEST}",
    "3": f"is not in the catalogue; choose one from 1.13.1 to {NEWEST}",
    "1.12.0": "is older than 1.13.1, the oldest in the catalogue: its image is on Ubuntu 16.04 or "
    "older; choose 1.13.1",
    "2.22.0rc0": "is a pre-release, which is not offered; choose 2.21.0",
    "2.9.0rc1-gpu": "is a pre-release, which is not offered; choose 2.8.4",
    "2.99.0": f"is newer than {NEWEST}, the newest in this catalogue; choose that, or update the "
    "template",
    "2.13.9": "is not in the catalogue; choose one of 2.13.0, 2.13.1",
    "2.l7.0": "is not in the catalogue; choose one of 2.7.0, 2.17.0, 2.9.0",
}


@pytest.mark.parametrize(("typed", "said"), TYPED.items())
def test_what_is_typed_leads_to_a_release_or_to_the_reason(typed: str, said: str) -> None:
    assert advice(typed, RELEASES) == said


OFFICIAL = [v for v, r in RELEASES.items() if r.own_image and "-nv" not in v]


@pytest.mark.parametrize("version", OFFICIAL)
def test_the_tag_of_every_image_leads_to_its_release(version: str) -> None:
    release = RELEASES[version]
    for typed in (release.image, release.image_version + "-gpu", f"tensorflow=={version}"):
        assert advice(typed, RELEASES) == f"is more than a version; write {version}"


def test_what_is_preselected_is_seen_in_a_terminal_of_80_by_24(
    copier_template: Path, tmp_path: Path
) -> None:
    command = ["-m", "copier", "copy", "--trust", "--data=host=gpu01", "--data=kind=host"]
    prompt = pexpect.spawn(
        sys.executable, [*command, str(copier_template), "gpu01"], cwd=tmp_path, timeout=60,
        dimensions=(24, 80), encoding="utf-8",
        env={**os.environ, "TERM": "xterm", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    screen = pyte.Screen(80, 24)
    stream = pyte.Stream(screen)
    try:
        with suppress(pexpect.TIMEOUT):  # a second of silence: all is drawn
            while True:
                drawn = screen.display[-1].strip()  # 28 rows do not fit
                stream.feed(prompt.read_nonblocking(4096, timeout=1 if drawn else 60))
    finally:
        prompt.close(force=True)
    rows = [line.rstrip() for line in screen.display]
    preselected = [row.partition("●")[2].strip() for row in rows if "●" in row]
    assert preselected == [RELEASES[version].label for version in ("2.17.0", "1.15.5")]
    others = [row.partition("○")[2].strip() for row in rows if "○" in row]
    assert len(others) == 20  # a row for each, cut off nowhere
    assert set(others) <= {release.label for release in RELEASES.values()}


def test_a_patch_release_that_is_not_listed_is_accepted_by_name_and_kept(
    copier_template: Path, article: dict[str, Any], tmp_path: Path
) -> None:
    assert "2.4.1" not in [version for _, version in catalogue.base().choices()]
    answers = {**article, "tf_versions": ["2.4.1", "1.15.5"]}
    del answers["ports"]
    host = Repository.create(tmp_path / "repository").copy(copier_template, answers)
    assert "tensorflow/tensorflow:2.4.1-gpu" in host.read("README.md")
    host.answer(language="zh")
    assert host.answers["tf_versions"] == ["2.4.1", "1.15.5"]
    assert host.answers["ports"] == {"1.15.5": 11522, "2.4.1": 20422}
