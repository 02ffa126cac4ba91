"""What the extension does to the environment in which Copier renders."""

from __future__ import annotations

import pytest
from jinja2 import Environment
from jinja2.ext import Extension

from extensions.jinja import Stack


class Prepared(Extension):
    """Counts the texts it is shown, as Copier's yield tag looks at each."""

    texts: list[str]

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.texts = []

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:  # noqa: ARG002
        self.texts.append(source)
        return source


def test_a_text_is_compiled_once_and_shown_to_every_extension_each_time() -> None:
    environment = Environment(extensions=[Prepared, Stack])
    prepared = environment.extensions[Prepared.identifier]
    assert isinstance(prepared, Prepared)
    template = environment.from_string("{{ version }}")
    prepared.texts.clear()
    assert environment.from_string("{{ version }}") is template
    assert prepared.texts == ["{{ version }}"]
    assert [template.render(version=version) for version in (1, 2)] == ["1", "2"]


@pytest.mark.parametrize("value", [5, True, None, ["2.17.0"], {"tf": 1}])
def test_what_is_no_text_is_refused_as_jinja_refuses_it(value: object) -> None:
    with pytest.raises(TypeError):
        Environment().from_string(value)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Environment(extensions=[Stack]).from_string(value)  # type: ignore[arg-type]
