"""Accepted text comes out of a generated file exactly as it was answered."""

from __future__ import annotations

import shlex

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from extensions import quoting

printable = st.text().filter(str.isprintable)


@given(printable)
def test_a_shell_reads_one_word(text: str) -> None:
    assert shlex.split(quoting.shell(text)) == [text]


@given(printable | st.integers())
def test_yaml_reads_the_same_scalar(value: str | int) -> None:
    assert yaml.safe_load(f"key: {quoting.yaml_scalar(value)}") == {"key": value}


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
