"""setup.sh on real Ubuntu and Debian, behind a company's proxy, with stand-ins to install."""

# ruff: noqa: E501 (a sentence stands whole, as it is printed)

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from pytest_copier.plugin import CopierProject

from tests.e2e.bases import rootfs_image
from tests.e2e.company import Company, company_network
from tests.e2e.packages import Files, Key, make_package, make_repository
from tests.e2e.support import in_image, output, run
from tests.support import by_default

SYSTEMS = {
    "focal": "ubuntu",
    "jammy": "ubuntu",
    "noble": "ubuntu",
    "resolute": "ubuntu",
    "bookworm": "debian",
    "trixie": "debian",
}
MIRROR = "https://mirror.company.invalid/docker-ce"
NVIDIA = "https://nvidia.github.io/libnvidia-container"
INSTALLER_NAME = "Miniforge3-25.3.1-0-Linux-x86_64.sh"
MINIFORGE = f"https://github.com/conda-forge/miniforge/releases/download/25.3.1-0/{INSTALLER_NAME}"

DOCKER_PACKAGES: dict[str, Files] = {
    "docker-ce": {"usr/bin/dockerd": "echo Docker version 28.5.1, build stand-in\n"},
    "docker-ce-cli": {
        "usr/bin/docker": 'case "$1" in\n'
        "compose) exec /usr/libexec/docker/cli-plugins/docker-compose ;;\n"
        "buildx) exec /usr/libexec/docker/cli-plugins/docker-buildx ;;\n"
        "esac\ncat /run/containers 2>/dev/null || true\n"
    },
    "containerd.io": {},
    "docker-buildx-plugin": {"usr/libexec/docker/cli-plugins/docker-buildx": "echo buildx\n"},
    "docker-compose-plugin": {"usr/libexec/docker/cli-plugins/docker-compose": "echo 2.40.0\n"},
}
NVIDIA_PACKAGES: dict[str, Files] = {
    "nvidia-container-toolkit": {
        "usr/bin/nvidia-ctk": """file=/etc/docker/daemon.json
[ -s $file ] || echo '{"runtimes": "nvidia-container-runtime"}' >$file
[ ! -x /usr/bin/jq ] || jq '.runtimes = {nvidia: {path: "nvidia-container-runtime"}}' $file >/tmp/new || exit 1
[ ! -x /usr/bin/jq ] || mv /tmp/new $file
"""
    },
    "nvidia-container-toolkit-base": {},
    "libnvidia-container-tools": {},
    "libnvidia-container1": {},
}
INSTALLER = """#!/bin/sh
while [ "$1" != -p ]; do shift; done
mkdir -p "$2/bin"
id -u >"$2/installed-by"
printf '#!/bin/sh\\n' >"$2/bin/conda"
chmod +x "$2/bin/conda"
"""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NVIDIA_SMI = "#!/bin/sh\necho 550.54.15\n"
SYSTEMCTL = '#!/bin/sh\necho "$@" >>/var/log/systemctl\n'


@dataclass
class Site:
    """A generated directory, the network around it, and what its script must be told."""

    directory: Path
    company: Company
    key: Key
    second: Key

    def run(self, image: str, command: str, *options: str, name: str = "") -> CompletedProcess[str]:
        """Run a command in a new machine, in the generated directory; keep it if it has a name."""
        keep = [f"--name={name}"] if name else ["--rm"]
        return run(
            "docker", "run", *keep, "--init", f"--volume={self.directory}:/gpu01:ro",
            f"--volume={self.directory.parent}/bin:/opt/bin:ro", f"--env=PATH=/opt/bin:{PATH}",
            "--workdir=/gpu01",
            *options, image, "bash", "-c", command, timeout=300,
        )  # fmt: skip


def trusting(text: str, key: Key) -> str:
    """Return the script with the test's key and checksum in place of the real ones."""
    text = re.sub(r"(?m)^(docker_key|nvidia_key)=.*", rf"\1={key.fingerprint}", text)
    checksum = hashlib.sha256(INSTALLER.encode()).hexdigest()
    return re.sub(r"(?m)^miniforge_sha256=.*", f"miniforge_sha256={checksum}", text)


@pytest.fixture(scope="module")
def site(
    engine: None,  # noqa: ARG001
    generate: Callable[..., CopierProject],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    work = tmp_path_factory.mktemp("setup")
    (work / "network").mkdir()
    with company_network(work / "network") as company:
        project = generate(
            mirror="https://mirror.company.invalid",
            proxy=f"http://{company.address}",
            registry={"docker.io": "registry.company.invalid", "nvcr.io": "nvcr.company.invalid"},
            no_proxy=".lan",
        )
        key = Key.make(work / "key")
        for codename, system in SYSTEMS.items():
            make_repository(work / codename, key, DOCKER_PACKAGES, suite=codename)
            company.put(f"{MIRROR}/linux/{system}", work / codename)
            company.put(f"{MIRROR}/linux/{system}/gpg", key.public)
        make_repository(work / "nvidia", key, NVIDIA_PACKAGES)
        company.put(f"{NVIDIA}/stable/deb/amd64", work / "nvidia")
        company.put(f"{NVIDIA}/gpgkey", key.public)
        company.put(MINIFORGE, INSTALLER)
        directory = work / "gpu01"
        shutil.copytree(project.path, directory)
        shutil.copy(directory / "host/setup.sh", directory / "host/genuine.sh")
        script = directory / "host/setup.sh"
        script.write_text(trusting(script.read_text(), key))
        shutil.copy(company.certificate, directory / "images/certs")
        for name, text in {"nvidia-smi": NVIDIA_SMI, "systemctl": SYSTEMCTL}.items():
            tool = work / "bin" / name
            tool.parent.mkdir(exist_ok=True)
            tool.write_text(text)
            tool.chmod(0o755)
        make_package(directory, "docker.io", "20.10-1", {})
        (directory / "no-pci").mkdir()
        (directory / "pci/0000:01:00.0").mkdir(parents=True)
        (directory / "pci/0000:01:00.0/vendor").write_text("0x10de\n")
        second = Key.make(work / "second")
        company.put(f"{MIRROR}/two/linux/ubuntu/gpg", key.public + second.public)
        yield Site(directory, company, key, second)


STATE = """find /etc /home /usr/local/share /var/lib/dpkg/status /var/log/systemctl -xdev -type f \
    -exec sha256sum {} + | sort"""
FIRST_RUN = f"""
grep -q focal /etc/apt/sources.list || sed -i 's/ restricted universe//; /-updates /d' /etc/apt/sources.list
host/setup.sh --check >/var/log/would; echo "check: $?"
command -v dockerd; ls /etc/apt/sources.list.d
useradd --create-home --uid 1000 ai 2>/dev/null || userdel -r ubuntu 2>/dev/null && useradd --create-home --uid 1000 ai 2>/dev/null
set -e
host/setup.sh
{STATE} >/tmp/first
echo 'SECOND RUN'
host/setup.sh
{STATE} | diff /tmp/first -
host/setup.sh --check
"""


Become = Callable[[str], tuple[str, str]]


@pytest.fixture(scope="module")
def become_ready(site: Site) -> Iterator[Become]:
    """Run setup.sh twice on a bare machine; return what it printed, and an image of the machine."""
    made: dict[str, tuple[str, str]] = {}

    def become(codename: str) -> tuple[str, str]:
        if codename not in made:
            name = f"e2e-setup-{codename}"
            run("docker", "rm", "--force", name)
            done = site.run(rootfs_image(codename), FIRST_RUN, name=name)
            made[codename] = done.stdout, name
            assert done.returncode == 0, done.stdout + done.stderr
            output("docker", "commit", name, name)
        return made[codename]

    yield become
    for _, name in made.values():
        run("docker", "rm", "--force", name)
        run("docker", "image", "rm", name)


@pytest.mark.parametrize("codename", by_default("noble", among=SYSTEMS))
def test_a_bare_server_becomes_ready_and_a_second_run_changes_nothing(
    site: Site, become_ready: Become, codename: str
) -> None:
    printed, image = become_ready(codename)
    first, second = printed.split("SECOND RUN\n")
    assert "check: 1\nsetup.sh: " in first  # nothing was there, and nothing has come
    steps = re.findall(r"(?m)^setup\.sh: step (\d) of 6: ", first)
    assert list(dict.fromkeys(steps)) == list("123456")
    assert second == (
        "setup.sh: nothing remains to be done; check the server with: host/doctor\n" * 2
    )
    look = """
        cat /etc/apt/sources.list.d/docker.list /etc/apt/sources.list.d/nvidia-container-toolkit.list
        cat /etc/systemd/system/docker.service.d/http-proxy.conf; jq -c . /etc/docker/daemon.json
        cat /var/log/systemctl /home/ai/miniconda3/installed-by
        stat -c %u:%g /home/ai/tensorflow_volume /home/ai/miniconda3
        stat -c %a:%u /var/lib/gpu-queue; gpu --help | head -n 1
        dpkg-query -Wf '${Package}\\n' docker-ce nvidia-container-toolkit"""
    proxy = f"http://{site.company.address}"
    assert site.run(image, look).stdout.splitlines() == [
        f"deb [arch=amd64 signed-by=/etc/apt/keyrings/docker.asc] {MIRROR}/linux/{SYSTEMS[codename]} {codename} stable",
        f"deb [arch=amd64 signed-by=/etc/apt/keyrings/nvidia-container-toolkit.asc] {NVIDIA}/stable/deb/amd64 /",
        "[Service]",
        f'Environment="HTTP_PROXY={proxy}" "HTTPS_PROXY={proxy}" "NO_PROXY=localhost,127.0.0.1,.lan"',
        '{"registry-mirrors":["https://registry.company.invalid"],"runtimes":{"nvidia":{"path":"nvidia-container-runtime"}}}',
        "daemon-reload",
        "restart docker",
        "1000",
        "1000:1000",
        "1000:1000",
        "1777:0",
        "usage: gpu",
        "docker-ce",
        "nvidia-container-toolkit",
    ]


def test_all_was_downloaded_through_the_proxy_by_the_companys_certificate(
    site: Site, become_ready: Become
) -> None:
    become_ready("noble")
    assert {f"{NVIDIA}/gpgkey", MINIFORGE, f"{NVIDIA}/stable/deb/amd64/InRelease"} <= set(
        site.company.served
    )
    for name in ("mirror.company.invalid", "nvidia.github.io", "github.com"):
        assert f"CONNECT {name}:443" in site.company.log


NO_DOCKER = f"dpkg --purge --force-all {' '.join(DOCKER_PACKAGES)} >/dev/null; rm /etc/apt/sources.list.d/docker.list; "
NO_TOOLKIT = f"dpkg --purge --force-all {' '.join(NVIDIA_PACKAGES)} >/dev/null; "
NO_NVIDIA_LIST = "rm /etc/apt/sources.list.d/nvidia-container-toolkit.list; "
NO_CONDA = "rm -r /home/ai/miniconda3; "
COPY = "cp -r /gpu01 /tmp; cd /tmp/gpu01; "
RUN = "host/setup.sh"
OLD_DRIVER = "mkdir /tmp/bin; printf '#!/bin/sh\\necho 418.40.04\\n' >/tmp/bin/nvidia-smi; chmod +x /tmp/bin/*; PATH=/tmp/bin:$PATH "
NO_SYSTEMD = "mkdir /tmp/bin; printf '#!/bin/sh\\nexit 1\\n' >/tmp/bin/systemctl; chmod +x /tmp/bin/*; PATH=/tmp/bin:$PATH "
NO_LOCAL = "PATH=/usr/sbin:/usr/bin:/sbin:/bin "
NO_PROXY_FILE = "rm /etc/systemd/system/docker.service.d/http-proxy.conf; "
DRIVER_COMMAND = "run: sudo apt-get update && sudo apt-get install -y ubuntu-drivers-common && sudo ubuntu-drivers install && sudo reboot"
NOT_DOWNLOADED = "could not be downloaded; check the answer 'proxy', put a company's CA certificate into images/certs/, or, where this site is blocked,"
INTERCEPTED = "the connection may be intercepted: find the cause before you continue"
TOO_OLD = f"manual step: the NVIDIA driver is 418.40.04, with which some containers do not start:\n  tf2.17.0 needs 525.60.13 or newer\n{DRIVER_COMMAND}"


def nvidia_smi_fails(words: str) -> str:
    return OLD_DRIVER.replace("echo 418.40.04", f'echo "{words}"; exit 18')


def fact(name: str, value: str) -> str:
    """Return the command that changes a fact of the copied directory."""
    return COPY + f"echo {name}={value} >>host/facts.sh; "


# What is wrong with a machine that was ready, and the message that setup.sh ends with.
FAILURES = {
    "another system": ("sed -i s/^VERSION_ID=.*/VERSION_ID=25.10/ /etc/os-release; " + RUN, "this is {system}, and the supported systems are ubuntu-20.04 ubuntu-22.04 ubuntu-24.04 ubuntu-26.04 debian-12 debian-13; install Docker and the NVIDIA Container Toolkit by hand, then run host/doctor"),
    "another machine": ("printf '#!/bin/sh\\necho arm64\\n' >/usr/bin/dpkg; " + RUN, "this machine is arm64, and TensorFlow's GPU images are for amd64; use another machine"),
    "not root": (f"setpriv --reuid=1000 --clear-groups {RUN}", "root is needed to install; run: sudo host/setup.sh"),
    "the host of another directory": ("mkdir /srv/gpu01; echo /srv/gpu01 >/run/containers; " + RUN, "/srv/gpu01 has containers of the same host gpu01, which docker compose up here would replace or remove; answer 'host' with another name in this directory, then run host/doctor for its ports; or, to start them from here, first run there: docker compose down"),
    "an old driver": (OLD_DRIVER + RUN, TOO_OLD),
    "an updated driver": (nvidia_smi_fails("Failed to initialize NVML: Driver/library version mismatch") + RUN, "manual step: the NVIDIA driver was updated, and the old one is still loaded; run: sudo reboot"),
    "an old driver that warns": (OLD_DRIVER.replace("echo 4", "echo a warning >&2; echo 4") + RUN, TOO_OLD),
    "a driver that does not work": (nvidia_smi_fails("No devices were found") + RUN, f"manual step: the NVIDIA driver does not work, nvidia-smi says: No devices were found\nlook for NVRM in: sudo dmesg; reboot, and if that does not help, {DRIVER_COMMAND}"),
    "no driver": (NO_LOCAL + RUN, f"manual step: no NVIDIA driver is running, and the containers need one:\n  tf1.15.5 needs 410.48 or newer\n  tf2.17.0 needs 525.60.13 or newer\n{DRIVER_COMMAND}"),
    "no GPU": (NO_LOCAL + RUN, "manual step: there is no NVIDIA GPU on the PCI bus; install one, or pass one through to this virtual machine"),
    "no certificate": (COPY + "echo CA >images/certs/bad.crt; " + RUN, "images/certs/bad.crt is not a certificate in PEM format; export it again, as Base64"),
    "certificates that cannot be added": ("rm -r /usr/local/share/ca-certificates/company; printf '#!/bin/sh\\nexit 1\\n' >/usr/sbin/update-ca-certificates; " + RUN, "the certificates could not be added; to see why, run: sudo update-ca-certificates"),
    "no proxy": (NO_TOOLKIT + "apt-get clean; echo 'Acquire::Retries 0;' >/etc/apt/apt.conf.d/once; " + fact("proxy", "http://127.0.0.1:9") + RUN, "apt-get update failed; its messages are above; check the answers 'proxy' and 'mirror', and the lists in /etc/apt"),
    "no package": (NO_TOOLKIT + "printf 'Package: nvidia-container-toolkit\\nPin: version *\\nPin-Priority: -1\\n' >/etc/apt/preferences.d/no; " + RUN, f"apt-get could not install {' '.join(NVIDIA_PACKAGES)}; its messages are above"),
    "no key": (NO_DOCKER + fact("docker_url", f"{MIRROR}/nothing") + RUN, f"{MIRROR}/nothing/linux/ubuntu/gpg {NOT_DOWNLOADED} answer 'mirror'"),
    "NVIDIA's site is blocked": (NO_TOOLKIT + NO_NVIDIA_LIST + fact("nvidia_url", f"{NVIDIA}/nothing") + RUN, f"{NVIDIA}/nothing/gpgkey {NOT_DOWNLOADED} get the same packages, signed with the same key, from a mirror: answer 'mirror' with a map that has nvidia: ustc"),
    "another key": (NO_DOCKER + "host/genuine.sh", MIRROR + "/linux/ubuntu/gpg is not the key 9DC858229FC7DD38854AE2D88D81803C0EBFCD88 but {key}; " + INTERCEPTED),
    "a second key": (NO_DOCKER + fact("docker_url", f"{MIRROR}/two") + RUN, MIRROR + "/two/linux/ubuntu/gpg is not the key {key} but {key} and {second}; " + INTERCEPTED),
    "Docker from snap": ("mkdir -p /snap/bin; touch /snap/bin/docker; " + RUN, "Docker is installed from snap, which cannot mount directories outside of homes; run: sudo snap remove docker, which removes its containers and images too; then run this again"),
    "Ubuntu's Docker": (NO_DOCKER + "dpkg -i /gpu01/docker.io_20.10-1_amd64.deb >/dev/null; " + RUN, "docker.io is installed, and Docker 20.10.10, Compose 2.4 or newer and buildx are needed; install what is missing, or run: sudo apt-get remove docker.io; then run this again"),
    "an engine that breaks jammy's apt": ("dpkg -i /gpu01/docker.io_20.10-1_amd64.deb >/dev/null; echo echo Docker version 20.10.9 >/usr/bin/dockerd; " + RUN, "docker.io is installed, and Docker 20.10.10, Compose 2.4 or newer and buildx are needed; install what is missing, or run: sudo apt-get remove docker.io; then run this again"),
    "an old engine of Docker": ("echo echo Docker version 20.10.9 >/usr/bin/dockerd; " + RUN, f"manual step: Docker 20.10.10, Compose 2.4 or newer and buildx are needed; when nobody works in containers, run: sudo apt-get update && sudo apt-get install -y {' '.join(DOCKER_PACKAGES)}"),
    "no JSON": ("echo '{,}' >/etc/docker/daemon.json; " + RUN, "/etc/docker/daemon.json is not valid JSON; correct it"),
    "no runtime": ("echo '{\"registry-mirrors\": \"https://registry.company.invalid\",}' >/etc/docker/daemon.json; " + RUN, "nvidia-ctk could not change /etc/docker/daemon.json; make it valid JSON"),
    "no start": (NO_PROXY_FILE + NO_SYSTEMD + RUN, "Docker does not start; run: sudo journalctl --unit docker --lines 20"),
    "people at work": (NO_PROXY_FILE + "echo 5f3c >/run/containers; " + RUN, "manual step: Docker has a new configuration and containers are running; when nobody works in them, run: sudo systemctl daemon-reload && sudo systemctl restart docker"),
    "no home": ("mv /home/ai /home/else; " + RUN, "/home/ai does not exist; create its user first: sudo useradd --create-home --uid 1000 --home-dir /home/ai ai"),
    "a person with another UID": (fact("people", "'(ai 1001 1001 /home/ai /home/ai/tensorflow_volume)'") + RUN, "ai has UID 1000 on this server, and 1001 in the answer people; answer people with uid: 1000, or give the account its UID: sudo usermod --uid 1001 ai"),
    "another's projects, and an old driver": ("chown root /home/ai/tensorflow_volume; " + OLD_DRIVER + RUN, f"{TOO_OLD}\nsetup.sh: /home/ai/tensorflow_volume belongs to UID 0, not to UID 1000; run: sudo chown 1000:1000 /home/ai/tensorflow_volume"),
    "a directory instead of the time zone": ("rm -f /etc/localtime; mkdir /etc/localtime; " + RUN, "/etc/localtime is a directory, and the containers mount the file with the time zone; run: sudo rmdir /etc/localtime; then run this again"),
    "half a conda": ("rm -r /home/ai/miniconda3/bin; " + RUN, "/home/ai/miniconda3 contains files but no conda; move them away, or answer 'conda_path' with another directory"),
    "another Miniforge": (NO_CONDA + "host/genuine.sh", MINIFORGE + " does not have the checksum 376b160ed8130820db0ab0f3826ac1fc85923647f75c1b8231166e3d559ab768; " + INTERCEPTED),
    "a broken Miniforge": (NO_CONDA + fact("miniforge_url", "https://github.com/broken") + "sed -i s/^miniforge_sha256=.*/miniforge_sha256={broken}/ host/setup.sh; " + RUN, "Miniforge could not be installed in /home/ai/miniconda3; its messages are above"),
    "GitHub is blocked": (NO_CONDA + fact("miniforge_url", "https://github.com/nothing") + RUN, f"https://github.com/nothing/25.3.1-0/{INSTALLER_NAME} {NOT_DOWNLOADED} download it elsewhere and run as UID 1000: bash {INSTALLER_NAME} -b -u -p /home/ai/miniconda3"),
    "a folder without packages": (NO_TOOLKIT + "mkdir /tmp/folder; host/setup.sh --offline /tmp/folder", "/tmp/folder has no package nvidia-container-toolkit for {system}; make the folder on such a system: host/bundle.sh save FOLDER"),
    "a broken package": (NO_TOOLKIT + "mkdir -p /tmp/folder/packages-ubuntu-24.04; for p in " + " ".join(NVIDIA_PACKAGES) + "; do echo >/tmp/folder/packages-ubuntu-24.04/${p}_1.deb; done; host/setup.sh --offline /tmp/folder", "apt-get could not install " + " ".join(f"/tmp/folder/packages-ubuntu-24.04/{p}_1.deb" for p in NVIDIA_PACKAGES) + "; its messages are above"),
    "a folder without Miniforge": (NO_CONDA + "mkdir /tmp/folder; host/setup.sh --offline /tmp/folder", f"/tmp/folder has no {INSTALLER_NAME}; make the folder again: host/bundle.sh save FOLDER"),
    "nothing to fetch from": ("rm -r /etc/apt/sources.list.d; host/setup.sh --download /tmp/folder", "apt does not know Docker's and NVIDIA's packages; run first: sudo host/setup.sh"),
}  # fmt: skip


@cache
def system_name(image: str) -> str:
    """Return what a system calls itself, such as ``Ubuntu 24.04 LTS``."""
    return in_image(image, ". /etc/os-release; echo $PRETTY_NAME").strip()


@pytest.mark.parametrize("case", FAILURES)
def test_a_step_that_fails_ends_with_its_message_after_the_manual_steps(
    site: Site, become_ready: Become, case: str
) -> None:
    _, image = become_ready("noble")
    command, sentence = FAILURES[case]
    broken = "exit 1\n"
    site.company.put(f"https://github.com/broken/25.3.1-0/{INSTALLER_NAME}", broken)
    words = {
        "key": site.key.fingerprint,
        "second": site.second.fingerprint,
        "broken": hashlib.sha256(broken.encode()).hexdigest(),
        "system": system_name(image),
    }
    bus = site.directory / ("pci" if case == "no driver" else "no-pci")
    command = command.replace("{broken}", words["broken"])
    done = site.run(image, f"rm -f /etc/apt/sources.list; {command}",
                    f"--volume={bus}:/sys/bus/pci/devices:ro")  # fmt: skip
    expected = f"setup.sh: {sentence.format(**words)}".splitlines()
    last = (done.stdout + done.stderr).splitlines()[-len(expected) :]
    assert (done.returncode, last) == (1, expected)


def test_every_message_that_setup_can_end_with_has_its_case(site: Site) -> None:
    script = (site.directory / "host/genuine.sh").read_text()
    sentences = re.findall(r'(?m)\b(?:fail|manual_step) "(.+?)"(?= [\\"]|$)', script)
    assert len(sentences) > 20
    seen = "\n".join(sentence for _, sentence in FAILURES.values())
    variable = r"\$\{.*?\}|\$\(.*?\)\)|\$\(.*?\)|\$\w+"
    for sentence in set(sentences):
        assert re.search(".+".join(map(re.escape, re.split(variable, sentence))), seen), sentence


@pytest.mark.parametrize(
    ("arguments", "status"),
    [("--help", 0), ("--chek", 2), ("--offline", 2), ("--download a --check", 2)],
)
def test_it_prints_how_it_is_called(site: Site, arguments: str, status: int) -> None:
    done = run("bash", site.directory / "host/setup.sh", *arguments.split())
    assert (done.returncode, "Exits with 0" in done.stdout + done.stderr) == (status, True)


def test_a_folder_fetched_on_one_machine_makes_another_ready_without_network(
    site: Site, become_ready: Become, tmp_path: Path
) -> None:
    _, image = become_ready("noble")
    folder = f"--volume={tmp_path}:/folder"
    fetched = site.run(image, "host/setup.sh --download /folder", folder)
    assert fetched.returncode == 0, fetched.stderr
    bare = (
        "useradd -m -u 1000 ai || userdel -r ubuntu && useradd -m -u 1000 ai; mkdir /etc/docker; "
    )
    bare += "host/setup.sh --offline /folder && command -v dockerd nvidia-ctk && ls /home/ai/miniconda3/bin"
    done = site.run(rootfs_image("noble"), bare, folder, "--network=none")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-3:] == ["/usr/bin/dockerd", "/usr/bin/nvidia-ctk", "conda"]
