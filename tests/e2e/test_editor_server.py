"""The server of Visual Studio Code itself in an old and a new container at once.

Only in the full profile, since its native parts are built, which takes minutes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.editor import (
    BY,
    FOLDER,
    GLIBC,
    NEWER,
    OLD,
    OLDER,
    OPTIONS,
    PYTHON,
    SERVICES,
    STOPS_AT,
    Editors,
    host,
)

pytestmark = pytest.mark.full

STARTS = f"""
    timeout 100 sh {FOLDER}/bin/*/bin/code-server-oss --port $port {OPTIONS} >/dev/null 2>&1 &
    for i in {{1..900}}; do
        (exec 3<>/dev/tcp/127.0.0.1/$port; printf 'GET /version HTTP/1.0\\r\\n\\r\\n' >&3
         head -n 1 <&3) 2>/dev/null && break
        sleep 0.1
    done
    kill $!
"""
"""Starts a server, prints the first line of its answer, and ends it."""


@pytest.fixture(scope="module")
def editors(engine: None) -> Iterator[Editors]:  # noqa: ARG001
    with host() as made:
        yield made


def open_in_both(editors: Editors) -> None:
    """Open the editor in both containers at once, and debug a program."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda service: open_editor(editors, service), SERVICES))


def open_editor(editors: Editors, service: str) -> None:
    with editors.opened(service) as (_, took):
        print(service, ", ".join(f"{what} after {seconds:.1f} s" for what, seconds in took.items()))
    report, own = editors.report(service), GLIBC[service]
    newer = "2.31" if service == OLD else own
    assert (report["glibc"], report["child"]) == (newer, f"glibc {own}")
    assert (editors.person.projects / service / "terminal").read_text() == f"glibc {own}\n"
    assert report["watched"] is True
    stopped = report["stopped"]
    assert (stopped["reason"], stopped["line"]) == ("breakpoint", STOPS_AT)
    assert stopped["variables"]["version"] == f"'{PYTHON[service]}'"
    assert stopped["variables"]["steps"] == "[0, 1, 4, 9, 16]"
    assert report["ended"] is True


def three_clients_at_once(editors: Editors) -> None:
    """Start three servers in the old container in the same second, none started before."""

    def connect(port: int) -> str:
        return editors.laptop.ssh(OLD, f"port={port}; {STARTS}", timeout=120).stdout

    begin = time.monotonic()
    with ThreadPoolExecutor() as pool:
        printed = list(pool.map(connect, (17001, 17002, 17003)))
    print(f"three clients at once: {time.monotonic() - begin:.1f} s")
    assert [line.strip() for line in printed] == ["HTTP/1.1 200 OK"] * 3


def test_the_newest_debugger_does_not_start_by_an_old_python(editors: Editors) -> None:
    adapter = f"{FOLDER}/extensions/e2e.report-1.0.0/bundled/libs/debugpy/adapter"
    refused = editors.laptop.ssh(OLD, f"python3 {adapter} </dev/null")
    assert "Python 3.6 and below is not supported by this version of debugpy" in refused.stderr
    workspace = (editors.directory.path / "environments/project.code-workspace").read_text()
    assert all(f'"{by}"' in workspace for by in BY.values())


def test_an_editor_is_ready_and_debugs_in_both_containers_at_once(editors: Editors) -> None:
    for service in SERVICES:
        editors.install_server(service, OLDER)
    three_clients_at_once(editors)
    open_in_both(editors)


def test_a_later_start_takes_milliseconds_more(editors: Editors) -> None:
    """Of a processor: a busy machine adds what it likes."""
    script = f"""
        TIMEFORMAT='%U %S'
        time for call in "--set-rpath /lib" "--set-interpreter /ld"; do
            $VSCODE_SERVER_PATCHELF_PATH $call {FOLDER}/bin/*/node
        done
    """
    took = sum(map(float, editors.laptop.ssh(OLD, script).stderr.split()))
    print(f"both calls of the script: {took * 1000:.0f} ms")
    assert 0 < took < 0.2


def test_it_is_after_a_restart_and_a_build(editors: Editors) -> None:
    editors.directory.compose("restart", "--timeout=1")
    editors.directory.up()
    open_in_both(editors)
    editors.directory.compose("up", "-d", "--build", "--force-recreate", "--wait")
    open_in_both(editors)


def test_it_is_after_an_update_of_the_server(editors: Editors) -> None:
    for service in SERVICES:
        editors.install_server(service, NEWER)
    three_clients_at_once(editors)
    open_in_both(editors)
