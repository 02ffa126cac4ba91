"""Visual Studio Code, as far as a machine can try it: its Dev Containers command line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import RELEASES
from tests.e2e.support import Directory, output
from tests.support import missing

SERVICE = f"tf{RELEASES['jammy']}"
COMMAND = ("npx", "--yes", "@devcontainers/cli@0.89")

DevContainer = Callable[..., str]


@pytest.fixture(scope="module")
def dev_container(host: Directory) -> DevContainer:
    """Run the command line of Dev Containers on the configuration of one service."""
    if not shutil.which("npx"):
        missing("npx is not installed: run .ci/engine")
    config = host.path / ".devcontainer" / SERVICE / "devcontainer.json"

    def run(verb: str, *more: str) -> str:
        where: list[str | Path] = ["--workspace-folder", host.path, "--config", config]
        return output(*COMMAND, verb, *where, *more)

    return run


def test_a_dev_container_opens_the_running_service_and_restarts_nothing(
    host: Directory, dev_container: DevContainer
) -> None:
    before = host.container(SERVICE)
    opened = json.loads(dev_container("up").splitlines()[-1])
    assert opened["outcome"] == "success"
    assert opened["containerId"] == before["Id"]
    assert (opened["remoteUser"], opened["remoteWorkspaceFolder"]) == ("ai", "/AI")
    after = host.container(SERVICE)
    assert after["State"]["StartedAt"] == before["State"]["StartedAt"]


def test_a_command_in_a_dev_container_has_the_environment_of_the_image(
    host: Directory, dev_container: DevContainer
) -> None:
    command = "id -un; pwd; printenv CUDA_VERSION; conda --version"
    running = f"--container-id={host.container(SERVICE)['Id']}"
    printed = dev_container("exec", running, "bash", "-c", command)
    version = host.exec(SERVICE, "printenv", "CUDA_VERSION").strip()
    assert printed.split() == ["ai", "/AI", version, "conda", "25.9.1"]
