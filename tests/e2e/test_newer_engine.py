"""The engines and Composes of Debian 13 and unstable: built, started, logged in to, and more.

Only in the full profile: ``pytest --hypothesis-profile=full tests/e2e/test_newer_engine.py``.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pytest_copier.plugin import CopierProject

from tests.e2e.conftest import JAMMY, RELEASES
from tests.e2e.server import Server, build_image
from tests.e2e.support import REGISTRY, output

pytestmark = pytest.mark.full

FIRST = RELEASES["jammy"]
ADDED = "2.17.1"
"""On the same image, so that one stand-in is enough."""

FOLDER = "/srv/newer"


@dataclass
class Newer:
    """A server with the engine of a newer Debian, and a directory on it."""

    server: Server
    key: Path
    generate: Callable[..., CopierProject]

    def answer(self, *versions: str) -> None:
        """Put the generated directory on the server, over that of before."""
        project = self.generate(
            host="e2e-newer", tf_versions=[*versions], uid=4321, gid=4321, driver="", gpus=[],
            mirror="none", packages=[], registry=REGISTRY,
        )  # fmt: skip
        with subprocess.Popen(
            ["tar", "-C", project.path, "-c", "."], stdout=subprocess.PIPE
        ) as archive:
            self.server.run(f"mkdir -p {FOLDER}")
            unpack = ["docker", "exec", "--interactive", self.server.name, "tar", "-C", FOLDER]
            output(*unpack, "-x", stdin=archive.stdout)

    def compose(self, command: str) -> str:
        return self.server.run(f"cd {FOLDER} && docker compose {command}")

    def ssh(self, port: int, command: str) -> str:
        options = "-o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
        return output(
            "ssh", *options.split(), "-i", self.key, "-p", str(port), f"ai@{self.server.address}",
            command, timeout=60,
        )  # fmt: skip


@pytest.fixture(scope="module", params=["trixie", "sid"])
def newer(
    request: pytest.FixtureRequest,
    engine: None,  # noqa: ARG001
    generate: Callable[..., CopierProject],
    stand_in: Callable[..., None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Newer]:
    key = tmp_path_factory.mktemp("newer") / "key"
    output("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
    build_image(request.param)
    stand_in(JAMMY)
    server = Server.start(f"e2e-{request.param}", key.with_suffix(".pub"), request.param)
    try:
        server.load(f"{REGISTRY}/{JAMMY.tag}")
        server.run("install -d -o ai -g ai /home/ai/tensorflow_volume")
        yield Newer(server, key, generate)
    finally:
        server.remove()


def test_the_engine_is_newer(newer: Newer) -> None:
    version = newer.server.run("docker version --format '{{.Server.Version}}'")
    assert int(version.split(".")[0]) >= 26


def test_it_builds_gets_healthy_and_lets_its_people_in(newer: Newer) -> None:
    newer.answer(FIRST)
    newer.compose("up -d --build --wait")
    told = newer.ssh(21722, "hostname; id -u; echo $CUDA_VERSION; apt-mark showhold | wc -l")
    name, uid, cuda, held = told.split()
    assert (name, uid, cuda) == (f"e2e-newer-tf{FIRST}", "4321", "12.3.0")
    assert int(held) > 5


def test_a_version_that_is_added_restarts_nobody(newer: Newer) -> None:
    before = newer.server.containers()
    newer.answer(FIRST, ADDED)
    newer.compose("up -d --build --wait")
    after = newer.server.containers()
    assert set(after) - set(before) == {f"e2e-newer-tf{ADDED}"}
    assert {name: after[name] for name in before} == before


def test_the_doctor_reads_what_this_engine_says(newer: Newer) -> None:
    checks = json.loads(newer.server.run(f"{FOLDER}/host/doctor --json || true"))["checks"]
    found = {(check["check"], check["subject"]): check for check in checks}
    for name in ("docker", "compose", "buildx"):
        (status,) = {c["status"] for (kind, _), c in found.items() if kind == name}
        assert status == "ok", name
    assert found["container", f"tf{FIRST}"]["status"] == "ok"
