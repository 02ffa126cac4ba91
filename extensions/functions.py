"""What ``copier.yml`` and the templates call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import yaml
from copier.errors import UserMessageError
from jinja2 import pass_context
from jinja2.runtime import Context

from . import (
    checkout,
    cluster,
    containers,
    editors,
    environments,
    facts,
    gpus,
    holds,
    mirrors,
    moved_files,
    prompt,
    questions,
    quoting,
    registries,
    sharing,
)
from .answers import Answers, RefusedError
from .questions import devices, tensorflow
from .questions.general import KIND
from .questions.images import REGISTRY
from .questions.network import MIRROR
from .questions.people import everybody, namespace_of, people_to_give
from .questions.tensorflow import IMAGES, SHARING, TF_VERSIONS

R = TypeVar("R")


def _recorded(conf: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answers file of the destination, empty on a first copy."""
    path = Path(conf["dst_path"], conf["answers_file"])
    return (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.is_file() else {}


def _answers(context: Context) -> Answers:
    return Answers(context.get_all(), lambda: _recorded(context["_copier_conf"]))


def of_answers(function: Callable[..., R]) -> Callable[..., R]:
    """Return the function as Jinja calls it: its first argument is the answers known so far."""

    @pass_context
    @wraps(function)
    def called(context: Context, *arguments: Any) -> R:
        return function(_answers(context), *arguments)

    return called


def _refuse_misspelt(conf: Mapping[str, Any]) -> None:
    """End Copier where ``--data`` names no question, which Copier would pass over.

    An update renders twice more, quietly and elsewhere, from all that is recorded: there
    the names of questions that the template no longer has are no mistake.
    """
    recorded = _recorded(conf)
    new = [name for name in conf["data"] if name not in recorded]
    if (recorded or not conf["quiet"]) and (message := questions.misspelt(new)):
        raise UserMessageError(message)


@pass_context
def error(context: Context, name: str) -> str:
    """Return why the present answer is refused, empty where it is accepted.

    It goes without the question's name, which Copier puts before it at the prompt.
    """
    if message := questions.error(questions.TABLE[name], _answers(context)):
        prompt.show_refusal(f"{name}: {message}")
    return message


@pass_context
def check(context: Context, name: str) -> bool:
    """Check the answer that there is, and return whether the kind of directory asks the question.

    Used in ``when``, which Copier renders before it validates an answer given by
    ``--data`` or recorded earlier: a failing validator would be a traceback there.

    Raises:
        UserMessageError: the answer is refused.
    """
    conf, answers, question = context["_copier_conf"], _answers(context), questions.TABLE[name]
    if message := checkout.problem(answers[KIND]):
        raise UserMessageError(f"{KIND.name}: {message}")
    if question is KIND:
        _refuse_misspelt(conf)
    if question in answers:
        try:
            if question.complete and name not in conf["data"]:
                answers = answers.replaced(question, question.complete(answers))
        except RefusedError as refused:
            raise UserMessageError(f"{name}: {refused}") from None
        if message := questions.error(question, answers):
            raise UserMessageError(f"{name}: {message}")
    return question.asked(answers[KIND])


@pass_context
def default(context: Context, name: str) -> Any:
    """Return the default of a question whose default depends on the machine or on other answers.

    Where somebody is asked, a default that would be refused is none, since Copier ends in a
    traceback over it.

    Raises:
        UserMessageError: it would be refused, and there is nobody who could type another.
    """
    answers, question = _answers(context), questions.TABLE[name]
    try:
        value = question.default(answers)
    except RefusedError as refused:
        raise UserMessageError(f"{name}: {refused}") from None
    if question.asked(answers[KIND]):
        message = questions.error(question, answers.replaced(question, value))
        if message and context["_copier_conf"]["defaults"]:
            raise UserMessageError(f"{name}: {message}")
        if message:
            str(context["UNSET"])  # raises what Copier takes for "no default"
    return value


GLOBALS: dict[str, Any] = {
    # of copier.yml
    "check": check,
    "container_choices": of_answers(
        lambda answers: sharing.choices(answers[TF_VERSIONS], answers[IMAGES])
    ),
    "default": default,
    "error": error,
    "gpu_generations": lambda: gpus.GENERATIONS,
    "has_moved_files": moved_files.has_moved_files,
    "mirror_names": lambda: ", ".join(mirrors.known()),
    "outlook": of_answers(lambda a: sharing.outlook(a[TF_VERSIONS], a[SHARING], a[IMAGES])),
    "partition": of_answers(
        lambda answers: sharing.partition(answers[TF_VERSIONS], answers[IMAGES])
    ),
    "version_choices": of_answers(tensorflow.version_choices),
    # of the templates
    "colleagues": of_answers(containers.colleagues),
    "built_image": of_answers(cluster.built_image),
    "conda_in_home": of_answers(cluster.conda_in_home),
    "costs": of_answers(lambda a: sharing.costs(a[TF_VERSIONS], a[SHARING], a[IMAGES])),
    "cuda_families": holds.FAMILIES,
    "driver_above": cluster.driver_above,
    "environments": of_answers(environments.environments),
    "extensions_for": editors.extensions_for,
    "facts_json": of_answers(facts.facts_json),
    "gpu_families": cluster.gpu_families,
    "gpus_of": of_answers(containers.gpus_of),
    "gpus_by_name": of_answers(containers.gpus_by_name),
    "gpus_of_nobody": of_answers(devices.gpus_of_nobody),
    "docker_mirror": of_answers(lambda a: registries.docker_mirror(a[REGISTRY])),
    "mirror_urls": of_answers(lambda answers: mirrors.urls(answers[MIRROR])),
    "namespace_of": namespace_of,
    "newer_glibc": of_answers(containers.newer_glibc),
    "newest_takes": editors.newest_takes,
    "object_name": cluster.object_name,
    "own_cuda": of_answers(
        lambda answers: any(container.own_cuda for container in containers.plan(answers))
    ),
    "only_on_data_center_gpus": of_answers(containers.only_on_data_center_gpus),
    "only_on_the_host": of_answers(containers.only_on_the_host),
    "everybody": of_answers(everybody),
    "people_to_give": of_answers(people_to_give),
    "plan": of_answers(containers.plan),
    "proxies": of_answers(containers.proxies),
    "services": of_answers(containers.services),
    "sets_environment": of_answers(containers.sets_environment),
    "ssh_aliases": of_answers(containers.ssh_aliases),
    "volumes": of_answers(cluster.volumes),
    # of a cluster's pods
    "driver_labels": cluster.DRIVER_LABELS,
    "gpu_quotas": of_answers(cluster.gpu_quotas),
    "gpu_requested": of_answers(cluster.gpu_requested),
    "gpus_for": of_answers(cluster.gpus_for),
    "pod_amounts": of_answers(cluster.pod_amounts),
    "pod_paths": of_answers(cluster.pod_paths),
    "sessions_end": of_answers(cluster.sessions_end),
    "scarce_families": cluster.scarce_families,
}

FILTERS: dict[str, Callable[..., str]] = {
    "sh": quoting.shell,
    "sshd": quoting.sshd,
    "yaml": quoting.yaml_scalar,
}
