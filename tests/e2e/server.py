"""Servers of a fleet: Debian with sshd and an engine of its own, on an address of this machine.

Everything that a server has is in one container with nearly all capabilities; its images
and containers are on a volume, since an overlay cannot lie on an overlay.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.bases import rootfs_image
from tests.e2e.support import output, run
from tests.support import ROOT

ADMIN = "admin"
IMAGE = "copier-tensorflow-host/e2e-server"
PLUGINS = "/usr/libexec/docker/cli-plugins"

PACKAGES = "docker.io iproute2 iptables jq openssh-server procps python3 rsync sudo"
NEWER = "docker-cli docker-compose docker-buildx"
"""What Debian has in packages of their own since 13; of before, this machine lends its own."""

# What an engine needs. All of --privileged is not to be had in every machine for tests.
POWER = """--cap-add=ALL --cap-drop=SYS_RESOURCE --security-opt=seccomp=unconfined
    --security-opt=apparmor=unconfined --security-opt=systempaths=unconfined""".split()

# A driver, NVIDIA's toolkit and systemd, as much of them as scripts ask for.
STAND_INS = {
    "nvidia-smi": """case "$*" in
    *driver_version*) echo 550.54.15 ;;
    *compute_cap*) echo 7.5 ;;
    *) echo 'GPU 0: stand-in' ;;
esac
""",
    "nvidia-ctk": """file=/etc/docker/daemon.json
[ -s $file ] || { mkdir -p /etc/docker; echo '{}' >$file; }
new=$(jq '.runtimes = {nvidia: {path: "nvidia-container-runtime"}}' $file)
echo "$new" >$file
""",
    "systemctl": """[ "$1" = restart ] || exit 0
kill "$(cat /var/run/docker.pid)"
until ! docker version; do sleep 0.1; done >/dev/null 2>&1
until docker version; do sleep 0.1; done >/dev/null 2>&1
""",
    # with cgroups as https://github.com/moby/moby/blob/master/hack/dind has them
    "boot": """mount -o remount,bind,rw /sys
for hierarchy in $(findmnt --raw --noheadings --output=TARGET --types=cgroup,cgroup2); do
    mount -o remount,bind,rw "$hierarchy"
done
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    mkdir -p /sys/fs/cgroup/init
    xargs -rn1 </sys/fs/cgroup/cgroup.procs >/sys/fs/cgroup/init/cgroup.procs || true
    sed 's/^/+/; s/ / +/g' /sys/fs/cgroup/cgroup.controllers >/sys/fs/cgroup/cgroup.subtree_control
fi
mkdir -p /run/sshd
ssh-keygen -A
/usr/sbin/sshd
while :; do dockerd >>/var/log/dockerd.log 2>&1; sleep 0.1; done
""",
}

DOCKERFILE = f"""FROM {{base}}
RUN apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y \\
    --no-install-recommends -o Dpkg::Options::=--force-unsafe-io {{packages}}
COPY bin/ /usr/local/bin/
# as useradd would: that of Debian unstable does not run in builds of Docker 20.10
RUN set -e; for user in {ADMIN}:1000 ai:4321; do \\
        name=${{{{user%:*}}}} id=${{{{user#*:}}}}; \\
        echo "$name:x:$id:$id::/home/$name:/bin/bash" >>/etc/passwd; \\
        echo "$name:x:$id:" >>/etc/group; \\
        echo "$name:*:19000:0:99999:7:::" >>/etc/shadow; \\
        cp -r /etc/skel /home/$name; \\
        chown -R $id:$id /home/$name; \\
        install -m 755 -d /home/$name/.ssh; \\
    done; \\
    echo '{ADMIN} ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/{ADMIN}
COPY conda /home/ai/miniconda3/bin/
RUN chown -R ai:ai /home/ai
CMD ["boot"]
"""


def build_image(codename: str = "bookworm") -> str:
    """Build the image of all servers on a Debian; return its name."""
    base = rootfs_image(codename)
    packages = PACKAGES if codename == "bookworm" else f"{PACKAGES} {NEWER}"
    image = f"{IMAGE}:{codename}"
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        (context / "bin").mkdir()
        for name, script in STAND_INS.items():
            (context / "bin" / name).write_text(f"#!/bin/sh\n{script}")
        shutil.copy(ROOT / "tests/e2e/nvidia-container-runtime-hook", context / "bin")
        for tool in (context / "bin").iterdir():
            tool.chmod(0o755)
        shutil.copy(ROOT / "tests/e2e/conda/conda", context / "conda")
        (context / "Dockerfile").write_text(DOCKERFILE.format(base=base, packages=packages))
        output("docker", "build", "--quiet", f"--tag={image}", context)
    return image


def plugins() -> list[str]:
    """Return options that give a server this machine's Compose and buildx."""
    found = json.loads(output("docker", "info", "--format", "{{json .ClientInfo.Plugins}}"))
    paths = [Path(plugin["Path"]) for plugin in found if plugin["Name"] in ("compose", "buildx")]
    return [f"--volume={path}:{PLUGINS}/{path.name}:ro" for path in paths]


@dataclass(frozen=True)
class Server:
    """A running server."""

    name: str
    address: str

    @classmethod
    def start(cls, name: str, public_key: Path, codename: str = "bookworm") -> Server:
        """Start a server that has nothing but an engine, and lets a key in."""
        lent = plugins() if codename == "bookworm" else []
        run("docker", "rm", "--force", "--volumes", name)  # of a run that was killed
        output(
            "docker", "run", "--detach", "--init", *POWER, f"--name={name}",
            f"--hostname={name}", "--volume=/var/lib/docker", *lent, f"{IMAGE}:{codename}",
        )  # fmt: skip
        show = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        server = cls(name, output("docker", "inspect", "--format", show, name).strip())
        key = public_key.read_text().strip()
        for user in (ADMIN, "ai"):
            server.run(f"echo '{key}' >/home/{user}/.ssh/authorized_keys")
        server.run("until docker version && pgrep sshd; do sleep 0.1; done")
        return server

    def run(self, script: str) -> str:
        """Run a script that must succeed as root on the server; return what it printed."""
        return output("docker", "exec", self.name, "sh", "-euc", script, timeout=120)

    def load(self, *images: str) -> None:
        """Give the server images of this machine."""
        with subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as save:
            load = ["docker", "exec", "--interactive", self.name, "docker", "load"]
            output(*load, stdin=save.stdout)
        assert save.returncode == 0

    def containers(self) -> dict[str, str]:
        """Return name to identity and start of each container on the server."""
        show = "{{.Name}} {{.Id}} {{.State.StartedAt}}"
        lines = self.run(f"docker ps -aq | xargs -r docker inspect -f '{show}'").splitlines()
        return dict(line.removeprefix("/").split(" ", 1) for line in lines)

    def unplug(self) -> None:
        """Take its network away."""
        self.run("ip route show default >/run/route; ip link set eth0 down")

    def plug(self) -> None:
        """Give its network back."""
        self.run("ip link set eth0 up; ip route replace $(cat /run/route)")

    def remove(self) -> None:
        run("docker", "rm", "--force", "--volumes", self.name)
