"""The only file Copier loads: hands the functions of this folder to Jinja.

``copier update`` renders the old and the new release in one Python process. A
sibling imported by its plain name would be cached and serve the old release's
code to the new rendering, so siblings are loaded as a package whose name
contains the checkout they come from.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import yaml
from copier.errors import UserMessageError
from jinja2 import Environment, Template, pass_context
from jinja2.ext import Extension
from jinja2.runtime import Context


def _sibling(name: str) -> ModuleType:
    here = Path(__file__).resolve().parent
    package = f"extensions_{sha256(str(here).encode()).hexdigest()[:12]}"
    if package not in sys.modules:
        sys.modules[package] = ModuleType(package)
        sys.modules[package].__path__ = [str(here)]
    return importlib.import_module(f"{package}.{name}")


if TYPE_CHECKING:
    from . import (
        catalogue,
        checks,
        cluster,
        containers,
        defaults,
        holds,
        kinds,
        machine,
        mirrors,
        ports,
        quoting,
        sharing,
    )
else:
    catalogue = _sibling("catalogue")
    checks = _sibling("checks")
    cluster = _sibling("cluster")
    containers = _sibling("containers")
    defaults = _sibling("defaults")
    holds = _sibling("holds")
    kinds = _sibling("kinds")
    machine = _sibling("machine")
    mirrors = _sibling("mirrors")
    ports = _sibling("ports")
    quoting = _sibling("quoting")
    sharing = _sibling("sharing")


def _recorded(answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answers file of the destination, empty on a first copy."""
    conf = answers["_copier_conf"]
    path = Path(conf["dst_path"], conf["answers_file"])
    return (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.is_file() else {}


@pass_context
def allot_ports(context: Context) -> dict[str, int]:
    """Return the ledger of the answers with a port for every container."""
    answers = context.get_all()
    return ports.allot(
        checks.needed(answers),
        ports.read_ledger(answers.get("ports") or {}),
        int(answers.get("port_offset") or 0),
    )


def _judge(question: str, answers: Mapping[str, Any]) -> str:
    """Return the sentence that refuses an answer, in sight of those recorded before."""
    recorded = _recorded(answers) if question in checks.AFTER_WHAT_WAS_RECORDED else {}
    return checks.refusal(question, answers, recorded)


def _refuse_misspelt(answers: Mapping[str, Any]) -> None:
    """End Copier where ``--data`` names no question, which Copier would pass over.

    An update renders twice more, quietly and elsewhere, from all that is recorded: there
    the names of questions that the template no longer has are no mistake.
    """
    conf, recorded = answers["_copier_conf"], _recorded(answers)
    new = [name for name in conf["data"] if name not in recorded]
    if (recorded or not conf["quiet"]) and (sentence := checks.misspelt(new)):
        raise UserMessageError(sentence)


@pass_context
def refusal(context: Context, question: str) -> str:
    """Return the sentence that refuses the present answer, empty when it is accepted.

    It goes without the question's name, which Copier puts before it at the prompt, on
    the one line that there is.
    """
    answers = context.get_all()
    return _judge(question, answers).removeprefix(f"{question}: ")


@pass_context
def accepted(context: Context, question: str) -> bool:
    """Return whether the kind asks the question, or end Copier with the refusal of its answer.

    Used in ``when``, which Copier renders before it validates an answer given by
    ``--data`` or recorded earlier: a failing validator would be a traceback there.

    Raises:
        UserMessageError: the answer is refused.
    """
    answers = context.get_all()
    if question == "kind":
        _refuse_misspelt(answers)
    asked = kinds.asks(answers.get("kind", kinds.HOST), question)
    if question not in answers:
        return asked
    if question == "ports" and "ports" not in answers["_copier_conf"]["data"]:
        # A recorded ledger lacks the versions that are new: it is completed, then judged.
        answers = {**answers, "ports": allot_ports(context)}
    if sentence := _judge(question, answers):
        raise UserMessageError(sentence)
    return asked


@pass_context
def default(context: Context, question: str) -> Any:
    """Return the default of a question whose default depends on the machine or on other answers.

    Raises:
        UserMessageError: it would be refused, and there is nobody who could type another.
    """
    answers = context.get_all()
    value = defaults.default(question, answers)
    if not kinds.asks(answers.get("kind", kinds.HOST), question):
        return value
    sentence = checks.refusal(question, {**answers, question: value})
    if sentence and answers["_copier_conf"]["defaults"]:
        raise UserMessageError(sentence)
    return value


@pass_context
def plan(context: Context) -> list[containers.Container]:
    """Return the containers that the answers ask for, ready to print."""
    return containers.plan(context.get_all())


@pass_context
def environments(context: Context) -> list[catalogue.Release]:
    """Return the chosen releases that have a conda environment, oldest first."""
    return containers.environments(context.get_all())


@pass_context
def editor_paths(context: Context) -> dict[str, str]:
    """Return where Visual Studio Code shall install its server, by ssh alias."""
    return containers.editor_paths(context.get_all())


@pass_context
def too_old_for_editors(context: Context) -> list[str]:
    """Return the names of the containers that cannot run today's Visual Studio Code."""
    return containers.too_old_for_editors(context.get_all())


@pass_context
def ssh_aliases(context: Context) -> list[str]:
    """Return every ssh alias of the host."""
    return containers.ssh_aliases(context.get_all())


@pass_context
def only_on_the_host(context: Context) -> bool:
    """Return whether the ssh ports are open to those alone who are on the host already."""
    return containers.only_on_the_host(context.get_all())


@pass_context
def container_choices(context: Context) -> list[list[str]]:
    """Return the ways of sharing containers, each with what it costs for the chosen versions."""
    return sharing.choices(checks.read_list(context.get("tf_versions", [])))


@pass_context
def outlook(context: Context) -> str:
    """Return in words what the chosen versions take on the host, and how they could take less."""
    way = str(context.get("containers", sharing.PER_VERSION))
    return sharing.outlook(checks.read_list(context.get("tf_versions", [])), way)


@pass_context
def partition(context: Context) -> str:
    """Return in words which of the chosen versions can share a container, and which cannot."""
    return sharing.partition(checks.read_list(context.get("tf_versions", [])))


@pass_context
def costs(context: Context) -> list[sharing.Cost]:
    """Return what the chosen versions take on the host, and would if they shared otherwise."""
    versions = checks.read_list(context["tf_versions"])
    return sharing.costs(versions, context["containers"])


@pass_context
def proxies(context: Context) -> dict[str, str]:
    """Return the variables that tell programs of the answered proxy."""
    return containers.proxies(context.get_all())


@pass_context
def built_image(context: Context, container: containers.Container) -> str:
    """Return the image that is built for a container of a cluster."""
    return cluster.built_image(container, context.get_all())


@pass_context
def conda_in_home(context: Context) -> str:
    """Return where in the home conda is mounted, empty where it is not."""
    return cluster.conda_in_home(context.get_all())


@pass_context
def volumes(context: Context) -> list[cluster.Volume]:
    """Return the directories that all pods of a cluster mount."""
    return cluster.volumes(context.get_all())


def compile_once(environment: Environment) -> None:
    """Let an environment compile a text once, where Copier has it done for each choice and path.

    Extensions prepare the text each time all the same: Copier's yield tag counts on it.
    """
    compiled = cache(environment.from_string)

    def from_string(source: str) -> Template:
        environment.preprocess(source)
        return compiled(source)

    environment.from_string = from_string  # type: ignore[assignment,method-assign]


class Stack(Extension):
    """Functions and filters of copier.yml and of the template."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        compile_once(environment)
        environment.globals.update(
            accepted=accepted,
            allot_ports=allot_ports,
            built_image=built_image,
            conda_in_home=conda_in_home,
            container_choices=container_choices,
            costs=costs,
            cuda_families=holds.FAMILIES,
            default=default,
            driver_above=cluster.driver_above,
            editor_paths=editor_paths,
            environments=environments,
            gpu_families=cluster.gpu_families,
            gpu_generations=machine.generations,
            mirror_urls=mirrors.urls,
            namespace_of=checks.namespace_of,
            object_name=cluster.object_name,
            only_on_the_host=only_on_the_host,
            outlook=outlook,
            partition=partition,
            plan=plan,
            proxies=proxies,
            refusal=refusal,
            registry_url=mirrors.registry_url,
            ssh_aliases=ssh_aliases,
            too_old_for_editors=too_old_for_editors,
            version_choices=catalogue.choices,
            volumes=volumes,
        )
        environment.filters.update(
            sh=quoting.shell,
            sshd=quoting.sshd,
            yaml=quoting.yaml_scalar,
        )
