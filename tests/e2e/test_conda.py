"""conda of the server in the containers, as a person without any interest in Docker uses it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from shlex import quote

import pytest

from tests.e2e.conftest import RELEASES, WITHOUT_IMAGE
from tests.e2e.support import LOGIN_NAME, PERSON, Directory, Laptop, Person, output, run

OLD = f"tf{RELEASES['bionic']}"
NEW = f"tf{RELEASES['jammy']}"
AS_PERSON = "setpriv", f"--reuid={PERSON}", f"--regid={PERSON}", "--clear-groups"

WAYS: dict[str, Callable[[Laptop, Directory, str, str], str]] = {
    "ssh with a command": lambda laptop, _host, service, command: laptop.shell(service, command),
    "a login shell": lambda laptop, _host, service, command: laptop.shell(
        service, f"bash -lc {quote(command)}"
    ),
    "a terminal in an editor": lambda laptop, _host, service, command: laptop.shell(
        service, f"bash -ic {quote(command)} 2>/dev/null | tail -n 1"
    ),
    "docker compose exec": lambda _laptop, host, service, command: host.exec(
        service, "bash", "-lc", command
    ),
}


@pytest.fixture(scope="module", autouse=True)
def environment(person: Person, host: Directory) -> Iterator[Path]:  # noqa: ARG001
    """An environment that somebody made before, with a script that conda runs on activation."""
    made = person.conda / "envs/before"
    for folder in ("bin", "conda-meta", "etc/conda/activate.d", "etc/conda/deactivate.d"):
        (made / folder).mkdir(parents=True)
    (made / "bin/tool").write_text("#!/bin/sh\necho tool of before: $SET_BY_SCRIPT\n")
    (made / "bin/tool").chmod(0o755)
    (made / "etc/conda/activate.d/it.sh").write_text("export SET_BY_SCRIPT=yes\n")
    (made / "etc/conda/deactivate.d/it.sh").write_text("unset SET_BY_SCRIPT\n")
    person.owns(made)
    yield made
    subprocess.run(["rm", "-rf", made], check=True)


@pytest.mark.parametrize("way", WAYS)
def test_every_way_in_has_conda(host: Directory, laptop: Laptop, way: str) -> None:
    assert WAYS[way](laptop, host, NEW, "conda --version") == "conda 25.3.1\n"


def test_exec_has_conda_without_a_shell(host: Directory) -> None:
    assert host.exec(NEW, "conda", "--version") == "conda 25.3.1\n"


@pytest.mark.parametrize("service", [OLD, NEW])
@pytest.mark.parametrize("way", WAYS)
def test_every_way_in_activates_an_environment(
    host: Directory, laptop: Laptop, service: str, way: str
) -> None:
    command = "conda activate before && tool"
    assert WAYS[way](laptop, host, service, command) == "tool of before: yes\n"


def test_where_conda_cannot_run_it_says_so_and_deactivates_too(
    host: Directory, laptop: Laptop, person: Person
) -> None:
    too_new = f"conda: {person.conda} needs a newer glibc than this Ubuntu has"
    refused = laptop.ssh(OLD, "conda list")
    assert refused.returncode == 1
    assert refused.stderr.startswith(too_new)
    command = "conda activate before; conda deactivate; command -v tool || echo none $CONDA_PREFIX"
    assert laptop.shell(OLD, command) == "none\n"
    assert "there is no environment" in laptop.ssh(OLD, "conda activate nothing").stderr
    assert f"{person.conda}/bin/python does not run on this Ubuntu" in host.log(OLD)
    assert "does not run" not in host.log(NEW)


@pytest.mark.parametrize("service", [OLD, NEW])
def test_what_pip_and_jupyter_leave_in_the_shared_home_is_not_for_every_python(
    host: Directory, laptop: Laptop, service: str
) -> None:
    names = "PYTHONNOUSERSITE", "JUPYTER_PREFER_ENV_PATH", "PIP_CACHE_DIR"
    command = f"printenv {' '.join(names)}"
    expected = f"1\n1\n/AI/.cache/pip/{service}\n"
    assert laptop.shell(service, command) == expected
    assert laptop.shell(service, f"bash -lc '{command}'") == expected
    assert host.exec(service, *command.split()) == expected


def test_a_package_in_the_shared_home_changes_no_python(laptop: Laptop, person: Person) -> None:
    find = "import site; print(site.getusersitepackages(), site.ENABLE_USER_SITE)"
    place, enabled = laptop.shell(NEW, f"/usr/bin/python3 -c '{find}'").split()
    assert (place.startswith("/AI/.local/lib/python"), enabled) == (True, "False")
    user_site = person.projects / place.removeprefix("/AI/")
    user_site.mkdir(parents=True)
    (user_site / "json.py").write_text("raise SystemExit('from the shared home')")
    try:
        assert laptop.shell(NEW, "/usr/bin/python3 -c 'import json; print(1)'") == "1\n"
    finally:
        shutil.rmtree(person.projects / ".local")


def test_a_script_begins_with_one_line(laptop: Laptop, person: Person) -> None:
    (person.projects / "job.sh").write_text(
        "#!/usr/bin/env bash\nset -euo pipefail\n. /etc/profile.d/10-conda.sh\n"
        "conda activate before\ntool\nconda init || true\n"
    )
    done = laptop.ssh(NEW, "env -i PATH=/usr/bin:/bin bash job.sh")
    assert (done.returncode, done.stdout) == (0, "tool of before: yes\n"), done.stderr
    assert "conda: init is not needed" in done.stderr
    assert not (person.projects / ".bashrc").exists()


@pytest.mark.parametrize("service", [OLD, NEW])
def test_a_terminal_shows_its_container_and_its_environment(laptop: Laptop, service: str) -> None:
    session = run(
        "ssh", "-tt", "-F", laptop.config, laptop.alias(service),
        input="conda activate before\nconda activate before\nexit\n", timeout=60,
    )  # fmt: skip
    prompt = f"[{LOGIN_NAME}] ai@e2e-gpu01-{service}:~$ "
    assert prompt in session.stdout
    assert f"(before) {prompt}" in session.stdout
    assert session.stdout.count("needs a newer glibc") == (service == OLD)


def test_the_home_that_all_containers_share_has_no_dotfiles_of_shells(person: Person) -> None:
    files = {path.name for path in person.projects.iterdir()}
    assert not files & {".bashrc", ".profile", ".bash_profile"}


class TestNew:
    """environments/new.sh"""

    @pytest.fixture(autouse=True)
    def clean(self, person: Person) -> Iterator[None]:
        yield
        made = [path for path in (person.conda / "envs").iterdir() if path.name != "before"]
        log, environ = person.conda / "log", person.conda / "environ"
        subprocess.run(["rm", "-rf", *made, log, environ], check=True)

    @pytest.fixture
    def log(self, person: Person) -> Callable[[], list[str]]:
        """What conda was asked to make."""

        def read() -> list[str]:
            text = (person.conda / "log").read_text()
            return text.replace(f"{person.conda}/envs/", "").splitlines()

        return read

    def test_two_people_at_once_make_it_once_and_each_gets_it(
        self, laptop: Laptop, log: Callable[[], list[str]]
    ) -> None:
        command = [
            "ssh",
            "-F",
            str(laptop.config),
            laptop.alias(NEW),
            "/environments/new.sh 2.17.0",
        ]
        both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        said = [process.communicate(timeout=120)[1] for process in both]
        assert [process.returncode for process in both] == [0, 0]
        assert sorted("is there already" in text for text in said) == [False, True]
        assert [line.split()[:2] for line in log()] == [["conda", "create"], ["pip", "install"]]

    def test_it_runs_on_the_host_too(self, host: Directory, person: Person) -> None:
        clone = person.folder / "infra"
        shutil.copytree(host.path / "environments", clone)
        person.owns(clone)
        output(*AS_PERSON, clone / "new.sh", "2.17.1")
        assert (person.conda / "envs/tf2.17.1/conda-meta/history").is_file()

    def test_on_the_host_conda_and_pip_trust_what_the_host_trusts(
        self, host: Directory, person: Person, tmp_path: Path
    ) -> None:
        (tmp_path / "company.crt").touch()
        script = (
            f"mount --bind {tmp_path} /usr/local/share/ca-certificates; "
            f"env -u SSL_CERT_FILE -u REQUESTS_CA_BUNDLE {host.path}/environments/new.sh 2.17.0"
        )
        output("unshare", "--mount", "bash", "-euc", script)
        environ = (person.conda / "environ").read_text().splitlines()
        for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
            assert f"{name}=/etc/ssl/certs/ca-certificates.crt" in environ

    def test_a_colleague_in_condas_group_makes_a_copy_of_what_somebody_else_made(
        self, host: Directory, person: Person
    ) -> None:
        clone = person.folder / "infra of both"
        shutil.copytree(host.path / "environments", clone)
        person.owns(clone)
        for file in ("log", "environ"):
            (person.conda / file).touch()
            output("chmod", "a+w", person.conda / file)
        output("chmod", "2775", person.conda / "envs")
        script = clone / "new.sh"
        output(*AS_PERSON, script, "2.17.0")
        output("setpriv", f"--reuid={PERSON + 1}", f"--groups={PERSON}", script, "2.17.0", "hers")
        release, copy = (
            person.conda / f"envs/{name}/lib/python3.11/site-packages/tensorflow/wheel.so"
            for name in ("tf2.17.0", "hers")
        )
        assert copy.read_bytes() == release.read_bytes()
        assert copy.stat().st_uid == PERSON + 1

    def test_it_refuses_where_conda_cannot_run(self, laptop: Laptop, person: Person) -> None:
        refused = laptop.ssh(OLD, "/environments/new.sh 1.15.5")
        assert refused.returncode == 1
        assert "needs a newer glibc than is here; run this on the server or in" in refused.stderr
        assert [path.name for path in (person.conda / "envs").iterdir()] == ["before"]

    def test_activation_leaves_the_libraries_of_the_image_as_they_are(self, laptop: Laptop) -> None:
        """Those of its wheels are opened when TensorFlow is imported: tests/test_own_cuda.py."""
        laptop.shell(NEW, "/environments/new.sh 2.17.0 mnist")
        of_image = laptop.shell(NEW, "echo $LD_LIBRARY_PATH")
        assert laptop.shell(NEW, "conda activate mnist; echo $LD_LIBRARY_PATH") == of_image

    def test_the_alias_of_a_release_without_image_begins_in_its_environment(
        self, laptop: Laptop, person: Person
    ) -> None:
        service = f"tf{WITHOUT_IMAGE}"
        missing = laptop.ssh(service, "echo $CONDA_PREFIX")
        assert missing.stdout == "\n"
        assert missing.stderr == (
            "conda: there is no environment tf2.17.1 yet; "
            "create it with: /environments/new.sh 2.17.1\n"
        )
        laptop.shell(service, "/environments/new.sh 2.17.1")
        prefix = f"{person.conda}/envs/tf2.17.1\n"
        assert laptop.shell(service, "echo $CONDA_PREFIX") == prefix
        assert laptop.shell(service, "bash -lc 'echo $CONDA_PREFIX'") == prefix
