"""Answers that several tests give, and how the extensions judge one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from extensions import questions
from extensions.answers import Answers, Kind
from tests.support import ROOT

EXAMPLE: dict[str, Any] = yaml.safe_load((ROOT / "example/answers.yml").read_text())
"""The answers of the example."""

ARTICLE: dict[str, Any] = {**EXAMPLE, "ports": {"1.15.5": 10022, "2.17.0": 20022}}
"""The answers of the article this template grew from: the example's, with ports of its own."""

CONTAINER_SCRIPTS = ("bashrc-first", "bashrc-last", "conda", "profile", "start")
"""What images/container/ has for every container."""

CLUSTER: dict[str, Any] = {
    "kind": "cluster",
    "image_registry": "registry.example.com/lab",
    "image_tag": "v1",
    "storage": "nfs",
    "nfs_server": "nas.example.com",
}
"""What a cluster is asked and a host is not."""


def error(
    question: str, answers: Mapping[str, Any], recorded: Mapping[str, Any] | None = None
) -> str:
    """Why an answer is refused beside the others, empty where it is accepted."""
    return questions.error(questions.TABLE[question], Answers(answers, lambda: recorded or {}))


def asked(question: str, kind: str) -> bool:
    """Whether a kind of directory asks a question."""
    return questions.TABLE[question].asked(Kind(kind))
