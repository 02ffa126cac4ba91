"""A base image comes from the answered registry, and has the answered digest."""

from __future__ import annotations

import hashlib
import http.server
import json
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.bases import Base, build
from tests.e2e.support import Directory, Person, output, run
from tests.e2e.test_images import LEAN

IMAGE = "tensorflow/tensorflow:2.17.0-gpu"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.fixture
def registry(engine: None, tmp_path: Path) -> Iterator[tuple[str, str]]:  # noqa: ARG001
    """Address of a registry that has the base, and its digest. Its tag leads nowhere any more."""
    base = Base(f"e2e-registry.invalid/{IMAGE}", "jammy", ubuntu_lists=False, nvidia_lists=False)
    output("docker", "save", "--output", tmp_path / "saved.tar", build(base))
    run("docker", "image", "rm", base.tag)
    with tarfile.open(tmp_path / "saved.tar") as saved:

        def read(name: str) -> bytes:
            file = saved.extractfile(name)
            assert file is not None
            return file.read()

        (facts,) = json.loads(read("manifest.json"))
        config, layers = read(facts["Config"]), [read(name) for name in facts["Layers"]]

    def described(kind: str, content: bytes) -> dict[str, Any]:
        media = f"application/vnd.docker.{kind}"
        return {"mediaType": media, "size": len(content), "digest": digest(content)}

    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": described("container.image.v1+json", config),
            "layers": [described("image.rootfs.diff.tar", layer) for layer in layers],
        }
    ).encode()
    served = {digest(content): content for content in (manifest, config, *layers)}

    class Registry(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            reference = self.path.split("?")[0].rpartition("/")[2]
            content = b"" if self.path == "/v2/" else served.get(reference)
            self.send_response(404 if content is None else 200)
            content = content or b""
            kind = MANIFEST if "/manifests/" in self.path else "application/octet-stream"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Docker-Content-Digest", reference)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}/hub", digest(manifest)
    server.shutdown()
    server.server_close()


def test_a_base_image_is_pulled_by_its_digest_whatever_its_tag_became(
    registry: tuple[str, str], person: Person, directory: Callable[..., Directory]
) -> None:
    address, pinned = registry
    answers = person.answers(host="e2e-pinned", tf_versions=["2.17.0"], registry=address, **LEAN)
    failed = directory(**answers).compose("build")
    assert failed.returncode != 0
    assert f"{address}/{IMAGE}: not found" in failed.stderr

    failed = directory(**answers, digests={IMAGE: f"sha256:{'0' * 64}"}).compose("build")
    assert failed.returncode != 0
    assert "not found" in failed.stderr

    made = directory(**answers, digests={IMAGE: pinned})
    made.build()
    assert (
        f"FROM {address}/{IMAGE}@{pinned}\n"
        in (made.path / "images/tf2.17.0/Dockerfile").read_text()
    )
    assert output("docker", "image", "inspect", made.image("tf2.17.0"))
