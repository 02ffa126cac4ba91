"""TensorFlow itself, from PyPI, in the environment that new.sh makes, on the CPU.

Slow: about 250 MB are downloaded. `pytest -m "not slow"` leaves it out.
"""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.conftest import RELEASES
from tests.e2e.support import Laptop, Person

pytestmark = pytest.mark.slow

SERVICE = f"tf{RELEASES['jammy']}"
PIP = "PIP_CERT=/AI/trusted.pem STAND_IN_PIP=pip"
"""What lets the stand-in for conda install from PyPI."""


@pytest.fixture(scope="module", autouse=True)
def environment(laptop: Laptop, person: Person) -> Iterator[None]:
    """A copy of the release; pip trusts whom this machine trusts."""
    trusted = ssl.create_default_context().get_ca_certs(binary_form=True)
    certificates = "".join(ssl.DER_cert_to_PEM_cert(certificate) for certificate in trusted)
    (person.projects / "trusted.pem").write_text(certificates)
    done = laptop.ssh(SERVICE, f"{PIP} /environments/new.sh 2.17.0 mnist", timeout=600)
    assert done.returncode == 0, done.stderr
    yield
    made = [person.conda / f"envs/{name}" for name in ("tf2.17.0", "mnist")]
    subprocess.run(["rm", "-rf", *made], check=True)


@contextmanager
def forwarded(laptop: Laptop, command: str) -> Iterator[str]:
    """Run the guide's line: a server in a container, its port here; give the address here."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    line = ["ssh", "-t", "-t", "-F", str(laptop.config), "-L", f"{port}:localhost:{port}"]
    command = f"conda activate mnist && {command} --port {port}"
    with subprocess.Popen(
        [*line, laptop.alias(SERVICE), command],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as session:  # fmt: skip
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            session.terminate()


def read(address: str) -> str:
    """Read a page as soon as it is there, at most a minute from now."""
    for _ in range(120):
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                return str(answer.read().decode())
        except OSError:
            time.sleep(0.5)
    raise AssertionError(f"nobody answers at {address}")


def test_it_is_imported_and_computes(laptop: Laptop) -> None:
    program = "import tensorflow as tf; print(tf.__version__, int(tf.reduce_sum(tf.range(5))))"
    command = f"conda activate mnist && python -c '{program}'"
    assert laptop.shell(SERVICE, command) == "2.17.0 10\n"


def test_tensorboard_is_read_through_ssh(laptop: Laptop) -> None:
    with forwarded(laptop, "tensorboard --logdir /AI") as address:
        assert "TensorBoard" in read(address)


@pytest.mark.full
def test_jupyter_is_read_through_ssh_and_ends_with_its_line(laptop: Laptop) -> None:
    install = "conda activate mnist && python -m pip install --quiet jupyter-server"
    laptop.shell(SERVICE, f"export {PIP}; {install}")
    jupyter = "jupyter server --no-browser --IdentityProvider.token=secret"
    with forwarded(laptop, jupyter) as address:
        assert re.search(r'"version": "\d', read(f"{address}/api?token=secret"))
    for _ in range(100):
        if not laptop.shell(SERVICE, "pgrep -f [j]upyter-server || true"):
            return
        time.sleep(0.1)
    raise AssertionError("the server outlived the line that started it")
