"""The name behind a login is the comment of its key, whatever stands there."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_copier.plugin import CopierProject

KEY = f"AAAAC3NzaC1lZDI1NTE5AAAAI{'a/b+' * 10}C="
OTHER = KEY.replace("AAAAI", "AAAAJ")

SHOW = '. "$0"; printf "%s|%s|%s" "${LOGIN_NAME-none}" "${GIT_AUTHOR_NAME-none}" "$(id -u)"'


@pytest.fixture(scope="module")
def script(generate: Callable[..., CopierProject]) -> str:
    return str((generate() / "images/container/login.sh").read_text())


@pytest.fixture(params=["sh", "bash"])
def login(request: pytest.FixtureRequest, script: str, tmp_path: Path) -> Callable[..., str]:
    """Log in by KEY where authorized_keys has the given text; return LOGIN_NAME."""

    def run(authorized_keys: str | bytes, used: str = f"publickey ssh-ed25519 {KEY}\n") -> str:
        keys, auth = tmp_path / "authorized_keys", tmp_path / "sshauth"
        text = authorized_keys.encode() if isinstance(authorized_keys, str) else authorized_keys
        keys.write_bytes(text)
        auth.write_text(used)
        file = tmp_path / "login.sh"
        file.write_text(script)
        done = subprocess.run(
            [request.param, "-euc", SHOW, file],
            env={"PATH": "/usr/bin:/bin", "SSH_USER_AUTH": str(auth), "HOME": str(tmp_path),
                 "AUTHORIZED_KEYS": str(keys)},
            cwd=tmp_path, capture_output=True,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, b"")
        name, author, _ = done.stdout.decode().split("|")
        assert author == name
        return name

    return run


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (f"ssh-ed25519 {KEY} alice@laptop", "alice@laptop"),
        (f"ssh-ed25519 {KEY} Alice van  Dam \t\r", "Alice van  Dam"),
        (f'from="10.0.0.0/8",command="echo \\"a b\\"" ssh-ed25519 {KEY} alice', "alice"),
        (f"ssh-ed25519 {KEY} 李雷", "李雷"),
        (f"ssh-ed25519 {KEY} $(touch pwned) `id` \\u %n 'x' \"y\" ; && *", None),
        (f"ssh-ed25519 {KEY} \x1b[31mred\x07 \u009b2J", "[31mred   2J"),
        (f"ssh-ed25519 {KEY} {'x' * 200}", "x" * 60),
        (f"ssh-ed25519 {KEY} {'李' * 200}", "李" * 19),
        (f"ssh-ed25519 {KEY}", "none"),
        (f"ssh-ed25519 {KEY}  \t", "none"),
        (f"# ssh-ed25519 {KEY} old", "none"),
        (f"ssh-ed25519 {OTHER} bob", "none"),
        (f"ssh-ed25519 {KEY}AAAA longer", "none"),
        (f"ssh-ed25519 AAAA{KEY} longer", "none"),
        (f"cert-authority ssh-ed25519 {OTHER} our CA", "none"),
        ("", "none"),
        (b"\xff\xfe ssh-ed25519 \x00", "none"),
    ],
)
def test_the_comment_of_the_key_is_the_name(
    login: Callable[..., str], tmp_path: Path, line: str | bytes, name: str | None
) -> None:
    expected = str(line).split(f"{KEY} ")[1] if name is None else name
    assert login(line) == expected
    around = f"\n# bob's\nssh-ed25519 {OTHER} bob\n"
    if isinstance(line, str):
        assert login(f"{around}{line}\n{around}") == expected
    assert not (tmp_path / "pwned").exists()


def test_the_first_of_two_lines_with_one_key_counts_as_it_does_for_sshd(
    login: Callable[..., str],
) -> None:
    assert login(f"ssh-ed25519 {KEY} alice\nssh-ed25519 {KEY} bob\n") == "alice"


@pytest.mark.parametrize("used", ["", "password\n", f"publickey x-cert-v01 {OTHER}\n"])
def test_a_login_by_something_else_has_no_name(login: Callable[..., str], used: str) -> None:
    assert login(f"ssh-ed25519 {KEY} alice\n", used) == "none"


def test_a_name_that_git_has_stays(tmp_path: Path, login: Callable[..., str]) -> None:
    login(f"ssh-ed25519 {KEY} alice\n")
    (tmp_path / ".gitconfig").write_text("[user]\n\tname = Alice van Dam\n")
    done = subprocess.run(
        ["sh", "-euc", SHOW, tmp_path / "login.sh"],
        env={"PATH": "/usr/bin:/bin", "SSH_USER_AUTH": str(tmp_path / "sshauth"),
             "HOME": str(tmp_path), "AUTHORIZED_KEYS": str(tmp_path / "authorized_keys")},
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.startswith("alice|none|")


def test_without_ssh_there_is_no_name_and_no_line(script: str) -> None:
    done = subprocess.run(["sh", "-euc", script], capture_output=True, text=True, env={})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
