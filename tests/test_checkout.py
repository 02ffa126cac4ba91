"""A checkout of the template in which git wrote symbolic links as text files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from extensions import checkout
from extensions.answers import Kind
from tests.answers import ARTICLE, CLUSTER

WITHOUT_LINKS = {
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "core.symlinks",
    "GIT_CONFIG_VALUE_0": "false",
}


def generate(
    template: Path, target: Path, answers: dict[str, Any], **environment: str
) -> tuple[str, dict[str, bytes]]:
    """Return what Copier prints, and the files."""
    data = target.parent / "answers.yml"
    data.write_text(yaml.safe_dump(answers))
    options = ["--trust", "--defaults", "--quiet", f"--data-file={data}"]
    done = subprocess.run(
        [sys.executable, "-m", "copier", "copy", *options, str(template), str(target)],
        env={**os.environ, **environment}, capture_output=True, text=True,
    )  # fmt: skip
    paths = (path for path in target.rglob("*") if path.is_file())
    return done.stderr, {str(path.relative_to(target)): path.read_bytes() for path in paths}


@pytest.mark.parametrize("answers", [ARTICLE, {"kind": "fleet"}], ids=["host", "fleet"])
def test_what_has_no_links_is_generated_as_ever(
    answers: dict[str, Any], copier_template: Path, tmp_path: Path
) -> None:
    made = generate(copier_template, tmp_path / "gpu01", answers, **WITHOUT_LINKS)
    shutil.rmtree(tmp_path / "gpu01")
    assert made == generate(copier_template, tmp_path / "gpu01", answers)
    assert made[1][".copier-answers.yml"].startswith(b"# Written by Copier;")


def test_a_cluster_is_refused_before_a_file_is_written(
    copier_template: Path, tmp_path: Path
) -> None:
    answers = {**ARTICLE, **CLUSTER}
    said, files = generate(copier_template, tmp_path / "gpu01", answers, **WITHOUT_LINKS)
    assert said.splitlines() == [
        "kind: 'cluster' needs symbolic links, and git wrote template/cluster/base/environments "
        "as a file; run: git config --global core.symlinks true"
    ]
    assert files == {}


def test_every_link_of_the_template_is_known() -> None:
    kinds = checkout.TEMPLATE
    links = {str(path.relative_to(kinds)) for path in kinds.rglob("*") if path.is_symlink()}
    assert links == set(checkout.LINKS)
    assert all((kinds / link).is_dir() for link in links)
    assert [checkout.problem(kind) for kind in Kind] == ["", "", ""]
