"""Text of an answer as one word of the language of a generated file."""

from __future__ import annotations

import shlex

import yaml


def shell(text: str) -> str:
    """Return the text as one word of a POSIX shell."""
    return shlex.quote(text)


def sshd(path: str) -> str:
    """Return the path as one argument of sshd_config, where ``%`` begins a token.

    Quoted even where it need not be: OpenSSH 7.6 and 8.2 split an argument at ``=``.
    """
    return '"' + path.replace("%", "%%") + '"'


def yaml_scalar(value: str | int) -> str:
    """Return the value as one YAML scalar, quoted only where YAML would misread it."""
    return yaml.safe_dump(value, allow_unicode=True, width=float("inf")).split("\n")[0]
