"""What is refused, with the sentence that says why and what to do; and what is accepted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extensions import catalogue, machine, mirrors, questions
from extensions.reading import shown
from tests.answers import error

OTHERS: dict[str, Any] = {
    "tf_versions": ["1.15.5", "2.17.0"],
    "driver": "",
    "gpus": [],
    "host_home": "/home/ai",
    "conda_path": "/home/ai/miniconda3",
    "uid": 1000,
    "project_path": "/home/ai/tensorflow_volume",
}

NO_HOST = (
    "is not valid for a Compose project and ssh aliases; use up to 40 lower-case letters, digits "
    "and single hyphens, such as gpu01"
)
NO_PATH = "is not absolute; write the full path, such as /home/ai"
BAD_PATH = "use a path without : $ # \" ' ` \\"
SYSTEM_PATH = (
    "would hide a system directory of the containers; use a path such as /home/ai or /data/ai"
)
NO_USER = (
    "is not a user name that useradd accepts; use up to 32 lower-case letters, digits, - and _, "
    "beginning with a letter or _"
)
SECRET = (
    "the URL contains a user name or password, which would be committed to git; give one without"
)
NO_PACKAGE = (
    "is not the name of an apt package; use lower-case letters, digits, + - and ., such as "
    "net-tools"
)
CONTROL = "contains a control character; remove it"
ROOTS = "is root's UID; use that of the ordinary user who owns the home, as 'id -u' prints it"
NOBODYS = (
    "is reserved; use a number from 1 to 4294967294 other than 65534 and 65535, as 'id -u' "
    "prints it"
)
NO_REGISTRY = (
    "is not a prefix of image names; write host, port and path without https:// and without a "
    "trailing slash, such as registry.example.com:5000/hub"
)
NO_ADDRESS = (
    "is not an IP address; use 0.0.0.0 for all, 127.0.0.1 for this server alone, or one of its own"
)
NO_PEOPLE = (
    "is not a map of people; write it as {alice: {uid: 1001}, bob: {uid: 1002, home: /data/bob}}, "
    "or {} for none"
)
NO_SERVER = (
    "is not the name or address of a server; write it as laptops reach it, such as "
    "gpu01.example.com"
)
NO_GPU = (
    "does not name a GPU; use all, or indexes or UUIDs as nvidia-smi -L prints them, such as 0,1"
)
NO_DRIVER = (
    "is not a driver version; write it as nvidia-smi prints it, such as 550.54.15, or leave it "
    "empty"
)
NO_HOSTS = (
    "is not a list of hosts; write them with commas and no spaces, such as "
    "localhost,.example.com,10.0.0.0/8"
)
NO_VERSIONS = "is not a list of versions; choose at least one, such as ['2.17.0']"

NO_TEXT = "is neither text nor a number; put it in quotes"
NO_DIGESTS = (
    "is not a map of image to digest; write it as {tensorflow/tensorflow:2.17.0-gpu: "
    "sha256:4f3c...}, or {}"
)
DIGEST = f"sha256:{'5' * 64}"

REFUSED: list[tuple[str, Any, str]] = [
    ("host", "GPU 01", f"'GPU 01' {NO_HOST}"),
    ("host", "", f"'' {NO_HOST}"),
    ("host", "gpu_01", f"'gpu_01' {NO_HOST}"),
    ("host", "a\x1b[31m", rf"'a\x1b[31m' {CONTROL}"),
    ("host", "0", "'0' is an IP address to ssh; add letters, as in gpu01"),
    ("host", "0x1f", "'0x1f' is an IP address to ssh; add letters, as in gpu01"),
    ("tf_versions", [], f"'[]' {NO_VERSIONS}"),
    ("tf_versions", "2.17.0", f"'2.17.0' {NO_VERSIONS}"),
    (
        "tf_versions",
        ["2.15"],
        "'2.15' is a minor version; choose one of 2.15.0, 2.15.0.post1, 2.15.1",
    ),
    (
        "tf_versions",
        ["2.l7.0"],
        "'2.l7.0' is not in the catalogue; choose one of 2.7.0, 2.17.0, 2.9.0",
    ),
    (
        "tf_versions",
        ["2.15", "1.15.5", "1.13.9"],
        "'2.15' is a minor version; choose one of 2.15.0, 2.15.0.post1, 2.15.1; "
        "'1.13.9' is not in the catalogue; choose one of 1.13.1, 1.13.2",
    ),
    (
        "tf_versions",
        [2.1, "2.17.0"],
        "'2.1' was read as a number; quote each version, as in '2.10.1'",
    ),
    ("driver", "newest", f"'newest' {NO_DRIVER}"),
    ("driver", 550.54, "'550.54' was read as a number; quote it, as in '550.54.15'"),
    (
        "driver",
        "450.80.02",
        "'450.80.02' does not suffice for TensorFlow 2.17.0, which needs 525.60.13 or newer; "
        "upgrade the driver, or leave that version out",
    ),
    ("gpus", "ampere", "'ampere' is not a list; write it as [ampere, ada], or [] for not checked"),
    (
        "gpus",
        ["maxwell"],
        "'maxwell' is not a known GPU generation; choose from pascal, volta, turing, ampere, ada, "
        "hopper and blackwell",
    ),
    (
        "gpus",
        ["ada", "hopper"],
        "TensorFlow 1.15.5 does not run on ada and hopper (CUDA 10 has no code for Ampere and "
        "newer); choose 1.15.5-nv23.03 or another that does",
    ),
    ("uid", 0, f"'0' {ROOTS}"),
    ("uid", "-1", "'-1' is not a UID; use the number 'id -u' prints"),
    ("uid", "ai", "'ai' is not a UID; use the number 'id -u' prints"),
    ("uid", True, "'True' is not a UID; use the number 'id -u' prints"),
    ("uid", 65534, f"'65534' {NOBODYS}"),
    ("uid", 2**32 - 1, f"'4294967295' {NOBODYS}"),
    ("gid", 0, f"'0' {ROOTS.replace('UID', 'GID').replace('id -u', 'id -g')}"),
    ("gid", "1e3", "'1e3' is not a GID; use the number 'id -g' prints"),
    ("host_home", "home/ai", f"'home/ai' {NO_PATH}"),
    ("host_home", "~ai", f"'~ai' {NO_PATH}"),
    ("host_home", "/home/a:b", f"'/home/a:b' contains :; {BAD_PATH}"),
    ("host_home", "/home/$USER", f"'/home/$USER' contains $; {BAD_PATH}"),
    ("host_home", "/home/\"a'", f"'/home/\"a'' contains \" '; {BAD_PATH}"),
    ("host_home", "/home/a\nb", rf"'/home/a\nb' {CONTROL}"),
    ("host_home", "/home/ai/", "'/home/ai/' is not normalized; write '/home/ai'"),
    ("host_home", "/home/../etc", "'/home/../etc' is not normalized; write '/etc'"),
    ("host_home", "//home", "'//home' is not normalized; write '/home'"),
    ("host_home", "/home/ai ", "'/home/ai ' is not normalized; write '/home/ai'"),
    ("host_home", "/", f"'/' {SYSTEM_PATH}"),
    ("host_home", "/usr", f"'/usr' {SYSTEM_PATH}"),
    ("host_home", "/etc/ssh", f"'/etc/ssh' {SYSTEM_PATH}"),
    ("host_home", "/AI", f"'/AI' {SYSTEM_PATH}"),
    ("host_home", "/data/ai#1", f"'/data/ai#1' contains #; {BAD_PATH}"),
    *(
        ("conda_path", path, f"'{path}' {SYSTEM_PATH}")
        for path in ("/usr/local/bin", "/usr/local/cuda-10.0", "/opt/nvidia", "/var/lib/dpkg")
    ),
    (
        "host_home",
        "/" + "x" * 1000,
        f"'/{'x' * 59}…' is longer than 1000 characters; use a shorter path",
    ),
    ("conda_path", "miniconda3", f"'miniconda3' {NO_PATH}"),
    ("conda_path", "/usr/lib/conda", f"'/usr/lib/conda' {SYSTEM_PATH}"),
    (
        "conda_path",
        "/home/ai",
        "'/home/ai' would make the read-only home /home/ai writable; give the directory of conda "
        "itself, such as /home/ai/miniconda3",
    ),
    ("conda_path", "/home", f"'/home' {SYSTEM_PATH}"),
    (
        "project_path",
        "/var",
        "'/var' is a system directory of the server, which would be writable in the containers; "
        "use a path such as /data/ai",
    ),
    (
        "project_path",
        "/home/ai",
        "'/home/ai' would make host_home /home/ai writable under /AI; give a directory of its own, "
        "such as /home/ai/tensorflow_volume",
    ),
    (
        "project_path",
        "/home/ai/miniconda3",
        "'/home/ai/miniconda3' would make conda_path /home/ai/miniconda3 writable under /AI; give "
        "a directory of its own, such as /home/ai/tensorflow_volume",
    ),
    (
        "ports",
        "11522",
        "'11522' is not a map of version to port; write it as {1.15.5: 11522, 2.17.0: 21722}",
    ),
    (
        "ports",
        "{1.15.5: [",
        "'{1.15.5: [' is not a map of version to port; write it as {1.15.5: 11522, 2.17.0: 21722}",
    ),
    (
        "ports",
        {"1.15.5": 80, "2.17.0": 21722},
        "'80' for 1.15.5 is not a port from 1024 to 65535; use one such as 11522",
    ),
    (
        "ports",
        {"1.15.5": 21722, "2.17.0": 22},
        "'22' for 2.17.0 is not a port from 1024 to 65535; use one such as 21723",
    ),
    (
        "ports",
        {"1.15.5": 65536, "2.17.0": 21722},
        "'65536' for 1.15.5 is not a port from 1024 to 65535; use one such as 11522",
    ),
    (
        "ports",
        {"1.15.5": "²", "2.17.0": 21722},
        "'²' for 1.15.5 is not a port from 1024 to 65535; use one such as 11522",
    ),
    (
        "ports",
        {"1.15.5": 10022, "2.17.0": 10022},
        "'10022' is given to 1.15.5 and 2.17.0; give each its own",
    ),
    (
        "ports",
        {"1.15.5": 10022},
        "'{1.15.5: 10022}' has no port for 2.17.0; add one, as in {1.15.5: 10022, 2.17.0: 21722}",
    ),
    (
        "ports",
        {"1.15.5": 11522, "2.17.0": 21722, "1.1null5": 22},
        "'1.1null5' is not a version; write it as in {2.17.0: 21722}",
    ),
    (
        "ports",
        {"1.15.5": 11522, "TensorFlow 2.17.0": 21722},
        "'TensorFlow 2.17.0' is not a version; write it as in {2.17.0: 21722}",
    ),
    (
        "mirror",
        "alyun",
        f"'alyun' is not a known mirror; use none, {', '.join(mirrors.known())}, the base URL "
        "of one or a map",
    ),
    (
        "mirror",
        "ftp://mirror.example.com",
        "'ftp://mirror.example.com' is not a valid URL; write it as https://mirror.example.com",
    ),
    ("mirror", "https://me:pw@mirror.example.com", f"{SECRET}, such as https://mirror.example.com"),
    ("ssh", "maybe", "'maybe' is not a boolean; answer true or false"),
    ("advanced", "maybe", "'maybe' is not a boolean; answer true or false"),
    ("user", "Ai", f"'Ai' {NO_USER}"),
    ("user", "ai;id", f"'ai;id' {NO_USER}"),
    ("user", "x" * 33, f"'{'x' * 33}' {NO_USER}"),
    ("user", "root", "'root' is a system account of the images; use another name, such as ai"),
    ("sudo", "maybe", "'maybe' is not a boolean; answer true or false"),
    ("port_offset", -1, "'-1' is not an offset; use a number from 0 to 999, such as 10"),
    ("port_offset", 1000, "'1000' is not an offset; use a number from 0 to 999, such as 10"),
    ("people", "alice", f"'alice' {NO_PEOPLE}"),
    ("people", {"alice": 1001}, "'alice': '1001' is not a map; write it as {uid: 1001}"),
    (
        "people",
        {"alice": {"id": 1}},
        "'alice': 'id' is not a part of a person; use uid, gid, home or project",
    ),
    ("people", {"alice": {"uid": 0}}, f"'alice': '0' {ROOTS.replace('id -u', 'id -u alice')}"),
    ("people", {"a\0": {}}, rf"'a\x00': 'a\x00' {CONTROL}"),
    ("people", {"a": {"uid": 65534}}, f"'a': '65534' {NOBODYS.replace('-u', '-u a')}"),
    ("people", {"a": {"uid": 5, "gid": 65535}}, f"'a': '65535' {NOBODYS.replace('-u', '-g a')}"),
    ("people", {"alice": {"uid": 5, "home": "al"}}, f"'alice': 'al' {NO_PATH}"),
    (
        "people",
        {"root": {"uid": 5}},
        "'root': 'root' is a system account of the images; use another name, such as ai",
    ),
    ("people", {"al": {"uid": 1000}}, "ai and al both have '1000'; give each their own"),
    ("people", {"a": {"uid": 5}, "b": {"uid": 5}}, "a and b both have '5'; give each their own"),
    (
        "people",
        {"a": {"uid": 5}, "b": {"uid": 6, "project": "/home/a/tensorflow_volume/b"}},
        "'/home/a/tensorflow_volume/b' of b and '/home/a/tensorflow_volume' of a overlap; "
        "give each a directory of their own",
    ),
    (
        "people",
        {"a": {"uid": 5, "project": "/home/a"}},
        "'a': '/home/a' would make home /home/a writable under /AI; give a directory of its own, "
        "such as /home/a/tensorflow_volume",
    ),
    ("address", "[fd00::1]", f"'[fd00::1]' {NO_SERVER}"),
    ("address", "https://gpu01", f"'https://gpu01' {NO_SERVER}"),
    ("bind_address", "gpu01", f"'gpu01' {NO_ADDRESS}"),
    ("bind_address", "10.0.0.256", f"'10.0.0.256' {NO_ADDRESS}"),
    ("bind_address", "fe80::1%eth0", f"'fe80::1%eth0' {NO_ADDRESS}"),
    ("gpu_devices", "first", f"'first' {NO_GPU}"),
    ("gpu_devices", "", f"'' {NO_GPU}"),
    ("gpu_devices", "0,0", "'0,0' names a GPU twice; name each once"),
    ("gpu_devices", {}, "'{}' names no GPU; use all, or a map such as {alice: '0,1'}"),
    ("gpu_devices", {"2.17.0": "first"}, f"'2.17.0': 'first' {NO_GPU}"),
    ("gpu_devices", "{2.17.0: 0,1}", "'1' has no GPU; quote a list, as in {alice: '0,1'}"),
    (
        "gpu_devices",
        {"alice": "0"},
        "'alice' is neither a person nor a version; choose from ai, 1.15.5 and 2.17.0",
    ),
    ("packages", "vim", "'vim' is not a list; write it as [vim, net-tools], or [] for none"),
    ("packages", "[vim", "'[vim' is not a list; write it as [vim, net-tools], or [] for none"),
    ("packages", ["vim; rm -rf /"], f"'vim; rm -rf /' {NO_PACKAGE}"),
    ("packages", ["vim-"], f"'vim-' {NO_PACKAGE}"),
    ("packages", ["--yes"], f"'--yes' {NO_PACKAGE}"),
    ("packages", [7], f"'7' {NO_PACKAGE}"),
    (
        "packages",
        ["libcudnn8"],
        "'libcudnn8' is a CUDA package, and those are held at the versions of the image; "
        "leave it out",
    ),
    (
        "packages",
        ["nvidia-cuda-toolkit"],
        "'nvidia-cuda-toolkit' is a CUDA package, and those are held at the versions of the image; "
        "leave it out",
    ),
    ("registry", "https://registry.example.com", f"'https://registry.example.com' {NO_REGISTRY}"),
    ("registry", "registry.example.com/", f"'registry.example.com/' {NO_REGISTRY}"),
    (
        "registry",
        "harbor/hub",
        "'harbor/hub' would be a part of Docker Hub, since its host has neither dot nor port; "
        "write its full name, such as registry.example.com/hub, or registry:443/hub",
    ),
    ("registry", "my_lab:5000", f"'my_lab:5000' {NO_REGISTRY}"),
    ("registry", "my_lab.example.com/hub", f"'my_lab.example.com/hub' {NO_REGISTRY}"),
    ("registry", "localhost:99999", f"'localhost:99999' {NO_REGISTRY}"),
    (
        "image_registry",
        "x" * 201,
        f"'{'x' * 60}…' is too long for an image; use at most 200 characters",
    ),
    *(
        (
            "nfs_server",
            server,
            f"{shown(server)} is not the name or address of an NFS server; give it as the nodes "
            "know it, such as nas.example.com, or answer storage with hostPath",
        )
        for server in ("nas:/home", "[::::]", "x" * 64, "x." * 127 + "x")
    ),
    (
        "proxy",
        "proxy.example.com:3128",
        "'proxy.example.com:3128' is not a valid URL; write it as http://proxy.example.com:3128",
    ),
    *(
        (
            "proxy",
            url,
            f"'{url}' is not a valid URL; write it as http://proxy.example.com:3128",
        )
        for url in ("http://a..b:3128", "http://proxy:99999", "http://proxy:0", "http://[::::]:1")
    ),
    *(
        (
            question,
            f"http://{host}:7890",
            f"'http://{host}:7890' is a loopback address, which leads a container to itself; let "
            "that server listen on the LAN address of its host or on Docker's bridge, and answer "
            "with that address, such as http://192.168.1.10:7890 or http://172.17.0.1:7890",
        )
        for question in ("proxy", "mirror")
        for host in ("127.0.0.1", "localhost", "[::1]", "0.0.0.0", "proxy.localhost")
    ),
    (
        "mirror",
        {"apt": "tuna", "npm": "https://mirror.example.com/npm"},
        "'npm' is not a part of a mirror; use apt, pip, conda, docker, nvidia or miniforge",
    ),
    (
        "mirror",
        "{miniforge: tuna}",
        "tuna has no miniforge; give the URL of a server that has it",
    ),
    (
        "mirror",
        {"apt": "none"},
        f"'none' is not a known mirror for apt; use {', '.join(mirrors.known())} or a URL",
    ),
    (
        "mirror",
        {"pip": "ftp://nexus.example.com"},
        "'ftp://nexus.example.com' is not a valid URL; write it as "
        "{pip: https://mirror.example.com/pip}",
    ),
    (
        "registry",
        {"Docker Hub": "m.daocloud.io/docker.io"},
        "'Docker Hub' is not a registry; write it as "
        "{docker.io: m.daocloud.io/docker.io, nvcr.io: m.daocloud.io/nvcr.io}",
    ),
    (
        "registry",
        {"docker.io/library": "m.daocloud.io/docker.io"},
        "'docker.io/library' is not a registry; write it as "
        "{docker.io: m.daocloud.io/docker.io, nvcr.io: m.daocloud.io/nvcr.io}",
    ),
    (
        "registry",
        "{nvcr.io: }",
        "nvcr.io has no prefix; write it as "
        "{docker.io: m.daocloud.io/docker.io, nvcr.io: m.daocloud.io/nvcr.io}",
    ),
    (
        "registry",
        {"docker.io": "https://registry.example.com"},
        f"'https://registry.example.com' {NO_REGISTRY}",
    ),
    ("subnet", "10.0.0", "'10.0.0' is not an IPv4 network; write it as 10.213.0.0/24"),
    ("subnet", "fd00::/64", "'fd00::/64' is not an IPv4 network; write it as 10.213.0.0/24"),
    (
        "subnet",
        "10.1.2.3/24",
        "'10.1.2.3/24' is not the start of a network; write 10.1.2.0/24",
    ),
    (
        "subnet",
        "8.8.8.0/24",
        "'8.8.8.0/24' is not a private network; choose one that your network does not use in "
        "10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16",
    ),
    (
        "subnet",
        "10.0.0.0/8",
        "'10.0.0.0/8' has the wrong size; choose a prefix from /16 to /28, such as 10.0.0.0/24",
    ),
    ("digests", "sha256", f"'sha256' {NO_DIGESTS}"),
    ("digests", [], f"'[]' {NO_DIGESTS}"),
    (
        "digests",
        {"tensorflow:2.17.0-gpu": DIGEST},
        "'tensorflow:2.17.0-gpu' is not a base image of the catalogue; write it as in "
        "tensorflow/tensorflow:2.17.0-gpu",
    ),
    (
        "digests",
        {"tensorflow/tensorflow:2.17.0-gpu": "5" * 64},
        f"'{'5' * 60}…' is not a digest of tensorflow/tensorflow:2.17.0-gpu; write sha256: and 64 "
        "digits, as 'docker buildx imagetools inspect tensorflow/tensorflow:2.17.0-gpu' prints it",
    ),
    ("proxy", "http://me:pw@proxy:3128", f"{SECRET}, such as http://proxy.example.com:3128"),
    ("no_proxy", "localhost, .example.com", f"'localhost, .example.com' {NO_HOSTS}"),
    ("no_proxy", None, "has no value; write '' for an empty one, or remove the line"),
    ("no_proxy", [1], "'[1]' is a list or a map; give one value"),
    ("uid", {}, "'{}' is a list or a map; give one value"),
    ("registry", date(2026, 11, 24), f"'2026-11-24' {NO_TEXT}"),
    ("language", "fr", "'fr' is not a supported language; choose en or zh"),
]

ACCEPTED: list[tuple[str, Any]] = [
    ("host", "gpu-01"),
    ("tf_versions", ["1.13.1", "2.21.0"]),
    ("driver", ""),
    ("driver", "535.54"),
    ("gpus", ["turing", "hopper"]),
    ("uid", "1000"),
    ("uid", 4294967294),
    ("gid", 100),
    ("host_home", "/data/my lab/a=i 100%"),
    ("host_home", "/usr/local/lab"),
    ("host_home", "/home/李"),
    ("conda_path", "/opt/miniforge3"),
    ("conda_path", "/usr/local/miniconda3"),
    ("project_path", "/AI"),
    ("project_path", "/data/projects"),
    ("ports", '{"1.15.5": 1024, "2.17.0": 65535}'),
    ("ports", {"1.15.5": 10022, "2.17.0": 20022, "2.99.0": 29922}),  # of another catalogue
    ("mirror", "none"),
    ("mirror", "tuna"),
    ("mirror", "http://10.1.2.3:8080/mirror"),
    ("mirror", {"apt": "tuna", "nvidia": "ustc", "pip": "https://nexus.example.com/pypi/simple"}),
    ("mirror", "{miniforge: https://artifactory.example.com/miniforge}"),
    ("ssh", "no"),
    ("user", "_lab-1"),
    ("bind_address", "::1"),
    ("people", {}),
    ("people", "{alice: {uid: 1001}, bob: {uid: 1002, gid: 1001, project: /data/bob}}"),
    ("address", "fd00::17"),
    ("address", "gpu01.example.com"),
    ("gpu_devices", "0,3"),
    ("gpu_devices", "{2.17.0: '0,1', ai: all}"),
    ("gpu_devices", "GPU-5f3c1d2e,MIG-GPU-5f3c1d2e/1/0"),
    ("packages", "[]"),
    ("packages", ["libstdc++6", "python3.8"]),
    ("registry", ""),
    ("registry", "localhost:5000/hub"),
    ("registry", {"docker.io": "harbor.example.com/docker-hub__proxy", "ghcr.io": "r:5000"}),
    ("registry", "{nvcr.io: artifactory.example.com/nvcr--remote}"),
    ("image_registry", "my_lab/hub"),
    ("nfs_server", "[fd00::17]"),
    ("digests", {}),
    ("digests", {"nvcr.io/nvidia/tensorflow:25.02-tf2-py3": DIGEST}),
    ("digests", f"{{tensorflow/tensorflow:2.17.0-gpu: '{DIGEST}'}}"),
    ("proxy", "http://[fd00::1]:3128"),
    ("proxy", "http://172.17.0.1:7890"),
    ("subnet", ""),
    ("subnet", "172.30.0.0/28"),
    ("no_proxy", "localhost,127.0.0.1,.example.com,10.0.0.0/8,[fd00::1],*"),
]


def refusal(question: str, answer: Any, recorded: Mapping[str, Any] | None = None) -> str:
    return error(question, {**OTHERS, question: answer}, recorded or {})


@pytest.mark.parametrize(("question", "answer", "sentence"), REFUSED)
def test_refused(question: str, answer: Any, sentence: str) -> None:
    assert refusal(question, answer) == sentence


@pytest.mark.parametrize(("question", "answer"), ACCEPTED)
def test_accepted(question: str, answer: Any) -> None:
    assert refusal(question, answer) == ""


def test_a_subnet_has_an_address_for_every_container() -> None:
    versions = list(catalogue.releases())[:14]
    answers = {"subnet": "10.0.0.0/28", "tf_versions": versions}
    assert error("subnet", answers, {}) == (
        "'10.0.0.0/28' has 13 addresses for 14 containers; choose a larger network"
    )
    assert error("subnet", {**answers, "containers": "one"}, {}) == ""


def test_a_version_that_the_driver_of_the_host_cannot_run() -> None:
    answers = {"tf_versions": ["1.15.5", "2.17.0"], "driver": "450.80.02", "gpus": []}
    assert error("tf_versions", answers, {}) == (
        "'2.17.0' needs NVIDIA driver 525.60.13 or newer, and the server has "
        "450.80.02; upgrade it and answer driver again, or leave that version out"
    )


def test_a_driver_between_two_branches_is_refused_and_one_for_data_centres_accepted() -> None:
    answers = {"tf_versions": ["2.17.0"], "driver": "530.30.02", "gpus": []}
    assert error("driver", answers, {}) == (
        "'530.30.02' does not suffice for TensorFlow 2.17.0, which needs one of branch 525 or 535, "
        "or 545.23.06 or newer; upgrade the driver, or leave that version out"
    )
    assert error("driver", {**answers, "driver": "470.57.02"}, {}) == ""


def test_a_version_that_the_gpus_of_the_host_cannot_run() -> None:
    answers = {"tf_versions": ["2.17.0"], "driver": "", "gpus": ["blackwell"]}
    assert error("tf_versions", answers, {}) == (
        "'2.17.0' does not run on blackwell (official wheels from 2.16 on are "
        "reported to fail on Blackwell); choose 2.19.1-conda or another that does"
    )


def test_a_way_out_that_the_driver_rules_out_is_not_advised() -> None:
    answers = {"tf_versions": ["1.15.5"], "driver": "450.80.02", "gpus": ["ampere"]}
    assert "choose 2.11.1 or another that does" in error("tf_versions", answers, {})


def test_what_the_host_has_not_answered_is_not_held_against_a_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(machine, "gpus", lambda: ["blackwell"])
    monkeypatch.setattr(machine, "driver", lambda: "390.12")
    assert error("tf_versions", {"tf_versions": ["1.15.5"]}, {}) == ""


@pytest.mark.parametrize(
    ("recorded", "answer", "advice"),
    [
        (
            {"1.15.5": 11522},
            {"1.15.5": 10022, "2.17.0": 21722},
            {"1.15.5": 11522, "2.17.0": 21722},
        ),
        ({"1.15.5": 11522}, {"2.17.0": 11522}, {"1.15.5": 11522, "2.17.0": 21722}),
        (
            {"1.15.5": 11522},
            {"2.17.0": 11522, "1.15.5": 20000},
            {"1.15.5": 11522, "2.17.0": 21722},
        ),
    ],
)
def test_a_port_that_was_given_is_never_taken_away_and_the_advice_can_be_followed(
    recorded: dict[str, int], answer: dict[str, int], advice: dict[str, int]
) -> None:
    shown = "{" + ", ".join(f"{version}: {port}" for version, port in answer.items()) + "}"
    wanted = "{" + ", ".join(f"{version}: {port}" for version, port in advice.items()) + "}"
    assert refusal("ports", answer, {"ports": recorded}) == (
        f"'{shown}' changes the port of 1.15.5, which stays 11522; keep it, as in {wanted}"
    )
    assert refusal("ports", advice, {"ports": recorded}) == ""


def test_what_a_kind_does_not_ask_is_not_held_against_its_other_answers() -> None:
    answers = {"tf_versions": ["2.17.0"], "driver": "450.80.02"}
    assert "does not suffice" in error("driver", {**answers, "kind": "host"})
    assert error("driver", {**answers, "kind": "cluster"}) == ""


def test_a_kind_never_replaces_another() -> None:
    assert refusal("kind", "fleet", {"ports": {}}) == (
        "'fleet' cannot replace the host in this directory; "
        "generate into another directory, or answer host"
    )
    assert refusal("kind", "fleet", {"kind": "fleet"}) == ""


@pytest.mark.parametrize("question", [*questions.TABLE])
@given(
    answer=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=5,
    )
)
def test_any_answer_gets_a_sentence_of_one_line_or_none(question: str, answer: Any) -> None:
    sentence = refusal(question, answer)
    assert sentence == "" or sentence.isprintable()
