"""A node of Kubernetes on this machine: containerd, a kubelet and GPUs that are stand-ins.

All of it runs in a mount and a PID namespace of its own: its mounts are seen nowhere else, and it
ends with all its pods at once.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"  # it would warn at every command that is run

import grpc  # type: ignore[import-untyped]

from tests.e2e.support import output, run
from tests.test_api_server import ApiServer, free_port, program, until

CGROUPS = Path("/sys/fs/cgroup")
PROGRAMS = ("kubelet", "containerd", "ctr", "runc", "ptp", "host-local")
PAUSE = "pause:v1"
"""The image of what holds the namespaces of a pod."""

CONTAINERD = """\
version = 3
[grpc]
address = "/run/containerd/containerd.sock"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = "docker.io/library/{pause}"
# for a root that must not lower the OOM score of a process
[plugins.'io.containerd.cri.v1.runtime']
restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ["{plugins}"]
conf_dir = "{folder}/network"
"""
NETWORK = """\
{"cniVersion": "1.0.0", "name": "pods", "plugins": [
  {"type": "ptp", "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.231.7.0/24"}]]}}]}
"""
KUBELET = """\
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: {address}
port: {port}
healthzPort: 0
authentication: {{anonymous: {{enabled: true}}, webhook: {{enabled: false}}}}
authorization: {{mode: AlwaysAllow}}
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
# what this machine has and a server should not: old cgroups, a full disk
failCgroupV1: false
failSwapOn: false
evictionHard: {{}}
imageGCHighThresholdPercent: 100
makeIPTablesUtilChains: false
podPidsLimit: 4096
resolvConf: ""
"""
RUN = """\
mount --bind {folder}/lib /var/lib
mount --bind {folder}/run /run
mount --bind {folder}/log /var/log
containerd --config {folder}/containerd.toml &
until [ -S /run/containerd/containerd.sock ]; do sleep 0.1; done
kubelet --config={folder}/kubelet.yaml --kubeconfig={folder}/kubeconfig \
    --hostname-override={name} --node-ip={address} --node-labels={labels} &
wait
"""
CHANGED = [
    Path("/proc/sys", name)
    for name in (
        "kernel/keys/root_maxbytes", "kernel/keys/root_maxkeys", "kernel/panic",
        "kernel/panic_on_oops", "vm/overcommit_memory", "vm/panic_on_oom",
    )
]  # fmt: skip
"""Settings of a machine that every kubelet sets."""


# --- GPUs -------------------------------------------------------------------------------------


def message(*fields: tuple[int, bytes]) -> bytes:
    """A message of protobuf, of short texts and other messages."""
    return b"".join(bytes([number << 3 | 2]) + length(text) + text for number, text in fields)


@dataclass
class Gpus:
    """A device plugin, as NVIDIA's; it speaks the API of
    https://github.com/kubernetes/kubelet/blob/master/pkg/apis/deviceplugin/v1beta1/api.proto.

    Its devices are /dev/null, and its nvidia-smi prints what is in the file ``load``.
    """

    folder: Path
    resource: str
    devices: list[str]
    allocated: list[str] = field(default_factory=list)
    ended: Event = field(default_factory=Event)

    @property
    def sockets(self) -> Path:
        return self.folder / "lib/kubelet/device-plugins"

    def list_and_watch(self, _request: bytes, _context: Any) -> Iterator[bytes]:
        one = [message((1, each.encode()), (2, b"Healthy")) for each in self.devices]
        yield message(*((1, each) for each in one))
        self.ended.wait()

    def allocate(self, request: bytes, _context: Any) -> bytes:
        chosen = [each for each in self.devices if each.encode() in request]
        self.allocated += chosen
        visible = message((1, b"NVIDIA_VISIBLE_DEVICES"), (2, ",".join(chosen).encode()))
        files = [
            message((1, f"/usr/local/{name}".encode()), (2, f"{self.folder}/{name}".encode()))
            for name in ("bin/nvidia-smi", "load")
        ]
        device = message((1, b"/dev/nvidia0"), (2, b"/dev/null"), (3, b"rw"))
        given = message((1, visible), *((2, each) for each in files), (3, device))
        return message((1, given))

    def serve(self, stack: ExitStack) -> None:
        answers: dict[str, grpc.RpcMethodHandler] = {
            "GetDevicePluginOptions": grpc.unary_unary_rpc_method_handler(lambda *_: b""),
            "ListAndWatch": grpc.unary_stream_rpc_method_handler(self.list_and_watch),
            "Allocate": grpc.unary_unary_rpc_method_handler(self.allocate),
        }
        name = self.resource.rpartition("/")[2] + ".sock"
        server = grpc.server(ThreadPoolExecutor(4))
        server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler("v1beta1.DevicePlugin", answers)]
        )
        server.add_insecure_port(f"unix:{self.sockets}/{name}")
        server.start()
        stack.callback(lambda: server.stop(1).wait())
        stack.callback(self.ended.set)
        with grpc.insecure_channel(f"unix:{self.sockets}/kubelet.sock") as channel:
            register = channel.unary_unary("/v1beta1.Registration/Register")
            register(message((1, b"v1beta1"), (2, name.encode()), (3, self.resource.encode())))


def length(text: bytes) -> bytes:
    """The length of a message, in seven bits at a time."""
    low, high = len(text) & 127, len(text) >> 7
    return bytes([low | 128, high]) if high else bytes([low])


# --- the node ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Node:
    """A node that runs."""

    folder: Path
    name: str
    gpus: dict[str, Gpus]

    def ctr(self, *arguments: str | Path) -> str:
        socket = self.folder / "run/containerd/containerd.sock"
        return output(program("ctr"), f"--address={socket}", "--namespace=k8s.io", *arguments)

    def take_image(self, name: str) -> None:
        """Take an image from Docker, as if it was pulled."""
        archive = self.folder / "image.tar"
        output("docker", "save", f"--output={archive}", name)
        self.ctr("images", "import", archive)
        archive.unlink()

    def log(self) -> str:
        return (self.folder / "node.log").read_text()


@contextmanager
def node(
    server: ApiServer, name: str, address: str, labels: dict[str, str], gpus: dict[str, list[str]]
) -> Iterator[Node]:
    """Run a node, with GPUs by the name of their resource."""
    with ExitStack() as stack:
        before = {path: path.read_text() for path in CHANGED if path.exists()}
        # on a disk, and with a short path, since sockets are in it
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/srv")))
        for each in ("lib/kubelet/device-plugins", "run", "log", "network", "bin"):
            (folder / each).mkdir(parents=True)
        (folder / "load").write_text("0\n")
        (folder / "bin/nvidia-smi").write_text("#!/bin/sh\ncat /usr/local/load\n")
        (folder / "bin/nvidia-smi").chmod(0o755)
        plugins = Path(program("ptp")).parent
        (folder / "containerd.toml").write_text(
            CONTAINERD.format(folder=folder, plugins=plugins, pause=PAUSE)
        )
        (folder / "network/pods.conflist").write_text(NETWORK)
        (folder / "kubelet.yaml").write_text(KUBELET.format(address=address, port=free_port()))
        shutil.copy(server.kubeconfig, folder / "kubeconfig")
        script = RUN.format(
            folder=folder, name=name, address=address,
            labels=",".join(f"{label}={value}" for label, value in labels.items()),
        )  # fmt: skip
        path = [*(str(Path(program(each)).parent) for each in PROGRAMS), os.environ["PATH"]]
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        with (folder / "node.log").open("w") as log:
            process = subprocess.Popen(
                [*command, "bash", "-euc", script], cwd=folder, stdout=log, stderr=log,
                env={**os.environ, "PATH": os.pathsep.join(path)},
            )  # fmt: skip

        def end() -> None:
            process.kill()
            process.wait()
            forget_cgroups()
            for path, text in before.items():
                path.write_text(text)

        stack.callback(end)
        made = Node(folder, name, {each: Gpus(folder, each, ids) for each, ids in gpus.items()})
        try:
            until(lambda: (folder / "lib/kubelet/device-plugins/kubelet.sock").exists(), 120)
        except AssertionError:
            raise AssertionError(made.log()[-5000:]) from None
        for kind in made.gpus.values():
            kind.serve(stack)
        yield made


def forget_cgroups() -> None:
    for folder in CGROUPS.rglob("kubepods"):
        run("find", folder, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";")
