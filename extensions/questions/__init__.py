"""The table of questions: what ``copier.yml`` asks, each with its `Question`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from ..answers import Answers, Question, RefusedError
from ..reading import shown
from . import (
    devices,
    general,
    images,
    limits,
    mounts,
    network,
    paths,
    people,
    pods,
    ports,
    tensorflow,
)
from .general import KIND

TABLE: dict[str, Question[Any]] = {
    question.name: question
    for module in (
        general,
        tensorflow,
        people,
        paths,
        network,
        images,
        limits,
        mounts,
        ports,
        devices,
        pods,
    )
    for question in vars(module).values()
    if isinstance(question, Question)
}
"""Every question by name."""


def error(question: Question[Any], answers: Answers) -> str:
    """Return why an answer is refused, with what to do about it; empty where it is accepted.

    An answer to what the kind does not ask, as the answers file of another kind has it, is
    looked at by itself.
    """
    kind = answers[KIND]
    if not question.asked(kind) and question is not KIND:
        answers = answers.only(KIND, question)
    try:
        question.check(answers.read(question), answers)
    except RefusedError as refused:
        return str(refused)
    return ""


def misspelt(names: Iterable[str]) -> str:
    """Return the error for a name that no question has, empty where all are known.

    Names that begin with `_` are Copier's own.
    """
    for name in names:
        if name not in TABLE and not name.startswith("_"):
            near = difflib.get_close_matches(name, TABLE, 1, 0)[0]
            return f"{shown(name)} is not a question of this template; did you mean {near}?"
    return ""
