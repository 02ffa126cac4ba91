"""The conda environments that new.sh makes of the chosen releases."""

from __future__ import annotations

from dataclasses import dataclass

from . import sharing
from .answers import Answers
from .questions.tensorflow import SHARING, chosen
from .release import Release


@dataclass(frozen=True)
class Environment:
    """A file of environments/, from which new.sh makes a conda environment."""

    version: str
    """The argument with which new.sh makes it, such as ``2.17.0`` or ``2.9.3-cuda``."""
    python: str
    conda: tuple[str, ...]
    """What conda installs."""
    pip: tuple[str, ...]
    """What pip installs after that."""
    own_cuda: bool
    """Whether it brings its own CUDA."""

    @property
    def name(self) -> str:
        """Name of the environment and of its file."""
        return f"tf{self.version}"

    @property
    def release(self) -> str:
        """The TensorFlow version."""
        return self.version.removesuffix("-cuda")


def environments(answers: Answers) -> list[Environment]:
    """Return the environments of the chosen releases, oldest first.

    Where containers have CUDA, those that bring their own come first.
    """
    installable = [release for release in chosen(answers) if release.installable]
    own = [_environment(release, own_cuda=True) for release in installable if release.own_cuda]
    if answers[SHARING] == sharing.ONE:
        return own
    plain = [_environment(release, own_cuda=release.brings_cuda) for release in installable]
    return [each for each in own if each not in plain] + plain


def _environment(release: Release, *, own_cuda: bool) -> Environment:
    beside = release.own_cuda if own_cuda else None
    name = release.own_environment if own_cuda else release.environment
    return Environment(
        version=name.removeprefix("tf"),
        python=release.environment_python,
        conda=release.conda_packages + (beside.conda if beside else ()),
        pip=release.pip_packages + (beside.pip if beside else ()),
        own_cuda=own_cuda,
    )
