"""A text is compiled once in a process, however many directories the tests generate.

Copier makes a new environment for each directory, compiles the same few hundred texts for it
again, and imports the extensions from a new clone. What Jinja makes of a text depends on the
text, its name and the settings of the environment, all of which are in the key. The path, which
is only named in tracebacks, is that of the first.
"""

from __future__ import annotations

from collections.abc import Hashable
from importlib.machinery import SourceFileLoader
from types import CodeType
from typing import Any
from weakref import WeakKeyDictionary

from jinja2 import Environment


def compile_once() -> None:
    """Keep what Jinja and Python compiled, in this process."""
    _keep_templates()
    _keep_modules()


def _keep_templates() -> None:
    compile_anew: Any = Environment.compile
    compiled: dict[Hashable, CodeType] = {}
    settings: WeakKeyDictionary[Environment, Hashable] = WeakKeyDictionary()

    def from_what_is_compiled(
        environment: Environment, source: Any, name: Any = None, filename: Any = None, *rest: Any
    ) -> Any:
        if not isinstance(source, str) or "yield" in source:  # Copier's tag acts when it is parsed
            return compile_anew(environment, source, name, filename, *rest)
        if environment not in settings:
            settings[environment] = _settings(environment)
        key = (source, name, rest, settings[environment])
        if key in compiled:
            environment.preprocess(source)  # as in compiling, Copier forgets the last such tag
        else:
            compiled[key] = compile_anew(environment, source, name, filename, *rest)
        return compiled[key]

    Environment.compile = from_what_is_compiled  # type: ignore[method-assign,assignment]


def _keep_modules() -> None:
    compile_anew: Any = SourceFileLoader.source_to_code
    compiled: dict[bytes, CodeType] = {}

    def from_what_is_compiled(loader: SourceFileLoader, data: Any, *rest: Any, **more: Any) -> Any:
        if not isinstance(data, bytes):
            return compile_anew(loader, data, *rest, **more)
        if data not in compiled:
            compiled[data] = compile_anew(loader, data, *rest, **more)
        return compiled[data]

    SourceFileLoader.source_to_code = from_what_is_compiled  # type: ignore[method-assign,assignment]


def _settings(environment: Environment) -> Hashable:
    """Return the class and the syntax, and the names of filters, which change no text of ours."""
    return type(environment), environment.lexer, frozenset(environment.filters)
