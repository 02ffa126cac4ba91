"""How an answer is read, whatever form it arrives in, and how a value is quoted in an error."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import yaml

from .answers import RefusedError

_YES, _NO = "true yes y on 1 t".split(), "false no n off 0 f".split()


def shown(value: Any) -> str:
    """Return the value as an error prints it: quoted, on one line, not too long."""
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(value))
    return f"'{text[:60]}…'" if len(text) > 61 else f"'{text}'"


def listed(values: Iterable[str], conjunction: str = "and") -> str:
    """Return the values as a person writes a list."""
    *most, last = values
    return f"{', '.join(most)} {conjunction} {last}" if most else last


def parsed(answer: Any) -> Any:
    """Return a YAML answer parsed, every scalar in it as text; None where it is not YAML.

    An answer that is no text is returned as it came.
    """
    if not isinstance(answer, str):
        return answer
    try:
        return yaml.load(answer, Loader=yaml.BaseLoader)  # noqa: S506 (makes nothing but text)
    except yaml.YAMLError:
        return None


def texts(answer: Any) -> tuple[str, ...] | None:
    """Return a list answer as text, None where it is no list."""
    value = parsed(answer)
    return tuple(map(str, value)) if isinstance(value, list) else None


def text_map(answer: Any) -> dict[str, str] | None:
    """Return a map answer as text to text, None where it is no map."""
    value = parsed(answer)
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, Mapping) else None


def text(answer: Any) -> str:
    """Return an answer of one line.

    Raises:
        RefusedError: it is missing, a list, a map or a date, or has a control character in it.
    """
    if answer is None:
        raise RefusedError("has no value; write '' for an empty one, or remove the line")
    if isinstance(answer, list | Mapping):
        raise RefusedError(f"{shown(answer)} is a list or a map; give one value")
    if not isinstance(answer, str | int | float):
        raise RefusedError(f"{shown(answer)} is neither text nor a number; put it in quotes")
    if isinstance(answer, str) and not answer.isprintable():
        raise RefusedError(f"{shown(answer)} contains a control character; remove it")
    return str(answer)


def text_or_map(answer: Any) -> str | dict[str, str]:
    """Return an answer that is one line or a map of text to text.

    Copier keeps the map of a file as a map, and one that was typed as text: a prompt for YAML
    would end a default of one word with the line ``...``.

    Raises:
        RefusedError: as `text`.
    """
    value = parsed(answer)
    if isinstance(value, Mapping):
        return {str(k): str(v) for k, v in value.items()}
    return text(value if isinstance(value, str) else answer)


def quoted_text(answer: Any, example: str) -> str:
    """Return an answer of one line in which YAML must not have seen a number.

    Raises:
        RefusedError: as `text`, or it is a fraction, whose last zeros are lost.
    """
    if isinstance(answer, float):
        raise RefusedError(f"{shown(answer)} was read as a number; quote it, as in {example}")
    return text(answer)


def number(answer: Any) -> int | None:
    """Return an answer as a whole number without a sign, None where it is none."""
    digits = text(answer)
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 12:
        return None
    return int(digits)


def boolean(answer: Any) -> bool:
    """Return yes or no.

    Raises:
        RefusedError: it is neither.
    """
    if isinstance(answer, bool):
        return answer
    word = text(answer).lower()
    if word not in _YES + _NO:
        raise RefusedError(f"{shown(answer)} is not a boolean; answer true or false")
    return word in _YES


def one_of(choices: Collection[str], what: str, answer: Any) -> str:
    """Return an answer that is one of a few.

    Raises:
        RefusedError: it is none of them.
    """
    if text(answer) not in choices:
        raise RefusedError(f"{shown(answer)} is not {what}; choose {listed(choices, 'or')}")
    return text(answer)
