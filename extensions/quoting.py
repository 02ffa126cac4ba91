"""Text of an answer as one word of the language of a generated file."""

from __future__ import annotations

import re
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
    """Return the value as one YAML scalar, quoted only where YAML could misread it.

    PyYAML would leave bare what Compose or kubectl take for a number, a date or a boolean,
    such as ``1e3``, ``0o10``, ``2001-1-1`` and ``y``.
    """
    style = "'" if re.match("[0-9.+-]|[yYnN]$", str(value)) and isinstance(value, str) else None
    text = yaml.safe_dump(value, default_style=style, allow_unicode=True, width=float("inf"))
    return text.split("\n")[0]
