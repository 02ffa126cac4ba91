"""Accepted text comes out of a generated file exactly as it was answered."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from extensions import quoting
from tests.test_cluster import kustomize

printable = st.text().filter(str.isprintable)


@given(printable)
def test_a_shell_reads_one_word(text: str) -> None:
    assert shlex.split(quoting.shell(text)) == [text]


@given(printable | st.integers())
@example("/data/" + "a word and " * 20)
def test_yaml_reads_the_same_scalar(value: str | int) -> None:
    assert yaml.safe_load(f"key: {quoting.yaml_scalar(value)}") == {"key": value}


def test_kubectl_reads_the_same_text_where_python_s_yaml_knows_fewer_numbers(
    tmp_path: Path,
) -> None:
    texts = "1e3 1.5e3 12e03 0o10 08 0x1f 0b1 1_000 +1 .5 1. 2001-1-1 1:30 y N no null ~".split()
    labels = [f"label-{number}: {quoting.yaml_scalar(text)}" for number, text in enumerate(texts)]
    (tmp_path / "map.yaml").write_text(
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: map}, data: {\n"
        + ",\n".join(labels)
        + "}}\n"
    )
    (tmp_path / "kustomization.yaml").write_text("resources: [map.yaml]\n")
    (read,) = kustomize(tmp_path)
    assert [*read["data"].values()] == texts


@pytest.mark.parametrize(
    ("path", "argument"),
    [
        ("/home/ai/.ssh/keys", '"/home/ai/.ssh/keys"'),
        ("/data/my lab/keys", '"/data/my lab/keys"'),
        ("/data/100%/keys", '"/data/100%%/keys"'),
    ],
)
def test_sshd_reads_one_argument_and_no_token(path: str, argument: str) -> None:
    assert quoting.sshd(path) == argument
