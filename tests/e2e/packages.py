"""Apt repositories of stand-in packages, signed by a key that a test makes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

from tests.e2e.support import output

Files = Mapping[str, str]
"""Path below / to the text of a script."""


@dataclass(frozen=True)
class Key:
    """A signing key."""

    home: Path
    fingerprint: str

    @classmethod
    def make(cls, home: Path) -> Key:
        home.mkdir(mode=0o700)
        gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet"]
        output(
            *gpg, "--passphrase", "", "--quick-generate-key", "stand-in", "rsa3072", "sign", "1d"
        )
        listed = output(*gpg, "--list-keys", "--with-colons").splitlines()
        return cls(home, next(li for li in listed if li.startswith("fpr")).split(":")[9])

    @property
    def public(self) -> str:
        return output("gpg", "--homedir", self.home, "--armor", "--export")

    def sign(self, release: Path) -> None:
        """Write InRelease beside a Release."""
        output("gpg", "--homedir", self.home, "--batch", "--yes", "--clear-sign",
               "--output", release.with_name("InRelease"), release)  # fmt: skip


def make_package(folder: Path, name: str, version: str, files: Files) -> None:
    """Build a package that holds scripts."""
    tree = folder / f"{name}.tree"
    control = tree / "DEBIAN/control"
    control.parent.mkdir(parents=True)
    control.write_text(
        f"Package: {name}\nVersion: {version}\nArchitecture: amd64\n"
        "Maintainer: copier-tensorflow-host tests <tests@example.invalid>\n"
        "Description: stand-in for the package of this name\n"
    )
    for path, text in files.items():
        script = tree / path.lstrip("/")
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(f"#!/bin/sh\n{text}")
        script.chmod(0o755)
    tree.chmod(0o755)
    output("dpkg-deb", "--root-owner-group", "-Zgzip", "--build", tree, folder)
    output("rm", "-r", tree)


def make_repository(root: Path, key: Key, packages: Mapping[str, Files], suite: str = "") -> None:
    """Build a signed repository of packages of version 99-1.

    Args:
        root: Where it is made.
        key: Signs it.
        packages: Name to files.
        suite: Name of its only suite, which has the one component ``stable``; without one
            the repository is flat.
    """
    pool = root / f"pool/{suite}" if suite else root
    pool.mkdir(parents=True, exist_ok=True)
    for name, files in packages.items():
        make_package(pool, name, "99-1", files)
    top = root / f"dists/{suite}" if suite else root
    index = top / "stable/binary-amd64/Packages" if suite else top / "Packages"
    index.parent.mkdir(parents=True, exist_ok=True)
    index.write_text(output("dpkg-scanpackages", pool.relative_to(root), cwd=root))
    content = index.read_bytes()
    (top / "Release").write_text(
        f"Origin: stand-in\nSuite: {suite}\nCodename: {suite}\nArchitectures: amd64\n"
        f"Components: stable\nDate: {formatdate(usegmt=True)}\nSHA256:\n"
        f" {hashlib.sha256(content).hexdigest()} {len(content)} {index.relative_to(top)}\n"
    )
    key.sign(top / "Release")
