"""Generating that was interrupted leaves nothing that the next run trips over."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.releases import ANSWERS_FILE


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def has_begun(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


@pytest.fixture(scope="module")
def copy_to(template: Path) -> list[str]:
    """The command that generates the example, but for where to."""
    options = ["--trust", "--quiet", "--defaults", f"--data-file={template}/example/answers.yml"]
    return [sys.executable, "-m", "copier", "copy", *options, "--overwrite", str(template)]


@pytest.fixture(scope="module")
def whole(copy_to: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    target = tmp_path_factory.mktemp("whole") / "gpu01"
    subprocess.run([*copy_to, str(target)], check=True)
    return content(target)


@pytest.mark.parametrize(
    ("reached", "sent"),
    [
        ("docker-compose.yml", signal.SIGKILL),
        (ANSWERS_FILE, signal.SIGKILL),
        ("images/container/start.sh", signal.SIGINT),
    ],
)
def test_the_same_command_again_completes_it(
    reached: str, sent: signal.Signals, copy_to: list[str], whole: dict[str, bytes], tmp_path: Path
) -> None:
    target = tmp_path / "gpu01"
    first = subprocess.Popen([*copy_to, str(target)], stderr=subprocess.DEVNULL)
    # An answers file without a byte is another matter: Copier itself cannot read it.
    while not has_begun(target / reached) and first.poll() is None:
        time.sleep(0.001)
    first.send_signal(sent)
    first.wait()
    if (target / reached).exists() and reached != ANSWERS_FILE:  # that is one write alone
        (target / reached).write_bytes(whole[reached][: len(whole[reached]) // 2])

    subprocess.run([*copy_to, str(target)], check=True)
    assert content(target) == whole
