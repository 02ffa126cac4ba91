"""Jinja compiles a text once in a process, however many directories the tests generate.

Copier makes a new environment for each directory, and compiles the same few hundred texts
for it again. What Jinja makes of a text depends on the text, its name and the settings of
the environment, all of which are in the key.
"""

from __future__ import annotations

from collections.abc import Hashable
from types import CodeType
from typing import Any
from weakref import WeakKeyDictionary

from jinja2 import Environment


def compile_once() -> None:
    """Keep what Jinja compiled, in this process."""
    compile_anew: Any = Environment.compile
    compiled: dict[Hashable, CodeType] = {}
    settings: WeakKeyDictionary[Environment, Hashable] = WeakKeyDictionary()

    def from_what_is_compiled(environment: Environment, source: Any, *arguments: Any) -> Any:
        if not isinstance(source, str) or "yield" in source:  # Copier's tag acts when it is parsed
            return compile_anew(environment, source, *arguments)
        if environment not in settings:
            settings[environment] = _settings(environment)
        key = (source, arguments, settings[environment])
        if key in compiled:
            environment.preprocess(source)  # as in compiling, Copier forgets the last such tag
        else:
            compiled[key] = compile_anew(environment, source, *arguments)
        return compiled[key]

    Environment.compile = from_what_is_compiled  # type: ignore[method-assign,assignment]


def _settings(environment: Environment) -> Hashable:
    """Return the class and the syntax, and the names of filters, which change no text of ours."""
    return type(environment), environment.lexer, frozenset(environment.filters)
