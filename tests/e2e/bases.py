"""Stand-ins for the base images, for machines that reach no image registry.

A base is a real Ubuntu of the official image's release, made by mmdebstrap
from Ubuntu's own archive, dressed up as TensorFlow's image: its environment,
apt sources and banner, and an *empty* package for every CUDA package, of the
same name and version. So apt, dpkg, sshd and the shells are real; there is no
CUDA and no GPU in it, and TensorFlow only where `Base.wheels` names it.

Needs docker with BuildKit, mmdebstrap, dpkg-deb and dpkg-scanpackages, and
root for mmdebstrap: `.ci/engine` provides them.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shlex
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

STAND_IN_LABEL = "org.copier-tensorflow-host.stand-in"
DIGEST_LABEL = "org.copier-tensorflow-host.digest"

UBUNTU = {
    "xenial": "16.04",
    "bionic": "18.04",
    "focal": "20.04",
    "jammy": "22.04",
    "noble": "24.04",
    "resolute": "26.04",
}

NEEDS_NEWER = "needs-newer-cuda"
"""Package of the newer candidates that depends on all of them."""

DEBIAN = {"bookworm": "12", "trixie": "13", "sid": "unstable"}
"""Hosts only: no official image is built on Debian."""

# CUDA_VERSION of a base that does not state its own.
CUDA_VERSION = {
    "xenial": "10.0.130",
    "bionic": "10.0.130",
    "focal": "11.2.1",
    "jammy": "12.3.0",
    "noble": "12.3.0",
}

# TensorFlow's /etc/bash.bashrc, shortened. The images of 2018 and 2019 print
# their banner in every bash, also the one behind `ssh host command`, rsync and
# scp; later ones return first unless somebody is typing.
BASHRC_UNGUARDED = r"""export PS1="\[\e[31m\]tf-docker\[\e[m\] \[\e[33m\]\w\[\e[m\] > "
export TERM=xterm-256color
alias grep="grep --color=auto"
alias ls="ls --color=auto"

echo -e "\e[1;31m"
echo "TensorFlow"
echo -e "\e[0;33m"
if [[ $EUID -eq 0 ]]; then
  echo "WARNING: You are running this container as root"
else
  echo "You are running this container as user with ID $(id -u) and group $(id -g)"
fi
echo -e "\e[m"
"""
BASHRC_GUARDED = f"""[ -z "$PS1" ] && return

{BASHRC_UNGUARDED}
ldconfig
"""

# Ubuntu's images from 18.04 on are minimized: https://wiki.ubuntu.com/Minimal
MINIMIZED = """path-exclude=/usr/share/man/*
path-exclude=/usr/share/locale/*/LC_MESSAGES/*.mo
path-exclude=/usr/share/doc/*
path-include=/usr/share/doc/*/copyright
path-include=/usr/share/doc/*/changelog.Debian.*
"""

_UNTIL_2_11 = (
    *("build-essential", "curl", "libfreetype6-dev", "libhdf5-serial-dev", "libzmq3-dev"),
    *("pkg-config", "software-properties-common", "unzip", "python3", "python3-pip"),
    *("python3-dev", "python3-setuptools", "python3-wheel"),  # python3-pip recommends them
)
PYTHON = {"bionic": ("3.6", "manylinux2014"), "jammy": ("3.11", "manylinux_2_35")}
"""The Python of the official images, and the wheels that Ubuntu's glibc can load."""

UBUNTU_PACKAGES = {
    "bionic": _UNTIL_2_11,
    "focal": _UNTIL_2_11,
    "jammy": (
        *("build-essential", "curl", "pkg-config", "software-properties-common", "unzip"),
        *("python3.11", "python3.11-venv"),
    ),
}
"""What the Dockerfiles of the official images install from Ubuntu's archive.

From gpu.Dockerfile in tensorflow/tools/dockerfiles of tensorflow/tensorflow (bionic:
4d90d584; focal: its successors up to 2.11), and gpu.packages.txt and setup.python.sh in
tensorflow_runtime_dockerfiles of tensorflow/build (jammy, where Python 3.11 comes from
another archive than here).
"""

# What NVIDIA's larger images put before the command.
NVIDIA_ENTRYPOINT = """#!/bin/bash
echo "=========="
echo "== CUDA =="
echo "=========="
exec "$@"
"""


@dataclass(frozen=True)
class Base:
    """One stand-in image."""

    tag: str
    """Image reference to create, such as `tensorflow/tensorflow:1.15.5-gpu`."""

    codename: str
    """Ubuntu release, a key of `UBUNTU`."""

    packages: Mapping[str, str | None] = field(default_factory=dict)
    """CUDA apt packages: name to version, None for `made_up_version(name)`."""

    cuda: bool = True
    """Whether it is dressed up as TensorFlow's; else it is as Ubuntu's own image."""

    env: Mapping[str, str] = field(default_factory=dict)
    """Environment on top of `official_env`."""

    users: tuple[tuple[str, int, int], ...] | None = None
    """Users to create as (name, UID, GID). None: as Ubuntu's image has them."""

    entrypoint: str | None = None
    """Text of an entrypoint script, such as `NVIDIA_ENTRYPOINT`."""

    bashrc: str | None = None
    """Text of /etc/bash.bashrc. None: TensorFlow's of that time; empty: Ubuntu's own."""

    docker_apt: bool = True
    """Whether apt and dpkg are set as in Ubuntu's image: no downloaded package kept, lists
    compressed, no manuals."""

    nvidia_lists: bool = True
    """Whether apt has NVIDIA's repositories among its sources."""

    ubuntu_lists: bool = True
    """Whether apt has Ubuntu's archive among its sources."""

    newer_candidates: bool = False
    """Whether a repository inside the image offers a newer version of every CUDA package."""

    extra: tuple[str, ...] = ()
    """More packages from Ubuntu's archive."""

    wheels: tuple[str, ...] = ()
    """What pip installs for its Python, such as `tensorflow==2.17.0`."""


def rootfs(codename: str) -> Path:
    """The tar archive of a minimal Ubuntu or Debian, made when the cache has none.

    Takes about 20 seconds and 100 MB. Raises `RuntimeError` with the end of
    mmdebstrap's output when that fails, `KeyError` for an unknown codename.
    """
    recipe = _mmdebstrap_options(codename)
    target = _cache_dir() / f"{codename}-{_digest(recipe)}.tar"
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process of the tests may be making it
        if target.exists():
            return target
        with tempfile.TemporaryDirectory(dir=target.parent) as work:
            unfinished = Path(work) / target.name
            _run("mmdebstrap", "--quiet", *recipe, codename, str(unfinished))
            unfinished.replace(target)
    return target


def build(base: Base) -> str:
    """Create the image unless it is there already; return its tag.

    Raises `RuntimeError` when the tag belongs to an image that is no stand-in.
    """
    digest = _digest([repr(base), Path(__file__).read_text()])
    labels = _labels(base.tag)
    if labels is not None and STAND_IN_LABEL not in labels:
        raise RuntimeError(f"{base.tag} exists and is no stand-in: remove it to test with one")
    if labels is None or labels.get(DIGEST_LABEL) != digest:
        with tempfile.TemporaryDirectory() as context:
            _write_context(Path(context), base, digest)
            _run(
                "docker",
                "build",
                "--quiet",
                *_proxies(),
                "--tag",
                base.tag,
                context,
                DOCKER_BUILDKIT="1",
            )
        if base.wheels:
            _add_wheels(base)
    return base.tag


def _add_wheels(base: Base) -> None:
    """Add Python packages, without the build cache, which would keep 2 GB each time."""
    version, platform = PYTHON[base.codename]
    python = f"python{version}"
    container = f"copier-tensorflow-host-wheels-{os.getpid()}"
    with tempfile.TemporaryDirectory() as folder:
        _run("uv", "pip", "install", "--quiet", f"--target={folder}/dist-packages", *base.wheels,
             f"--python-version={version}", f"--python-platform=x86_64-{platform}")  # fmt: skip
        link = ["ln", "--symbolic", "--force", python, "/usr/bin/python3"]
        _run("docker", "run", f"--name={container}", base.tag, *link)
        try:
            _run("docker", "cp", f"{folder}/dist-packages", f"{container}:/usr/local/lib/{python}")
            _run("docker", "commit", '--change=CMD ["/bin/bash"]', container, base.tag)
        finally:
            _run("docker", "rm", container)


def official_env(codename: str, cuda_version: str) -> dict[str, str]:
    """Environment of the official images.

    From public layer histories of 2.4.0-gpu (18.04) and 2.9.1-gpu (20.04) and
    tensorflow/build's gpu.Dockerfile (22.04).
    """
    cuda = ".".join(cuda_version.split(".")[:2])
    env = {
        "PATH": "/usr/local/nvidia/bin:/usr/local/cuda/bin"
        ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LD_LIBRARY_PATH": "/usr/local/cuda/extras/CUPTI/lib64:/usr/local/cuda/lib64"
        ":/usr/local/nvidia/lib:/usr/local/nvidia/lib64",
        "CUDA_VERSION": cuda_version,
        "NVIDIA_VISIBLE_DEVICES": "all",
        "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
        "NVIDIA_REQUIRE_CUDA": f"cuda>={cuda} brand=tesla,driver>=418,driver<419",
        "LANG": "C.UTF-8",
    }
    if codename not in ("xenial", "bionic"):
        env["DEBIAN_FRONTEND"] = "noninteractive"
    return env


def made_up_version(name: str) -> str:
    """A version for a package whose real one nobody recorded: cuda-nvrtc-11-2 gets 11.2.0-1."""
    release = re.search(r"-(\d+)-(\d+)$", name)
    return f"{release[1]}.{release[2]}.0-1" if release else "1.0.0-1"


def newer_version(version: str) -> str:
    """The version one step up: 7.6.2.24-1+cuda10.0 becomes 7.6.2.25-1+cuda10.0."""
    upstream, dash, revision = version.rpartition("-")
    if not dash:
        upstream, revision = version, ""
    return (
        re.sub(r"\d+(?=\D*$)", lambda number: str(int(number[0]) + 1), upstream) + dash + revision
    )


def _cache_dir() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "copier-tensorflow-host"


def _digest(parts: list[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _run(*command: str, **env: str) -> str:
    """Run a command with `env` added to the environment; return its output."""
    done = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True)
    if done.returncode != 0:
        output = (done.stdout + done.stderr)[-4000:]
        raise RuntimeError(f"{shlex.join(command)} failed with status {done.returncode}:\n{output}")
    return done.stdout


def _labels(image: str) -> dict[str, str] | None:
    """Labels of an image, None when there is no such image."""
    show = "{{range $name, $value := .Config.Labels}}{{$name}}={{println $value}}{{end}}"
    done = subprocess.run(
        ["docker", "image", "inspect", "--format", show, image], capture_output=True, text=True
    )
    if done.returncode != 0:
        return None
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


def _proxies() -> list[str]:
    """Hand the proxy of this machine to the build; Docker keeps it out of the image."""
    names = ("http_proxy", "https_proxy", "no_proxy")
    found = {name for lower in names for name in (lower, lower.upper()) if os.environ.get(name)}
    return [option for name in sorted(found) for option in ("--build-arg", name)]


def _mmdebstrap_options(codename: str) -> list[str]:
    include = ["apt", "ca-certificates", "curl"]
    options = []
    if codename == "xenial":
        # its apt needs a package of its own for https, and its systemd cannot
        # be set up before PAM is
        include.append("apt-transport-https")
        options.append('--extract-hook=chroot "$1" pam-auth-update --package --force')
    if codename == "sid":  # its lists expire after a week, and a mirror may be behind
        options.append('--aptopt=Acquire::Check-Valid-Until "false"')
    if codename in DEBIAN:
        return ["--variant=minbase", f"--include={','.join(include)}", *options]
    assert codename in UBUNTU, f"no Ubuntu release {codename!r} among {', '.join(UBUNTU)}"
    return [
        "--variant=minbase",
        f"--include={','.join(include)}",
        "--components=main,restricted,universe",
        # Debian does not ship Ubuntu's keys. mmdebstrap leaves these two
        # options behind in the image: there, signatures are checked.
        '--aptopt=Acquire::AllowInsecureRepositories "true"',
        '--aptopt=APT::Get::AllowUnauthenticated "true"',
        '--customize-hook=rm "$1/etc/apt/apt.conf.d/99mmdebstrap"',
        *options,
    ]


def rootfs_image(codename: str) -> str:
    """The same as an image; return its name."""
    archive = rootfs(codename)
    image = f"copier-tensorflow-host/rootfs:{archive.stem}"
    if _labels(image) is None:
        _run("docker", "import", str(archive), image)
    return image


def _write_context(context: Path, base: Base, digest: str) -> None:
    """Fill a build context: files/ to copy to /, packages to install, a script that does both."""
    for name, text in _files(base).items():
        path = context / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    versions = {name: version or made_up_version(name) for name, version in base.packages.items()}
    _make_packages(context / "packages", versions)
    if base.newer_candidates:
        newer = {name: newer_version(version) for name, version in versions.items()}
        needs = ", ".join(f"{name} (>= {version})" for name, version in newer.items())
        folder = context / "files/opt/newer-candidates"
        _make_packages(folder, newer)
        _make_packages(folder, {NEEDS_NEWER: "1.0"}, f"Depends: {needs}\n" if needs else "")
        _make_index(folder)
    (context / "setup").write_text(_setup_script(base))
    (context / "Dockerfile").write_text(_dockerfile(base, digest))


def _dockerfile(base: Base, digest: str) -> str:
    cuda_version = base.env.get("CUDA_VERSION", CUDA_VERSION[base.codename])
    env = {**(official_env(base.codename, cuda_version) if base.cuda else {}), **base.env}
    labels = {
        STAND_IN_LABEL: "empty packages under the names of CUDA's, for tests only",
        DIGEST_LABEL: digest,
    }
    lines = [
        f"FROM {rootfs_image(base.codename)}",
        "RUN --mount=type=bind,target=/mnt sh -eu /mnt/setup",
        *(f"ENV {name}={_quoted(value)}" for name, value in env.items()),
        *(f"LABEL {name}={_quoted(value)}" for name, value in labels.items()),
        'SHELL ["/bin/bash", "-c"]',
    ]
    if base.entrypoint is not None:
        lines.append('ENTRYPOINT ["/opt/nvidia/nvidia_entrypoint.sh"]')
    lines.append('CMD ["/bin/bash"]')
    return "\n".join(lines) + "\n"


def _quoted(value: str) -> str:
    """A value as ENV and LABEL read it back unchanged."""
    return '"' + re.sub(r'(["\\$])', r"\\\1", value) + '"'


def _setup_script(base: Base) -> str:
    users = base.users
    if users is None:
        users = (("ubuntu", 1000, 1000),) if base.codename == "noble" else ()
    steps = [
        "cp -r /mnt/files/. /",
        "chmod a+x /usr/sbin/policy-rc.d",
        "touch /var/lib/dpkg/available",
    ]
    if base.extra:
        # before NVIDIA's sources are there
        steps.insert(
            0,
            "apt-get update && DEBIAN_FRONTEND=noninteractive "
            "apt-get install -y --no-install-recommends "
            f"{shlex.join(base.extra)} && apt-get clean && rm -rf /var/lib/apt/lists/*",
        )
    if base.packages:
        steps.append("dpkg --install /mnt/packages/*.deb")
    if base.cuda and base.bashrc != "":
        steps.append("chmod a+rwx /etc/bash.bashrc")
    if base.entrypoint is not None:
        steps.append("chmod a+x /opt/nvidia/nvidia_entrypoint.sh")
    for name, uid, gid in users:
        steps.append(f"groupadd --non-unique --gid {gid} {name}")
        steps.append(
            f"useradd --no-log-init --create-home --shell /bin/bash --uid {uid} --gid {gid} {name}"
        )
    if not base.ubuntu_lists:
        steps.append("rm -f /etc/apt/sources.list /etc/apt/sources.list.d/ubuntu.sources")
    return "\n".join(steps) + "\n"


def _files(base: Base) -> dict[str, str]:
    """Files of the image: path without the leading slash to content."""
    apt = "etc/apt/apt.conf.d"
    files = {
        "usr/sbin/policy-rc.d": "#!/bin/sh\nexit 101\n",
        "etc/dpkg/dpkg.cfg.d/docker-apt-speedup": "force-unsafe-io\n",
    }
    if base.cuda:
        files["etc/ld.so.conf.d/nvidia.conf"] = "/usr/local/nvidia/lib\n/usr/local/nvidia/lib64\n"
    if not base.ubuntu_lists:
        # what needs no package from Ubuntu must build without one
        files["usr/share/zoneinfo/UTC"] = "a stand-in for time zones"
    if base.docker_apt:
        cached = "archives/*.deb archives/partial/*.deb *.bin".split()
        clean = f"rm -f {' '.join(f'/var/cache/apt/{name}' for name in cached)} || true"
        files[f"{apt}/docker-autoremove-suggests"] = 'Apt::AutoRemove::SuggestsImportant "false";\n'
        files[f"{apt}/docker-gzip-indexes"] = 'Acquire::GzipIndexes "true";\n'
        files[f"{apt}/docker-no-languages"] = 'Acquire::Languages "none";\n'
        files[f"{apt}/docker-clean"] = (
            f'DPkg::Post-Invoke {{ "{clean}"; }};\n'
            f'APT::Update::Post-Invoke {{ "{clean}"; }};\n'
            'Dir::Cache::pkgcache "";\nDir::Cache::srcpkgcache "";\n'
        )
        if base.codename != "xenial":
            files["etc/dpkg/dpkg.cfg.d/excludes"] = MINIMIZED
    if base.cuda and base.nvidia_lists:
        files.update(
            {
                f"etc/apt/sources.list.d/{name}": text
                for name, text in _nvidia_lists(base.codename).items()
            }
        )
    if base.codename == "noble":
        files["etc/apt/sources.list"] = "# See /etc/apt/sources.list.d/ubuntu.sources\n"
        files["etc/apt/sources.list.d/ubuntu.sources"] = _deb822_sources(base.codename)
    if base.newer_candidates:
        files["etc/apt/sources.list.d/newer-candidates.list"] = (
            "deb [trusted=yes] file:/opt/newer-candidates ./\n"
        )
    if base.entrypoint is not None:
        files["opt/nvidia/nvidia_entrypoint.sh"] = base.entrypoint
    bashrc = base.bashrc
    if bashrc is None and base.cuda:
        bashrc = BASHRC_UNGUARDED if base.codename in ("xenial", "bionic") else BASHRC_GUARDED
    if bashrc:
        files["etc/bash.bashrc"] = bashrc
    return files


def _nvidia_lists(codename: str) -> dict[str, str]:
    """NVIDIA's apt sources as each generation of official images has them."""
    repositories = "https://developer.download.nvidia.com/compute"
    release = UBUNTU[codename].replace(".", "")
    cuda = f"{repositories}/cuda/repos/ubuntu{release}/x86_64"
    if codename in ("xenial", "bionic"):
        machine_learning = f"{repositories}/machine-learning/repos/ubuntu{release}/x86_64"
        return {"cuda.list": f"deb {cuda} /\n", "nvidia-ml.list": f"deb {machine_learning} /\n"}
    machine_learning = f"{repositories}/machine-learning/repos/ubuntu1804/x86_64"
    if codename == "focal":
        return {"cuda.list": f"deb {cuda} /\n", "tensorRT.list": f"deb {machine_learning} /\n"}
    keyring = "/usr/share/keyrings/cuda-archive-keyring.gpg"
    return {
        f"cuda-ubuntu{release}-x86_64.list": f"deb [signed-by={keyring}] {cuda}/ /\n",
        "custom.list": f"deb {machine_learning} /\n",
    }


def _deb822_sources(codename: str) -> str:
    """The one-line sources of a root file system in the newer form, a paragraph per archive."""
    with tarfile.open(rootfs(codename)) as archive:
        member = archive.extractfile("./etc/apt/sources.list")
        assert member is not None
        lines = member.read().decode().splitlines()
    suites: dict[tuple[str, str], list[str]] = {}
    for line in lines:
        _, uri, suite, components = line.split(maxsplit=3)
        suites.setdefault((uri, components), []).append(suite)
    return "\n".join(
        f"Types: deb\nURIs: {uri}/\nSuites: {' '.join(names)}\nComponents: {components}\n"
        "Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg\n"
        for (uri, components), names in suites.items()
    )


def _make_packages(folder: Path, versions: Mapping[str, str], relations: str = "") -> None:
    """Build an empty package per name and version into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, version in versions.items():
        with tempfile.TemporaryDirectory() as tree:
            control = Path(tree) / "DEBIAN/control"
            control.parent.mkdir(mode=0o755)
            control.write_text(
                f"Package: {name}\nVersion: {version}\nArchitecture: amd64\nSection: devel\n"
                f"{relations}"
                "Maintainer: copier-tensorflow-host tests <tests@example.invalid>\n"
                "Description: stand-in for NVIDIA's package of this name\n"
                " Empty: it lets tests see what apt does with the name and the version.\n"
            )
            Path(tree).chmod(0o755)
            _run("dpkg-deb", "--root-owner-group", "-Zgzip", "--build", tree, str(folder))


def _make_index(folder: Path) -> None:
    """Make an apt repository of the packages in `folder`."""
    with (folder / "Packages").open("w") as index:
        subprocess.run(
            ["dpkg-scanpackages", "."],
            cwd=folder,
            stdout=index,
            stderr=subprocess.DEVNULL,
            check=True,
        )


if __name__ == "__main__":
    for wanted in sys.argv[1:]:
        print(rootfs(wanted))
