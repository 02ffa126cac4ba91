"""No secret gets into the directory, into git or into an image."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import RELEASES
from tests.e2e.support import Directory, Person, output
from tests.e2e.test_images import LEAN
from tests.support import git

PRIVATE = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{20}")
MARK = "a secret of the admin"


def contents(image: str, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of every small file in an image's layers, and of its history."""
    archive = folder / "image.tar"
    output("docker", "save", "--output", archive, image)
    with tarfile.open(archive) as layers:
        for entry in layers:
            file = layers.extractfile(entry)
            if file is None:
                continue
            if not entry.name.endswith("layer.tar"):
                yield entry.name, file.read()
                continue
            with tarfile.open(fileobj=file) as layer:
                for inner in layer:
                    if inner.isfile() and inner.size < 1_000_000:
                        yield inner.name, layer.extractfile(inner).read()  # type: ignore[union-attr]


@pytest.mark.parametrize("codename", RELEASES)
def test_an_image_has_no_private_key(host: Directory, tmp_path: Path, codename: str) -> None:
    found = dict(contents(host.image(f"tf{RELEASES[codename]}"), tmp_path))
    assert "usr/local/bin/container-start" in found
    assert [name for name, content in found.items() if PRIVATE.search(content)] == []
    assert not [name for name in found if "ssh_host_" in name]


def test_what_lies_beside_the_generated_files_gets_into_no_image_and_no_key_into_git(
    host: Directory,  # noqa: ARG001 (its base image is there)
    directory: Callable[..., Directory],
    person: Person,
    tmp_path: Path,
) -> None:
    answers = {"host": "e2e-secret", "tf_versions": [RELEASES["jammy"]], **LEAN}
    made = directory(**person.answers(**answers))
    output("git", "init", "--quiet", made.path)
    keys = ["images/certs/company.key", "images/certs/company.pem", "images/container/id_rsa"]
    keys += ["id_ed25519", "ssh_host_ed25519_key"]
    for name in keys:
        (made.path / name).write_text(MARK)
    (made.path / "notes.txt").write_text(MARK)
    with (made.path / ".env").open("a") as variables:
        variables.write(f"TOKEN={MARK}\n")
    made.build()
    found = contents(made.image("tf2.17.0"), tmp_path)
    assert [name for name, content in found if MARK.encode() in content] == []

    git(made.path, "add", "--all")
    tracked = git(made.path, "ls-files").splitlines()
    assert ".env" in tracked
    assert not set(keys) & set(tracked)
    key = (person.home / ".ssh/authorized_keys").read_text().split()[1]
    for name in tracked:
        content = (made.path / name).read_text()
        assert not PRIVATE.search(content.encode())
        assert key not in content
