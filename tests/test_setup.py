"""setup.sh with the facts of a host; what it installs is proven end to end."""

# ruff: noqa: E501 (a command stands whole, as it is printed)

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_copier.plugin import CopierProject

from extensions.catalogue import releases, toolkits
from extensions.drivers import REFUSED, Verdict, branch, judge

Generate = Callable[..., CopierProject]


@pytest.fixture(scope="module")
def homes(on_disk: Path) -> Path:
    (on_disk / "ai").mkdir()
    (on_disk / "li na").mkdir()
    return on_disk


@pytest.fixture(scope="module")
def project(generate: Generate, homes: Path) -> CopierProject:
    return generate(
        tf_versions=["2.17.0"],
        host_home=f"{homes}/ai",
        conda_path=f"{homes}/ai/miniconda3",
        project_path=f"{homes}/ai/work",
        uid=4321,
        gid=4321,
        people={
            "li": {"uid": 4322, "home": f"{homes}/li na"},
            "wang": {"uid": 4323, "gid": 100, "home": f"{homes}/wang"},
        },
    )


def call(project: CopierProject, commands: str) -> subprocess.CompletedProcess[str]:
    """Run commands with the functions of setup.sh, where `install` only prints."""
    script = (project / "host/setup.sh").read_text().replace('\nmain "$@"\n', "\n")
    script = script.replace('"$(dirname "${BASH_SOURCE[0]}")/.."', f"'{project.path}'")
    text = f'{script}\ninstall() {{ echo install "$@"; }}\n{commands}'
    return subprocess.run(["bash", "-c", text], capture_output=True, text=True)


def test_everybody_gets_a_project_directory_and_who_has_no_account_is_named(
    project: CopierProject, homes: Path
) -> None:
    done = call(project, "make_directories")
    assert done.stdout.splitlines() == [
        f"setup.sh: make {homes}/ai/work",
        f"install -d --owner=4321 --group=4321 --mode=755 {homes}/ai/work",
        f"setup.sh: make {homes}/li na/tensorflow_volume",
        f"install -d --owner=4322 --group=4322 --mode=700 {homes}/li na/tensorflow_volume",
    ]
    assert done.stderr == (
        f"setup.sh: {homes}/wang does not exist; create its user first: "
        f"sudo useradd --create-home --uid 4323 --home-dir {homes}/wang wang\n"
    )


def test_a_person_whose_uid_is_another_on_this_host_is_named(project: CopierProject) -> None:
    done = call(project, "id() { [[ $2 == li ]] && echo 1007; }; make_directories")
    assert "li na/tensorflow_volume" not in done.stdout
    assert done.stderr == (
        "setup.sh: li has UID 1007 on this server, and 4322 in the answer people; answer people with "
        "uid: 1007, or give the account its UID: sudo usermod --uid 4322 li\n"
    )


@pytest.mark.parametrize(
    ("system", "codename", "command"),
    [
        ("ubuntu", "noble", "sudo apt-get update && sudo apt-get install -y ubuntu-drivers-common && sudo ubuntu-drivers install && sudo reboot"),
        ("debian", "trixie", "echo 'deb http://deb.debian.org/debian trixie main contrib non-free non-free-firmware' | sudo tee /etc/apt/sources.list.d/nvidia-driver.list && sudo apt-get update && sudo apt-get install -y linux-headers-amd64 nvidia-driver && sudo reboot"),
    ],
)  # fmt: skip
def test_the_driver_comes_by_one_command_that_a_shell_takes(
    project: CopierProject, system: str, codename: str, command: str
) -> None:
    done = call(project, f"ID={system} VERSION_CODENAME={codename}; driver_command")
    assert done.stdout == f"{command}\n"
    assert subprocess.run(["bash", "-n", "-c", command]).returncode == 0


DRIVERS = {
    "none": ("0", "  tf2.17.0 needs 525.60.13 or newer\n", ""),
    "too old": ("470.42.01", "  tf2.17.0 needs 525.60.13 or newer\n", ""),
    "for data centres": ("470.82.01", "", "tf2.17.0"),
    "of a branch, and too old": ("525.53", "  tf2.17.0 needs 525.60.13 or newer\n", ""),
    "of a branch": ("525.147.05", "", ""),
    "between branches": (
        "530.30.02",
        "  tf2.17.0 needs one of branch 525 or 535, or 545.23.06 or newer\n",
        "",
    ),
    "as new as the toolkit": ("545.23.06", "", ""),
    "newer": ("580.65.06", "", ""),
}


@pytest.mark.parametrize("case", DRIVERS)
def test_a_driver_is_judged_by_its_branch(project: CopierProject, case: str) -> None:
    driver, without, data_centers = DRIVERS[case]
    assert call(project, f"containers_without {driver}").stdout == without
    assert call(project, f"only_on_data_center_gpus {driver}").stdout == f"{data_centers}\n"


def test_setup_and_the_questions_judge_a_driver_alike(generate: Generate) -> None:
    newest = {t.name: r.version for r in releases().values() for t in [r.toolkit] if r.own_image}
    project = generate(tf_versions=sorted(newest.values()), gpus=[], driver="")
    drivers = {
        f"{int(branch(first)) + step}.{minor}"
        for toolkit in toolkits().values()
        for first in (toolkit.drivers.toolkit, *toolkit.drivers.branches)
        for step, minor in ((-1, "99"), (0, "0"), (0, "99"), (1, "10"))
    }
    asked = "\n".join(
        f"echo {d}: $(containers_without {d} | cut -d' ' -f3) / $(only_on_data_center_gpus {d})"
        for d in sorted(drivers)
    )
    expected = []
    for driver in sorted(drivers):
        verdicts = {v: judge(driver, releases()[v].toolkit.drivers) for v in newest.values()}
        chosen = sorted(newest.values(), key=list(releases()).index)
        without = [f"tf{v}" for v in chosen if verdicts[v] in REFUSED]
        few = [f"tf{v}" for v in chosen if verdicts[v] is Verdict.DATA_CENTER]
        expected.append(" ".join([f"{driver}:", *without, "/", *few]))
    assert call(project, asked).stdout.splitlines() == expected


OLD_DOCKER = """
ID=ubuntu VERSION_CODENAME=noble
installed() { [[ $1 != docker.io ]]; }
grep() { true; }
dockerd() { echo Docker version 20.10.9, build 0; }
docker() { echo 2.40.0; }
"""


def test_an_old_docker_is_a_manual_step_since_its_upgrade_stops_containers(
    project: CopierProject,
) -> None:
    steps = call(project, f"{OLD_DOCKER}install_docker; print_manual_steps").stdout
    assert steps == (
        "setup.sh: manual step: Docker 20.10.10, Compose 2.4 or newer and buildx are needed; when "
        "nobody works in containers, run: sudo apt-get update && sudo apt-get install -y docker-ce "
        "docker-ce-cli containerd.io docker-buildx-plugin docker-compose-plugin\n"
    )


@pytest.mark.parametrize(
    ("runtimes", "containers", "expected"),
    [
        ('{"nvidia":{},"runc":{}}', "5f3c", ""),
        ('{"runc":{}}', "5f3c", "manual step: Docker has a new configuration"),
        ('{"runc":{}}', "", "would restart Docker"),
        ("", "5f3c", ""),  # an engine that does not answer
    ],
)
def test_a_restart_that_was_put_off_is_not_forgotten(
    project: CopierProject, runtimes: str, containers: str, expected: str
) -> None:
    commands = f"""
        grep() {{ [[ $* == *nvidia-container-runtime* ]]; }}
        docker() {{ if [[ $1 == info ]]; then echo '{runtimes}'; else echo {containers}; fi; }}
        proxy_file=/nowhere check=true; restart_docker; print_manual_steps"""
    printed = call(project, commands).stdout
    assert printed.startswith(f"setup.sh: {expected}") if expected else printed == ""


def test_an_engine_older_than_its_proxy_file_needs_a_restart(
    project: CopierProject, tmp_path: Path
) -> None:
    (tmp_path / "proxy.conf").touch()
    started = tmp_path / "docker.pid"
    for age, needed in ((60, "yes\n"), (-60, "")):
        started.touch()
        now = started.stat().st_mtime
        os.utime(started, (now - age, now - age))
        script = (
            f"docker() {{ return 1; }}; proxy_file={tmp_path}/proxy.conf; "
            f"eval \"$(declare -f lacks_configuration | sed 's#/run/docker.pid#{started}#')\"; "
            "if lacks_configuration; then echo yes; fi"
        )
        assert call(project, script).stdout == needed


def test_the_newest_of_several_downloaded_packages_is_installed(
    project: CopierProject, tmp_path: Path
) -> None:
    packages = tmp_path / "packages-ubuntu-24.04"
    packages.mkdir()
    for version in ("5%3a28.5.1-1", "5%3a28.10.0-1", "5%3a28.9.2-1"):
        (packages / f"docker-ce_{version}_amd64.deb").touch()
    commands = f"""
        system=ubuntu-24.04 offline={tmp_path}
        installed() {{ false; }}; apt_get() {{ echo "$@"; }}
        install_packages docker-ce"""
    assert call(project, commands).stdout.splitlines()[-1] == (
        f"install {packages}/docker-ce_5%3a28.10.0-1_amd64.deb"
    )


def test_a_folder_is_of_the_directory_in_which_the_script_was_called(
    project: CopierProject, tmp_path: Path
) -> None:
    for argument, expected in (("packs", f"{tmp_path}/packs"), ("/srv/packs", "/srv/packs")):
        commands = f"caller={tmp_path}; read_arguments --offline {argument}; echo $offline"
        assert call(project, commands).stdout == f"{expected}\n"
