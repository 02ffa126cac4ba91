"""The only file that Copier loads: adds the functions of this folder to Jinja.

``copier update`` renders the old and the new release in one Python process. A
sibling imported by its plain name would be cached and serve the old release's
code to the new rendering, so siblings are loaded as a package whose name
contains the checkout they come from.
"""

from __future__ import annotations

import importlib
import sys
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from jinja2 import Environment
from jinja2.ext import Extension

if TYPE_CHECKING:
    from . import functions
else:
    here = Path(__file__).resolve().parent
    package = f"extensions_{sha256(str(here).encode()).hexdigest()[:12]}"
    if package not in sys.modules:
        sys.modules[package] = ModuleType(package)
        sys.modules[package].__path__ = [str(here)]
    functions = importlib.import_module(f"{package}.functions")


class Stack(Extension):
    """Functions and filters of copier.yml and of the template."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        environment.globals.update(functions.GLOBALS)
        environment.filters.update(functions.FILTERS)
