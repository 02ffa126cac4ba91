"""Every file of the generated directory is sound, whatever was answered."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from packaging.version import Version
from pytest_copier.plugin import CopierProject

from extensions import catalogue, registries, sharing
from extensions.containers import service_name
from extensions.questions.images import REGISTRY
from tests.answers import CONTAINER_SCRIPTS
from tests.releases import ANSWERS_FILE, Repository
from tests.support import missing

EVERY_RELEASE = list(catalogue.releases())

# Two releases, a bionic and a jammy, unless the case is about the releases.
CASES: dict[str, dict[str, Any]] = {
    "the article": {},
    "every release": {"tf_versions": EVERY_RELEASE, "gpus": [], "driver": ""},
    "no ssh": {"ssh": False},
    "a proxy for everything": {"proxy": "http://proxy.example.com:3128"},
    "no ssh, sudo": {"ssh": False, "sudo": True},
    "sudo": {"sudo": True},
    "no packages, no mirror": {"packages": [], "mirror": "none"},
    "nothing to install": {"packages": [], "ssh": False, "mirror": "none"},
    "a company network": {
        "mirror": "https://mirror.example.com/all",
        "proxy": "http://proxy.example.com:3128",
        "no_proxy": ".example.com,10.0.0.0/8",
        "registry": "registry.example.com:5000/hub",
        "digests": {"tensorflow/tensorflow:2.17.0-gpu": f"sha256:{'5' * 64}"},
        "bind_address": "fd00::17",
    },
    "in China": {
        "mirror": "{apt: tuna, pip: aliyun, docker: tuna, nvidia: ustc}",
        "registry": {"docker.io": "docker.m.daocloud.io", "nvcr.io": "m.daocloud.io/nvcr.io"},
        "tf_versions": ["1.15.5-nv22.12", "2.17.0"],
        "gpus": [],
        "driver": "",
        "subnet": "10.213.0.0/24",
    },
    "a person among several": {
        "host": "gpu01-li",
        "user": "li",
        "uid": 4294967294,
        "gid": 100,
        "gpu_devices": "0,GPU-5f3c1d2e",
        "shm_size": "512mb",
        "memory": "60gb",
        "cpus": "7.5",
        "ulimits": {"memlock": -1, "stack": 67108864},
        "mounts": {"/data/image net": "ro", "/data/模型": "rw"},
        "groups": [2000, 4294967293],
        "bind_address": "127.0.0.1",
        "tf_versions": ["2.9.1", "2.9.3"],
        "port_offset": 20,
    },
    "odd paths": {
        "host_home": "/data/my lab/a=i & co",
        "conda_path": "/data/my lab/100% conda; [x]",
        "project_path": "/data/李/{projects}, *new*",
    },
    "no release that pip has": {"tf_versions": ["2.17.0-nv25.02"], "driver": "", "gpus": []},
    "shared containers": {
        "containers": "per-cuda",
        "tf_versions": ["1.15.5", "1.15.5-nv23.03", "2.5.0", "2.9.3", "2.17.0", "2.18.0"],
        "gpus": [],
        "driver": "",
    },
    "one for all": {
        "containers": "one",
        "tf_versions": [
            *("1.15.5", "1.15.5-nv23.03", "2.4.3", "2.9.3", "2.15.0", "2.17.0", "2.19.1-conda"),
        ],
        "gpus": [],
        "driver": "",
    },
    "Chinese, one for all": {"language": "zh", "containers": "one"},
    "Chinese, shared": {"language": "zh", "containers": "per-cuda"},
    "Chinese": {"language": "zh"},
    "Chinese, no ssh": {"language": "zh", "ssh": False},
}

# The part of https://containers.dev/implementors/json_reference that a Compose service needs.
COMPOSE_DEV_CONTAINER = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "dockerComposeFile": {"type": "string"},
        "service": {"type": "string"},
        "runServices": {"type": "array", "items": {"type": "string"}},
        "workspaceFolder": {"type": "string"},
        "remoteUser": {"type": "string"},
        "updateRemoteUserUID": {"type": "boolean"},
        "overrideCommand": {"type": "boolean"},
        "shutdownAction": {"enum": ["none", "stopCompose"]},
        "customizations": {"type": "object"},
    },
    "required": ["dockerComposeFile", "service", "workspaceFolder"],
    "additionalProperties": False,
}

YAMLLINT = (
    "{extends: default, rules: {document-start: disable, line-length: {max: 110}, "
    "indentation: {spaces: consistent, indent-sequences: whatever}}}"
)


def tool(name: str) -> str:
    """A program that came with a Python package, so it is beside the interpreter."""
    return str(Path(sys.executable).with_name(name))


def run(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def project(case: str, generate: Callable[..., CopierProject]) -> CopierProject:
    return generate(**CASES[case])


@pytest.fixture(scope="module")
def compose(project: CopierProject) -> dict[str, Any]:
    """The compose file as Docker Compose understands it."""
    if not shutil.which("docker") or subprocess.run(["docker", "compose", "version"]).returncode:
        missing("Docker Compose is not installed")
    config = run("docker", "compose", "config", "--format", "json", cwd=project.path)
    understood: dict[str, Any] = json.loads(config)
    return understood


def groups(project: CopierProject) -> dict[str, sharing.Group]:
    """The containers that were asked for, by the name of their service."""
    asked = sharing.groups(project.answers["tf_versions"], project.answers["containers"])
    return {service_name(group.entry): group for group in asked}


def files(project: CopierProject) -> dict[str, str]:
    return {
        str(path.relative_to(project.path)): path.read_text(encoding="utf-8")
        for path in sorted(project.path.rglob("*"))
        if path.is_file()
    }


def test_the_directory_has_exactly_its_files(project: CopierProject) -> None:
    expected = {".copier-answers.yml", ".gitattributes", ".gitignore", ".env", "README.md"}
    expected |= {"docker-compose.yml", "images/certs/.gitkeep"}
    expected |= {"environments/new.sh", "environments/cuda.py", "environments/facts.sh"}
    expected |= {"environments/project.code-workspace"}
    expected |= {"images/init_env1.sh", "images/init_env2.sh"}
    expected |= {f"images/container/{name}.sh" for name in CONTAINER_SCRIPTS}
    expected |= {
        "host/setup.sh",
        "host/facts.sh",
        "host/doctor",
        "host/bundle.sh",
        "host/facts.json",
    }
    expected |= {"images/container/gpu"}
    for name in groups(project):
        expected |= {f"images/{name}/Dockerfile", f".devcontainer/{name}/devcontainer.json"}
    if any(group.toolkit.codename == "bionic" for group in groups(project).values()):
        expected |= {"images/editors/glibc.sh", "images/editors/patchelf.sh"}
    for version in project.answers["tf_versions"]:
        release, one = catalogue.releases()[version], project.answers["containers"] == "one"
        if release.installable and not one:
            expected.add(f"environments/tf{version}.yml")
        if release.own_cuda:
            expected.add(f"environments/{release.own_environment}.yml")
    if project.answers["ssh"]:
        expected |= {"ssh_config", *(f"images/container/{f}" for f in ("login.sh", "sshd_config"))}
    assert set(files(project)) == expected


def test_no_file_has_leftovers_of_its_template(project: CopierProject) -> None:
    for name, text in files(project).items():
        if name in ("images/certs/.gitkeep", "host/doctor", "environments/cuda.py"):  # static
            continue
        assert text.endswith("\n"), name
        assert not text.endswith("\n\n"), name
        assert not text.startswith("\n"), name
        assert "\n\n\n" not in text, name
        assert not re.search(r"[ \t]$", text, re.MULTILINE), name
        assert "\t" not in text, name
        assert not re.search(r"\{[{%#] | [#%}]\}", text), name


@pytest.fixture(scope="module")
def checked() -> set[bytes]:
    """The scripts that shellcheck has read: most are the same in every directory."""
    return set()


def test_shellcheck_finds_nothing(project: CopierProject, checked: set[bytes]) -> None:
    scripts = [*project.path.rglob("*.sh"), project / "images/container/gpu"]
    new = [path for path in scripts if path.read_bytes() not in checked]
    checked |= {path.read_bytes() for path in new}
    if new:
        run(tool("shellcheck"), *map(str, new), cwd=project.path)


def test_hadolint_finds_nothing(project: CopierProject) -> None:
    for dockerfile in project.path.glob("images/*/Dockerfile"):
        run(tool("hadolint"), "--failure-threshold=warning", str(dockerfile), cwd=project.path)


def test_yamllint_finds_nothing(project: CopierProject) -> None:
    files = ["docker-compose.yml", ANSWERS_FILE, "environments"]
    run(tool("yamllint"), "--strict", "-d", YAMLLINT, *files, cwd=project.path)


def test_the_same_answers_give_the_same_bytes(
    case: str, project: CopierProject, generate: Callable[..., CopierProject]
) -> None:
    assert files(generate(**CASES[case])) == files(project)


def test_compose_mounts_what_was_answered_and_the_time_zone(
    project: CopierProject, compose: dict[str, Any]
) -> None:
    answers = project.answers
    for service in compose["services"].values():
        mounts = [
            (mount["source"], mount["target"], mount.get("read_only", False))
            for mount in service["volumes"]
        ]
        assert mounts == [
            (answers["host_home"], answers["host_home"], True),
            (answers["conda_path"], answers["conda_path"], False),
            (answers["project_path"], "/AI", False),
            (str(project.path / "environments"), "/environments", True),
            *((path, path, mode == "ro") for path, mode in answers["mounts"].items()),
            ("/var/lib/gpu-queue", "/var/lib/gpu-queue", False),
            ("/etc/localtime", "/run/host-localtime", True),
        ]
        *answered, queue, zone = service["volumes"]
        assert not any(mount["bind"].get("create_host_path") for mount in [*answered, zone])
        # A host that was updated starts before host/setup.sh has run again.
        assert queue["bind"]["create_host_path"]


def test_compose_starts_every_container_under_its_own_name(
    project: CopierProject, compose: dict[str, Any]
) -> None:
    host = project.answers["host"]
    assert compose["name"] == host
    assert set(compose["services"]) == set(groups(project))
    for name, service in compose["services"].items():
        assert service["container_name"] == service["hostname"] == f"{host}-{name}"
        assert service["build"]["dockerfile"] == f"{name}/Dockerfile"
        assert service["build"]["labels"] == {"org.copier-tensorflow-host.host": host}
        assert list(service["networks"]) == ["ai-bridge"]


def test_compose_runs_as_the_person_with_no_privilege_unless_sudo(
    project: CopierProject, compose: dict[str, Any]
) -> None:
    answers = project.answers
    person = f"{answers['uid']}:{answers['gid']}"
    for service in compose["services"].values():
        assert service["user"] == service["build"]["args"]["CURRENT_UID"] == person
        assert (service["restart"], service["init"]) == ("always", True)
        assert "privileged" not in service
        if answers["sudo"]:
            assert "cap_drop" not in service
            assert "security_opt" not in service
        else:
            assert service["cap_drop"] == ["ALL"]
            assert service["security_opt"] == ["no-new-privileges"]


LISTENS = "   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000"


@pytest.mark.parametrize(
    ("line", "healthy"),
    [
        (LISTENS, True),
        (LISTENS.replace("0016", "1600"), False),
        (LISTENS.replace(" 0A ", " 01 "), False),  # an open connection
        (
            LISTENS.replace("00000000:0016 00000000:0000 0A", "0100007F:9C40 0100007F:0016 01"),
            False,
        ),
    ],
)
def test_the_health_check_sees_whether_sshd_listens(
    generate: Callable[..., CopierProject], line: str, healthy: bool
) -> None:
    text = (generate() / "docker-compose.yml").read_text()
    (service, *_) = yaml.safe_load(text)["services"].values()
    command = service["healthcheck"]["test"][1:-1]
    done = subprocess.run(
        command, input=f"  sl  local_address rem_address   st\n{line}\n", text=True
    )
    assert (done.returncode == 0) == healthy


def test_compose_publishes_ssh_on_the_recorded_port_and_nothing_else(
    project: CopierProject, compose: dict[str, Any]
) -> None:
    for name, group in groups(project).items():
        service = compose["services"][name]
        if not project.answers["ssh"]:
            assert "ports" not in service
            continue
        (published,) = service["ports"]
        assert published["host_ip"] == project.answers["bind_address"]
        assert published["published"] == str(project.answers["ports"][group.entry])
        assert published["target"] == 22


def test_compose_reserves_the_gpus(project: CopierProject, compose: dict[str, Any]) -> None:
    devices = project.answers["gpu_devices"]
    wanted = {"count": -1} if devices == "all" else {"device_ids": devices.split(",")}
    for service in compose["services"].values():
        assert service["deploy"]["resources"]["reservations"]["devices"] == [
            {"driver": "nvidia", "capabilities": ["gpu"], **wanted}
        ]


def test_a_proxy_reaches_builds_and_containers(
    project: CopierProject, compose: dict[str, Any]
) -> None:
    proxy = project.answers["proxy"]
    wanted = {"http_proxy": proxy, "https_proxy": proxy, "no_proxy": "localhost,127.0.0.1"}
    if project.answers["no_proxy"]:
        wanted["no_proxy"] += f",{project.answers['no_proxy']}"
    for service in compose["services"].values():
        assert service.get("environment", {}) == (wanted if proxy else {})
        assert service["build"]["args"].items() >= (wanted if proxy else {}).items()


def test_the_containers_are_in_the_answered_subnet(
    project: CopierProject, compose: dict[str, Any]
) -> None:
    subnet = project.answers["subnet"]
    wanted = {"driver": "bridge"} | ({"ipam": {"config": [{"subnet": subnet}]}} if subnet else {})
    network = compose["networks"]["ai-bridge"]
    assert {
        key: network[key] for key in network if key in ("driver", "ipam") and network[key]
    } == wanted


def test_a_dockerfile_starts_from_the_pinned_official_image(project: CopierProject) -> None:
    registry = REGISTRY.read(project.answers["registry"])
    for name, group in groups(project).items():
        image = registries.pulled(group.base, registry)
        if digest := project.answers["digests"].get(group.base):
            image += f"@{digest}"
        assert f"\nFROM {image}\n" in (project / f"images/{name}/Dockerfile").read_text()


def test_a_dockerfile_runs_two_scripts_and_copies_nothing(project: CopierProject) -> None:
    for name, group in groups(project).items():
        text = (project / f"images/{name}/Dockerfile").read_text()
        instructions = re.findall(r"^([A-Z]+) ", text, re.MULTILINE)
        # a third one where glibc is older than editors want
        old = group.toolkit.codename == "bionic"
        assert instructions.count("RUN") == 2 + old
        assert ("/opt/editors" in text) == old
        assert not {"COPY", "ADD"} & set(instructions)


def test_scripts_and_sshd_read_a_path_as_it_was_answered(project: CopierProject) -> None:
    if not project.answers["ssh"]:
        return
    keys = f"{project.answers['host_home']}/.ssh/authorized_keys"
    script = (project / "images/container/start.sh").read_text()
    settings, main, _ = script.partition("\nmain() {")
    assert main
    settings += '\nprintf "%s\\n" "$home_keys" "${sshd_options[@]: -1}"'
    read, option = run("bash", "-c", settings, cwd=project.path).splitlines()
    assert read == keys
    own, shared = shlex.split(option)[1:]
    assert (own.replace("%%", "%"), shared) == (keys, "/AI/.ssh/authorized_keys")


def test_ports_that_only_the_host_reaches_are_reached_through_it(
    generate: Callable[..., CopierProject],
) -> None:
    project = generate(host="gpu01", tf_versions=["2.17.0"], bind_address="127.0.0.1")
    told = run("ssh", "-G", "-F", "ssh_config", "gpu01-tf2.17.0", cwd=project.path).splitlines()
    assert {"hostname 127.0.0.1", "proxyjump gpu01", "port 21722"} <= set(told)
    assert "| `ssh -J gpu01 -p 21722 ai@127.0.0.1` |" in (project / "README.md").read_text()


def test_the_readme_tells_image_cuda_and_ssh_line_of_every_container(
    project: CopierProject,
) -> None:
    readme = (project / "README.md").read_text()
    for name, group in groups(project).items():
        row = next(li for li in readme.splitlines() if li.startswith(f"| {name} "))
        inside = {"en": "of the environment", "zh": "由环境自带"}[project.answers["language"]]
        has_cuda = group.base != "ubuntu:24.04"
        assert f" {group.toolkit.cuda if has_cuda else inside} " in row
        assert f"{group.base.removeprefix('nvcr.io/')}" in row
        inside = project.answers.get("bind_address", "").startswith("127.")
        jump = f"-J {project.answers['host']} " if inside else ""
        port, user = project.answers["ports"][group.entry], project.answers["user"]
        line = f"`ssh {jump}-p {port} {user}@"
        assert (line in row) == project.answers["ssh"]


def test_an_environment_has_exactly_its_release(project: CopierProject) -> None:
    for version in project.answers["tf_versions"]:
        release = catalogue.releases()[version]
        if not release.requirement or project.answers["containers"] == "one":
            continue
        file = yaml.safe_load((project / f"environments/tf{version}.yml").read_text())
        python, pip, *bounds, requirements = file["dependencies"]
        assert (file["name"], pip) == (f"tf{version}", "pip")
        assert file["channels"] == ["conda-forge"]
        assert python == f"python={release.environment_python}"
        debugpy = {"3.6": ["debugpy==1.5.1"], "3.7": ["debugpy==1.7.0"]}
        debugpy |= {python: ["debugpy==1.8.21"] for python in ("3.8", "3.9")}
        debugger = debugpy.get(release.environment_python, [])
        assert bounds == [name for name in release.constraints if name.startswith("setuptools")]
        assert requirements == {"pip": [release.requirement, *release.constraints, *debugger]}


def test_an_environment_with_its_own_cuda_has_that_beside_its_release(
    project: CopierProject,
) -> None:
    for version in project.answers["tf_versions"]:
        release = catalogue.releases()[version]
        if not release.own_cuda:
            continue
        file = yaml.safe_load((project / f"environments/{release.own_environment}.yml").read_text())
        assert file["name"] == release.own_environment
        conda = {package for package in file["dependencies"] if isinstance(package, str)}
        pip = [package["pip"] for package in file["dependencies"] if isinstance(package, dict)]
        assert {*release.conda_packages, *release.own_cuda.conda} <= conda
        assert {*release.pip_packages, *release.own_cuda.pip} <= {
            one for packages in pip for one in packages
        }


def test_a_dev_container_opens_its_service_as_the_person_and_never_stops_it(
    project: CopierProject,
) -> None:
    for service in groups(project):
        path = project.path / ".devcontainer" / service / "devcontainer.json"
        configuration = json.loads(path.read_text())
        jsonschema.validate(configuration, COMPOSE_DEV_CONTAINER)
        assert (path.parent / configuration["dockerComposeFile"]).is_file()
        assert configuration["service"] == service
        assert configuration["runServices"] == [service]
        assert configuration["remoteUser"] == project.answers["user"]
        assert configuration["shutdownAction"] == "none"
        assert configuration["overrideCommand"] is False


def test_a_dev_container_installs_a_debugger_that_takes_its_oldest_python(
    project: CopierProject,
) -> None:
    versions = {"3.6": "@2023.1.12492010", "3.7": "@2024.0.1"}
    versions |= dict.fromkeys(("3.8", "3.9"), "@2026.6.0")
    for service, group in groups(project).items():
        path = project.path / ".devcontainer" / service / "devcontainer.json"
        extensions = json.loads(path.read_text())["customizations"]["vscode"]["extensions"]
        releases = group.releases
        if group.shared and not group.own_cuda:  # whoever may join it
            line = group.toolkit.line
            releases = tuple(r for r in catalogue.releases().values() if r.toolkit.line == line)
        pythons = [release.environment_python for release in releases if release.installable]
        in_image = (group.releases[0].python or "3.13").rstrip("?")
        oldest = min(pythons, key=Version, default=in_image)
        debugger = f"ms-python.debugpy{versions.get(oldest, '')}"
        assert extensions == ["ms-python.python", debugger, "ms-toolsai.jupyter"]


def test_a_workspace_debugs_by_every_python(project: CopierProject) -> None:
    workspace = json.loads((project / "environments/project.code-workspace").read_text())
    recommended = workspace["extensions"]["recommendations"]
    assert recommended == ["ms-python.python", "ms-python.debugpy", "ms-toolsai.jupyter"]
    configurations = {one["name"]: one for one in workspace["launch"]["configurations"]}
    tasks = {one["label"]: one["command"] for one in workspace.get("tasks", {}).get("tasks", [])}
    environments = [
        yaml.safe_load(path.read_text())["dependencies"]
        for path in project.path.glob("environments/*.yml")
    ]
    old = any("debugpy==" in str(dependencies) for dependencies in environments)
    attach = configurations.get("This file, Python before 3.10")
    assert attach or not old
    assert len(configurations) == 2 if attach else (len(configurations), tasks) == (1, {})
    if attach:
        command, port = tasks[attach["preLaunchTask"]], attach["connect"]["port"]
        assert f"--listen {port} " in command
        assert f":{port:04X} " in command
    tests = tasks.get("test explorer for Python before 3.8", "")
    assert tests in ("", "code --install-extension ms-python.python@2024.6.0")
    for dependencies in environments:
        assert tests or not {"python=3.6", "python=3.7"} & set(map(str, dependencies))


def test_every_release_has_an_alias_that_leads_to_its_container_and_environment(
    project: CopierProject,
) -> None:
    if not project.answers["ssh"]:
        return
    config = (project / "ssh_config").read_text()
    for group in groups(project).values():
        for release in group.releases:
            alias = f"{project.answers['host']}-{service_name(release.version)}"
            port = f"    Port {project.answers['ports'][group.entry]}\n"
            active = f"    SetEnv TENSORFLOW_ENVIRONMENT={group.environment_of(release)}\n"
            block = f"\nHost {alias}\n{port}" + active * (release in group.environments)
            assert f"{block}\n" in config


def test_the_readme_tells_every_release_where_it_is_and_the_disk_it_takes(
    project: CopierProject,
) -> None:
    readme = (project / "README.md").read_text()
    versions = project.answers["tf_versions"]
    now = sharing.cost(versions, project.answers["containers"])
    assert f"{now.gigabytes} GB" in readme
    for version in versions:
        assert f"\n| {version} | " in readme
    shared = sharing.cost(versions, sharing.PER_CUDA)
    if shared.images < now.images:
        assert f"{shared.gigabytes} GB" in readme


def test_recorded_answers_are_the_given_ones(case: str, project: CopierProject) -> None:
    for question, answer in CASES[case].items():
        recorded = project.answers[question]
        if question == "tf_versions":  # Copier records them in the order of its choices
            assert sorted(recorded) == sorted(answer)
        else:
            assert recorded == answer


def blocks(project: CopierProject) -> dict[str, str]:
    """The text of every service in the compose file."""
    services = (project / "docker-compose.yml").read_text().split("\nservices:\n")[1]
    return dict(re.findall(r"^  (\S+):\n((?:    .*\n)+)", services, re.MULTILINE))


def test_another_version_changes_no_byte_of_the_others(
    generate: Callable[..., CopierProject],
) -> None:
    two = generate()
    ports = {**two.answers["ports"], "2.9.3": 20922}
    three = generate(tf_versions=["1.15.5", "2.9.3", "2.17.0"], ports=ports)
    assert blocks(two).items() < blocks(three).items()
    shared = {
        ".env",
        ".gitignore",
        "images/init_env1.sh",
        "images/init_env2.sh",
        "images/container/start.sh",
        "images/container/sshd_config",
    }
    shared |= {"images/container/conda.sh", "environments/new.sh", "environments/facts.sh"}
    shared.add("environments/tf2.17.0.yml")
    shared |= {"images/tf1.15.5/Dockerfile", "images/tf2.17.0/Dockerfile"}
    assert {name: files(two)[name] for name in shared}.items() <= files(three).items()


def test_the_answers_file_can_be_read_and_names_the_template(
    copier_template: Path, article: dict[str, Any], tmp_path: Path
) -> None:
    made = Repository.create(tmp_path / "infra").copy(copier_template, article)
    recorded = made.answers
    assert recorded["_commit"] == "99.0.0"
    assert recorded["ports"] == {"1.15.5": 10022, "2.17.0": 20022}
