"""The kinds of directory that are generated, and the questions that each asks."""

from __future__ import annotations

HOST, FLEET, CLUSTER = KINDS = ("host", "fleet", "cluster")
"""The answers to the question ``kind``, each with a folder of that name in template/."""

_IMAGES = """kind host tf_versions uid gid host_home conda_path project_path mirror advanced
    containers user port_offset packages registry digests proxy no_proxy language ports"""

QUESTIONS: dict[str, frozenset[str]] = {
    HOST: frozenset(f"{_IMAGES} driver gpus ssh sudo bind_address gpu_devices".split()),
    FLEET: frozenset("kind admin deploy_path language".split()),
    CLUSTER: frozenset(f"{_IMAGES} image_registry image_tag storage nfs_server".split()),
}
"""Names of the questions, by kind."""


def asks(kind: object, question: str) -> bool:
    """Return whether a kind asks a question; one that is unknown asks none but for the kind."""
    return question in QUESTIONS.get(str(kind), {"kind"})
