"""A company's network: a proxy that is the only way out, and servers with its own certificate.

Nothing outside knows the names ``*.company.invalid``: what reaches them went through the
proxy. For other names the proxy shows the company's certificate too, as many companies'
do, and serves what the test put there, else what the real archives of Ubuntu and Debian
have.
"""

from __future__ import annotations

import base64
import http.server
import ipaddress
import shutil
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.e2e.support import output

MIRROR = "mirror.company.invalid"
NAMES = (MIRROR, "files.company.invalid", "download.docker.com", "nvidia.github.io", "github.com")
"""Names of the company's certificate."""

UBUNTU = "http://archive.ubuntu.com"


@dataclass
class Company:
    """The network while it is up."""

    folder: Path
    """What its servers serve: a folder per name."""
    address: str = ""
    """Address and port of the proxy, as containers on Docker's own bridge reach it."""
    password: str = ""
    """What the proxy asks for, nothing where empty."""
    log: list[str] = field(default_factory=list)
    """What was asked of the proxy: ``GET http://…`` and ``CONNECT name:443``."""
    served: list[str] = field(default_factory=list)
    """What was asked of the servers: ``https://name/path``."""

    @property
    def certificate(self) -> Path:
        return self.folder / "company.crt"

    def put(self, url: str, content: bytes | str | Path) -> None:
        """Serve a text, bytes, or what a file or folder holds, under a URL."""
        parts = urlsplit(url)
        path = self.folder / (parts.hostname or "") / parts.path.strip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path) and content.is_dir():
            shutil.copytree(content, path, dirs_exist_ok=True)
        elif isinstance(content, Path):
            shutil.copy(content, path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def names(self) -> set[str]:
        """Return the hosts that were asked for."""
        return {urlsplit(line.split()[1], "//").hostname or line.split()[1].split(":")[0]
                for line in self.log}  # fmt: skip


def _answer(company: Company, handler: http.server.BaseHTTPRequestHandler, url: str) -> None:
    """Answer a request from the folder, else from the real archive behind its name."""
    parts = urlsplit(url)
    file = company.folder / (parts.hostname or "") / parts.path.strip("/")
    if file.is_dir():
        file /= "index.html"
    if file.is_file():
        handler.send_response(200)
        handler.send_header("Content-Length", str(file.stat().st_size))
        if file.suffix == ".html":
            handler.send_header("Content-Type", "text/html")
        handler.end_headers()
        with file.open("rb") as content:
            shutil.copyfileobj(content, handler.wfile)
        return
    if parts.hostname == MIRROR and parts.path.startswith("/ubuntu/"):
        url = UBUNTU + parts.path
    elif parts.scheme == "https":
        handler.send_error(404)
        return
    try:
        with urllib.request.urlopen(url, timeout=60) as real:
            handler.send_response(200)
            handler.send_header("Content-Length", real.headers["Content-Length"])
            handler.end_headers()
            shutil.copyfileobj(real, handler.wfile)
    except urllib.error.HTTPError as error:
        handler.send_error(error.code)
    except urllib.error.URLError as error:
        handler.send_error(502, str(error))


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: Any) -> None:
        """A client that hangs up is nobody's trouble."""


def _serve(server: _Server) -> None:
    threading.Thread(target=server.serve_forever, daemon=True).start()


def _make_certificate(folder: Path) -> None:
    """The company's CA, and a certificate of it for all names."""
    extensions = folder / "names"
    extensions.write_text("subjectAltName=" + ",".join(f"DNS:{name}" for name in NAMES))
    key = ["-newkey", "rsa:2048", "-nodes", "-days", "2"]
    output("openssl", "req", "-x509", *key, "-subj", "/CN=Company CA",
           "-keyout", folder / "ca.key", "-out", folder / "company.crt")  # fmt: skip
    output("openssl", "req", "-new", *key[:-2], "-subj", "/CN=company",
           "-keyout", folder / "server.key", "-out", folder / "server.csr")  # fmt: skip
    output("openssl", "x509", "-req", "-days", "2", "-in", folder / "server.csr",
           "-CA", folder / "company.crt", "-CAkey", folder / "ca.key", "-CAcreateserial",
           "-extfile", extensions, "-out", folder / "server.crt")  # fmt: skip


@contextmanager
def company_network(folder: Path, password: str = "") -> Iterator[Company]:
    """Bring the network up on Docker's own bridge."""
    subnet = "{{(index .IPAM.Config 0).Subnet}}"
    bridge = output("docker", "network", "inspect", "bridge", f"--format={subnet}").strip()
    gateway = str(ipaddress.ip_network(bridge)[1])
    _make_certificate(folder)
    company = Company(folder, password=password)

    class Site(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = f"https://{self.headers['Host'].split(':')[0]}{self.path}"
            company.served.append(url)
            _answer(company, self, url)

        def finish(self) -> None:
            super().finish()
            with suppress(OSError):
                self.connection.unwrap()  # apt 3 takes an end without goodbye for a cut

        def log_message(self, *_: object) -> None:
            pass

    class Proxy(http.server.BaseHTTPRequestHandler):
        def allowed(self) -> bool:
            wanted = base64.b64encode(company.password.encode()).decode()
            if company.password and self.headers["Proxy-Authorization"] != f"Basic {wanted}":
                self.send_error(407)
                return False
            company.log.append(f"{self.command} {self.path}")
            return True

        def do_GET(self) -> None:
            if self.allowed():
                _answer(company, self, self.path)

        def do_CONNECT(self) -> None:
            if not self.allowed():
                return
            if self.path.split(":")[0] not in NAMES:
                self.send_error(403)
                return
            with socket.create_connection(site.server_address[:2]) as far:  # type: ignore[arg-type]
                self.send_response(200)
                self.end_headers()
                back = threading.Thread(target=_pump, args=(far, self.connection), daemon=True)
                back.start()
                _pump(self.connection, far)
                back.join(timeout=60)

        def log_message(self, *_: object) -> None:
            pass

    site, proxy = _Server(("127.0.0.1", 0), Site), _Server((gateway, 0), Proxy)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    site.socket = context.wrap_socket(site.socket, server_side=True, do_handshake_on_connect=False)
    company.address = f"{gateway}:{proxy.server_port}"
    _serve(site)
    _serve(proxy)
    try:
        yield company
    finally:
        for server in (proxy, site):
            server.shutdown()
            server.server_close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    """Hand on bytes until one side ends."""
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass
