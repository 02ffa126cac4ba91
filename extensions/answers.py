"""Answers: each is read once, by its question, into a value that needs no second look.

``copier.yml`` asks; a `Question` says which kinds of directory ask it, how an answer is
read and checked, and what its computed default is. `Answers` returns what was read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any, Generic, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Kind(str, Enum):  # noqa: UP042 (Ubuntu 22.04 has Python 3.10, without StrEnum)
    """The kinds of directory that are generated, each with a folder of that name in template/."""

    HOST = "host"
    FLEET = "fleet"
    CLUSTER = "cluster"

    def __str__(self) -> str:
        return self.value


class RefusedError(Exception):
    """An answer that is not accepted: the value, what is wrong with it, and what to do.

    The message does not begin with the question's name, which Copier prints at the prompt.
    """


def accept(value: Any, answers: Answers) -> None:
    """Check nothing: what could be read is accepted."""


def in_copier_yml(_answers: Answers) -> Any:
    """Stand for a default that is written in ``copier.yml``: nobody works it out."""
    raise TypeError("this question has its default in copier.yml")


@dataclass(frozen=True, eq=False)
class Question(Generic[T_co]):
    """What is known of a question beside its entry in ``copier.yml``."""

    name: str
    kinds: tuple[Kind, ...]
    """The kinds of directory that ask it."""
    read: Callable[[Any], T_co]
    """Turns an answer as it arrives into its value: ``-d uid=5`` brings the text ``'5'``.

    Raises `RefusedError` where it cannot be read.
    """
    unanswered: T_co
    """Its value as long as nobody has answered."""
    check: Callable[[Any, Answers], None] = accept
    """Raises `RefusedError` where the value cannot be accepted beside the other answers."""
    default: Callable[[Answers], Any] = in_copier_yml
    """Its default, where that depends on the machine or on other answers."""
    complete: Callable[[Answers], Any] | None = None
    """What a recorded answer becomes before it is checked, where it grows with others."""

    def asked(self, kind: Kind) -> bool:
        """Return whether a kind of directory asks this question."""
        return kind in self.kinds


class Answers:
    """All answers known so far, each read on first use.

    An answer that is missing or cannot be read has the value ``unanswered`` of its question:
    it is refused where it is asked, not where another question looks at it.
    """

    def __init__(
        self, raw: Mapping[str, Any], recorded: Callable[[], Mapping[str, Any]] = dict
    ) -> None:
        """Hold answers as Copier has them.

        Args:
            raw: Name of question to answer, as typed, as in a data file, or cast by Copier.
            recorded: Reads what an earlier generation recorded, nothing on a first copy.
        """
        self._raw = raw
        self._read_recorded = recorded
        self._values: dict[str, Any] = {}

    @cached_property
    def recorded(self) -> Answers:
        """The answers of the earlier generation of this directory."""
        return Answers(self._read_recorded())

    def __bool__(self) -> bool:
        return bool(self._raw)

    def __contains__(self, question: Question[Any]) -> bool:
        """Return whether the question has an answer, good or bad."""
        return question.name in self._raw

    def __getitem__(self, question: Question[T]) -> T:
        """Return the value of an answer."""
        if question.name not in self._values:
            try:
                value = self.read(question)
            except (RefusedError, KeyError):
                value = question.unanswered
            self._values[question.name] = value
        value = self._values[question.name]
        return value

    def read(self, question: Question[T]) -> T:
        """Return the value of an answer.

        Raises:
            RefusedError: it cannot be read.
            KeyError: there is none.
        """
        return question.read(self._raw[question.name])

    def of_copier(self, name: str) -> Any:
        """Return what Copier puts beside the answers, such as ``_folder_name``; None without it."""
        return self._raw.get(name)

    def only(self, *questions: Question[Any]) -> Answers:
        """Return the answers to these questions alone."""
        names = {question.name for question in questions}
        kept = {name: value for name, value in self._raw.items() if name in names or name[0] == "_"}
        return Answers(kept, self._read_recorded)

    def replaced(self, question: Question[Any], answer: Any) -> Answers:
        """Return the answers with another answer to one question."""
        return Answers({**self._raw, question.name: answer}, self._read_recorded)
