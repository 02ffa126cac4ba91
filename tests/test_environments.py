"""environments/new.sh and what the shells of the containers read, with a stand-in for conda.

conda's own code of today is in no registry that tests may use: PyPI has 4.3.16 of 2017. The
stand-in does what 4.12.0, 23.9.0, 25.3.1 and 26.7.1 were seen to do; see tests/e2e/conda/conda.
What they are asked for is solved by py-rattler, which is real.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from subprocess import PIPE, Popen

import pytest
import rattler
from pytest_copier.plugin import CopierProject

from extensions.catalogue import releases
from tests.e2e.support import install_conda
from tests.support import ON_DISK, missing

VERSIONS = ("4.12.0", "25.3.1", "26.7.1")
"""What the stand-in is: the oldest conda met, the one that setup.sh installs, the newest."""

BARE = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "LC_ALL": "C.UTF-8",
}


@dataclass
class Host:
    """A generated directory and a conda."""

    project: Path
    conda: Path
    environ: dict[str, str] = field(default_factory=lambda: dict(BARE))

    def new(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run new.sh without a terminal."""
        return subprocess.run(
            [self.project / "environments/new.sh", *arguments],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            env={**self.environ, **variables}, cwd="/",
        )  # fmt: skip

    def make(self, *arguments: str) -> str:
        """Run new.sh, which must succeed; return what it said."""
        done = self.new(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def prefix(self, name: str) -> Path:
        return self.conda / "envs" / name

    def site(self, name: str) -> Path:
        return self.prefix(name) / "lib/python3.11/site-packages"

    def versions(self, name: str) -> dict[str, str]:
        """Return the packages in an environment, as Python finds them."""
        found = [path.stem.split("-") for path in self.site(name).glob("*.dist-info")]
        assert len({package for package, _ in found}) == len(found), found
        return dict(found)

    def conda_does(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run conda without a terminal."""
        return subprocess.run(
            [self.conda / "bin/conda", *arguments],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, env=self.environ,
        )  # fmt: skip

    def log(self) -> list[str]:
        """Return what conda and pip were told."""
        text = (self.conda / "log").read_text()
        return text.replace(f"{self.conda}/envs/", "").splitlines()

    def shell(self, script: str, *shell: str, **variables: str) -> str:
        """Run a script that reads conda as the containers' shells do; return what it prints."""
        script = f". {quote(str(self.project / 'images/container/conda.sh'))}\n{script}"
        done = subprocess.run(
            [*(shell or ("bash", "--norc", "-c")), script],
            capture_output=True, text=True, env={**self.environ, **variables},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def directory(generate: Callable[..., CopierProject], on_disk: Path) -> Path:
    conda = on_disk / "my conda & 李"
    answers = {"host": "gpu01", "tf_versions": ["2.16.1", "2.17.0"], "mirror": "none"}
    return generate(**answers, conda_path=str(conda), host_home="/home/ai").path


def fresh(directory: Path) -> Host:
    """Give a generated directory a new conda 25.3.1."""
    facts = directory / "environments/facts.sh"
    conda = Path(
        subprocess.check_output(["bash", "-c", f'. {facts}; printf %s "$conda"'], text=True)
    )
    subprocess.run(["rm", "-rf", conda], check=True)
    install_conda(conda)
    return Host(directory, conda)


@pytest.fixture
def host(directory: Path) -> Host:
    """A host without any environment."""
    return fresh(directory)


@pytest.fixture(params=VERSIONS)
def each(request: pytest.FixtureRequest, host: Host) -> Host:
    """The host with each conda, and with Anaconda's plugin where there is one."""
    (host.conda / "version").write_text(request.param)
    if request.param != "4.12.0":
        (host.conda / "terms").touch()
    return host


def channel(folder: Path, packages: Iterable[tuple[str, str, list[str]]]) -> rattler.Channel:
    """Make a channel of packages: name, version, and what they depend on."""
    listed = {
        f"{name}-{version}-0.tar.bz2": {
            "name": name, "version": version, "build": "0", "build_number": 0,
            "depends": depends, "subdir": "noarch",
        }
        for name, version, depends in packages
    }  # fmt: skip
    (folder / "noarch").mkdir()
    repodata = {"info": {"subdir": "noarch"}, "packages": listed}
    (folder / "noarch/repodata.json").write_text(json.dumps(repodata))
    return rattler.Channel(folder.as_uri())


class TestNew:
    def test_every_conda_makes_a_release_and_a_project(self, each: Host) -> None:
        assert each.make("2.17.0", "mnist").endswith("new.sh: ready: conda activate mnist\n")
        channel = "--override-channels --channel conda-forge"
        assert each.log() == [
            f"conda create --yes --quiet {channel} --prefix tf2.17.0 python=3.11 pip setuptools<82",
            "pip install tensorflow[and-cuda]==2.17.0 setuptools<82",
            f"conda create --yes --quiet {channel} --prefix mnist --copy --clone tf2.17.0",
        ]

    def test_a_project_has_the_setuptools_of_its_release(self, each: Host) -> None:
        each.make("2.17.0", "mnist")
        assert each.versions("tf2.17.0")["setuptools"] == "81.0.0"
        assert each.versions("mnist") == each.versions("tf2.17.0")

    def test_every_bound_on_what_conda_brings_is_told_to_conda(self) -> None:
        for release in releases().values():
            if release.requirement:
                bounds = {name for name in release.constraints if name.startswith("setuptools")}
                assert set(release.conda_packages) >= bounds

    @pytest.mark.parametrize("step", ["network", "pip", "power"])
    def test_what_was_not_finished_is_made_again(self, each: Host, step: str) -> None:
        each.make("2.17.0")
        failed = each.new("2.16.1", STAND_IN_FAILS=step)
        assert failed.returncode != 0
        assert "ready" not in failed.stderr
        assert "is there already" not in each.make("2.16.1", "old")
        assert each.versions("tf2.16.1") == each.versions("old")
        assert "is there already" in each.make("2.17.0")

    @pytest.mark.parametrize("step", ["network", "power"])
    def test_what_a_person_makes_by_hand_after_a_failure_is_left_alone(
        self, each: Host, step: str
    ) -> None:
        assert each.new("2.16.1", STAND_IN_FAILS=step).returncode != 0
        prefix = each.prefix("tf2.16.1")
        by_hand = ["create", "--yes", "-c", "conda-forge", "--override-channels"]
        assert each.conda_does(*by_hand, "-p", str(prefix), "python=3.11").returncode == 0
        (prefix / "thesis").touch()
        assert "tf2.16.1 is there already" in each.make("2.16.1")
        assert (prefix / "thesis").exists()

    def test_what_a_person_added_to_an_unfinished_one_is_left_alone(self, host: Host) -> None:
        assert host.new("2.16.1", STAND_IN_FAILS="pip").returncode != 0
        forge = ["--override-channels", "-c", "conda-forge"]
        prefix = str(host.prefix("tf2.16.1"))
        assert host.conda_does("install", *forge, "-p", prefix, "tool").returncode == 0
        assert "tf2.16.1 is there already" in host.make("2.16.1")

    def test_a_text_that_is_edited_in_a_project_stays_as_it_is_elsewhere(self, host: Host) -> None:
        host.make("2.17.0", "mnist")
        for file in ("lib/python3.11/typing.py", "lib/python3.11/site-packages/tensorflow/ops.py"):
            with (host.prefix("mnist") / file).open("a") as text:
                text.write("import pdb\n")
            assert "pdb" not in (host.prefix("tf2.17.0") / file).read_text()
        host.make("2.17.0", "other")
        assert "pdb" not in (host.prefix("other") / "lib/python3.11/typing.py").read_text()

    def test_a_project_takes_no_disk_for_what_nobody_edits(self, host: Host) -> None:
        host.make("2.17.0", "mnist")
        for file in ("lib/package.so", "lib/python3.11/site-packages/tensorflow/wheel.so"):
            assert (host.prefix("mnist") / file).samefile(host.prefix("tf2.17.0") / file)

    def test_packages_of_other_places_do_not_count(self, host: Host) -> None:
        host.environ |= {"PYTHONPATH": "/ros/lib", "PIP_TARGET": "/elsewhere"}
        host.make("2.17.0")
        environ = (host.conda / "environ").read_text().splitlines()
        assert "PYTHONNOUSERSITE=1" in environ
        assert not [line for line in environ if line.startswith(("PYTHONPATH=", "PIP_TARGET="))]

    def test_pip_refuses_to_change_a_release_and_says_where_to_install(self, host: Host) -> None:
        host.make("2.17.0", "mnist")
        text = (host.prefix("tf2.17.0") / "lib/python3.11/EXTERNALLY-MANAGED").read_text()
        assert text == (
            "[externally-managed]\nError=tf2.17.0 is what projects are copied from; "
            "install in a copy: new.sh 2.17.0 PROJECT\n"
        )
        assert not (host.prefix("mnist") / "lib/python3.11/EXTERNALLY-MANAGED").exists()

    def test_conda_of_today_refuses_to_change_a_release(self, host: Host) -> None:
        (host.conda / "version").write_text("26.7.1")
        host.make("2.17.0", "mnist")
        forge = ["--override-channels", "-c", "conda-forge"]
        refused = host.conda_does("install", *forge, "--name", "tf2.17.0", "tool")
        assert "install in a copy: new.sh 2.17.0 PROJECT" in refused.stderr
        assert host.conda_does("install", *forge, "--name", "mnist", "tool").returncode == 0

    def test_conda_is_bound_to_what_pip_installed(self, host: Host) -> None:
        host.make("2.17.0", "mnist")
        for name in ("tf2.17.0", "mnist"):
            pinned = (host.prefix(name) / "conda-meta/pinned").read_text().splitlines()
            assert pinned == ["absl-py ==2.1.0", "numpy ==1.26.4", "tensorflow ==2.17.0"]

    def test_conda_install_pandas_leaves_the_numpy_of_tensorflow(self, tmp_path: Path) -> None:
        """As 4.12.0, 23.9.0, 25.3.1 and 26.7.1 did with the same packages and the same pin."""
        conda_forge = channel(tmp_path, [
            ("numpy", "1.26.4", []), ("numpy", "2.2.0", []), ("pandas", "2.3.0", ["numpy"]),
        ])  # fmt: skip
        for pinned, numpy in (["numpy ==1.26.4"], "1.26.4"), ([], "2.2.0"):
            solution = rattler.solve(
                [conda_forge], ["pandas"], platforms=["noarch"], constraints=pinned
            )
            found = {one.name.normalized: str(one.version) for one in asyncio.run(solution)}
            assert found["numpy"] == numpy

    def test_the_command_of_the_guide_removes_a_project(self, each: Host) -> None:
        each.make("2.17.0", "mnist")
        command = "remove --all --yes --override-channels --channel conda-forge --name mnist"
        assert each.conda_does(*command.split()).returncode == 0
        assert not each.prefix("mnist").exists()

    def test_help_is_printed_where_it_was_asked_for(self, host: Host) -> None:
        asked, wrong = host.new("--help"), host.new()
        assert (asked.returncode, wrong.returncode) == (0, 2)
        assert asked.stdout == wrong.stderr
        assert asked.stdout.startswith("usage: new.sh VERSION [PROJECT]\n")

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["9.9"], "TensorFlow '9.9' is not on this server; choose one of: 2.16.1, 2.17.0"),
            (
                ["2.17.0", "../x"],
                "'../x' cannot name an environment; use letters, digits, '.', '_' and '-'",
            ),
            (
                ["2.17.0", ""],
                "'' cannot name an environment; use letters, digits, '.', '_' and '-'",
            ),
            (
                ["2.17.0", "tf2.9.3"],
                "'tf2.9.3' is a name of releases; give the project another name",
            ),
            (
                ["2.17.0", "base"],
                "'base' cannot name an environment; use letters, digits, '.', '_' and '-'",
            ),
        ],
    )
    def test_wrong_arguments_are_refused_in_one_sentence(
        self, host: Host, arguments: list[str], sentence: str
    ) -> None:
        refused = host.new(*arguments)
        assert (refused.returncode, refused.stderr) == (2, f"new.sh: {sentence}\n")
        assert not list((host.conda / "envs").iterdir())

    def test_a_list_that_was_emptied_is_refused(self, host: Host, tmp_path: Path) -> None:
        subprocess.run(["cp", "-r", host.project / "environments", tmp_path], check=True)
        file = tmp_path / "environments/tf2.17.0.yml"
        file.write_text(file.read_text().partition("  - pip:")[0])
        refused = Host(tmp_path, host.conda).new("2.17.0")
        assert refused.returncode == 1
        assert (
            "lists no packages of conda or none of TensorFlow; restore it from git"
            in refused.stderr
        )


def snapshot(folder: Path) -> dict[Path, tuple[int, ...]]:
    """Return owner, mode, size and time of change of every file."""
    found = {path: path.lstat() for path in folder.rglob("*")}
    return {p: (s.st_uid, s.st_mode, s.st_size, s.st_mtime_ns) for p, s in found.items()}


@pytest.fixture(scope="module")
def open_directory(generate: Callable[..., CopierProject]) -> Iterator[Path]:
    """A generated directory that others can read: pytest closes its own to them."""
    if os.getuid() != 0:
        missing("only root can be three users: run as root")
    folder = Path(tempfile.mkdtemp(dir=ON_DISK))
    folder.chmod(0o755)
    answers = {"tf_versions": ["2.17.0"], "mirror": "none", "host_home": "/home/ai"}
    made = generate(**answers, conda_path=f"{folder}/my conda & 李")
    shutil.copytree(made.path, folder / "gpu01")
    subprocess.run(["chmod", "-R", "o+rX", folder], check=True)
    yield folder / "gpu01"
    shutil.rmtree(folder)


@pytest.fixture
def on_btrfs(generate: Callable[..., CopierProject], tmp_path: Path) -> Iterator[Path]:
    """A generated directory on a file system of its own, and conda beside it."""
    for need in ("mkfs.btrfs", "filefrag"):
        if not shutil.which(need):
            missing(f"{need} is not installed")
    folder = Path(tempfile.mkdtemp(dir=ON_DISK))
    disk = tmp_path / "disk"
    with disk.open("wb") as file:
        file.truncate(256 << 20)
    subprocess.run(["mkfs.btrfs", "--quiet", disk], check=True)
    subprocess.run(["mount", "-o", "loop", disk, folder], check=True)
    try:
        answers = {"tf_versions": ["2.17.0"], "mirror": "none", "host_home": "/home/ai"}
        shutil.copytree(generate(**answers, conda_path=f"{folder}/conda").path, folder / "gpu01")
        subprocess.run(["chmod", "-R", "o+rX", folder], check=True)
        yield folder / "gpu01"
    finally:
        subprocess.run(["umount", folder], check=True)
        folder.rmdir()


class TestThreeUsers:
    """One owns conda, and two can only read it."""

    AI, ALICE, BOB = 4321, 4322, 4323
    WHEEL = "lib/python3.11/site-packages/tensorflow/wheel.so"

    @pytest.fixture
    def host(self, open_directory: Path) -> Iterator[Host]:
        host = fresh(open_directory)
        subprocess.run(["chown", "-R", str(self.AI), host.conda], check=True)
        yield host
        homes = [self.home(host, uid) for uid in (self.AI, self.ALICE, self.BOB)]
        subprocess.run(["rm", "-rf", *homes], check=True)

    def home(self, host: Host, uid: int) -> Path:
        return host.conda.parent / str(uid)

    def as_user(self, host: Host, uid: int, *command: str | Path) -> Popen[str]:
        home = self.home(host, uid)
        if not home.exists():
            home.mkdir(mode=0o700)
            os.chown(home, uid, uid)
        environ = {**host.environ, "HOME": str(home)}
        return Popen(
            ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *command],
            stdin=subprocess.DEVNULL, stdout=PIPE, stderr=PIPE, text=True, env=environ, cwd="/",
        )  # fmt: skip

    def make(self, host: Host, uid: int, *arguments: str) -> str:
        process = self.as_user(host, uid, host.project / "environments/new.sh", *arguments)
        _, told = process.communicate(timeout=60)
        assert process.returncode == 0, told
        return told

    def shell(self, host: Host, uid: int, script: str) -> str:
        script = f". {quote(str(host.project / 'images/container/conda.sh'))}; {script}"
        out, told = self.as_user(host, uid, "bash", "--norc", "-c", script).communicate()
        return out + told

    @pytest.mark.parametrize("too_new", [False, True])
    def test_each_copies_the_release_of_its_owner_to_where_only_she_can_write(
        self, host: Host, too_new: bool
    ) -> None:
        self.make(host, self.AI, "2.17.0", "mnist")
        before = snapshot(host.conda)
        hers = [self.home(host, uid) / ".conda/envs/mnist" for uid in (self.ALICE, self.BOB)]
        for uid, prefix in zip((self.ALICE, self.BOB), hers, strict=True):
            told = self.make(host, uid, "2.17.0", "mnist")
            assert (
                f"mnist takes disk space of its own: only UID {self.AI} could link files of" in told
            )
            assert told.endswith("new.sh: ready: conda activate mnist\n")
            assert (prefix / self.WHEEL).read_bytes() == (
                host.prefix("tf2.17.0") / self.WHEEL
            ).read_bytes()
            assert (prefix / self.WHEEL).stat().st_uid == uid
            assert not (prefix.parent / "tf2.17.0").exists()
        if too_new:
            shutil.copy("/usr/bin/false", host.conda / "bin/python")
        else:
            assert snapshot(host.conda) == before
        for uid, prefix in zip((self.ALICE, self.BOB), hers, strict=True):
            script = "conda activate mnist && echo $CONDA_PREFIX; conda activate tf2.17.0"
            assert self.shell(host, uid, f"{script} && echo $CONDA_PREFIX") == (
                f"{prefix}\n{host.prefix('tf2.17.0')}\n"
            )
        assert self.shell(host, self.AI, "conda activate mnist && echo $CONDA_PREFIX") == (
            f"{host.prefix('mnist')}\n"
        )
        assert "Permission denied" in self.shell(host, self.BOB, f"ls {hers[0]}")

    @pytest.mark.full
    def test_where_the_file_system_clones_files_the_copies_of_others_take_no_disk(
        self, on_btrfs: Path
    ) -> None:
        host = fresh(on_btrfs)
        subprocess.run(["chown", "-R", str(self.AI), host.conda], check=True)
        self.make(host, self.AI, "2.17.0")
        told = self.make(host, self.ALICE, "2.17.0", "mnist")
        assert "mnist shares its large files with" in told
        hers = self.home(host, self.ALICE) / ".conda/envs/mnist" / self.WHEEL
        assert hers.stat().st_uid == self.ALICE
        assert hers.read_bytes() == (host.prefix("tf2.17.0") / self.WHEEL).read_bytes()
        subprocess.run(["sync", "--file-system", hers], check=True)
        extents = subprocess.check_output(["filefrag", "-v", hers], text=True)
        assert "shared" in extents, extents

    def test_a_release_that_is_missing_is_made_for_her_alone_and_she_is_told_whom_to_ask(
        self, host: Host
    ) -> None:
        told = self.make(host, self.ALICE, "2.17.0", "mnist")
        own = self.home(host, self.ALICE) / ".conda/envs"
        assert (
            f"new.sh: tf2.17.0 is not in {host.conda}, which belongs to UID 4321, so it is made in "
            f"{own}, for you alone; to share it, let that user run: new.sh 2.17.0\n"
        ) in told
        assert (own / "mnist" / self.WHEEL).samefile(own / "tf2.17.0" / self.WHEEL)
        assert not list((host.conda / "envs").iterdir())
        self.make(host, self.AI, "2.17.0")
        assert "tf2.17.0 is not in" not in self.make(host, self.BOB, "2.17.0", "mnist")

    def test_who_comes_while_the_owner_makes_the_release_waits_for_it(self, host: Host) -> None:
        script = host.project / "environments/new.sh"
        (host.conda / "envs/.new.lock").touch()
        os.chown(host.conda / "envs/.new.lock", self.AI, self.AI)
        holder = Popen(["flock", host.conda / "envs/.new.lock", "sleep", "60"])
        try:
            hers = self.as_user(host, self.ALICE, script, "2.17.0", "mnist")
            assert hers.stderr is not None
            assert hers.stderr.readline() == f"new.sh: waiting for a release in {host.conda}\n"
        finally:
            subprocess.run(["pkill", "-P", str(holder.pid)], check=False)
            holder.kill()
            holder.wait()
        hers.communicate(timeout=60)
        assert hers.returncode == 0


@pytest.fixture(scope="class")
def made(directory: Path) -> Host:
    """A host with a project, and a release that is half made."""
    host = fresh(directory)
    host.make("2.17.0", "mnist")
    assert host.new("2.16.1", STAND_IN_FAILS="pip").returncode != 0
    return host


class TestShell:
    IMAGE = "/usr/local/nvidia/lib:/usr/local/nvidia/lib64"

    @pytest.fixture(params=["conda", "a conda that is too new"])
    def host(self, request: pytest.FixtureRequest, made: Host) -> Host:
        """A container whose glibc is new enough for conda, or not."""
        python = made.conda / "bin/python"
        python.unlink()
        shutil.copy("/usr/bin/true" if request.param == "conda" else "/usr/bin/false", python)
        return Host(made.project, made.conda, {**BARE, "LD_LIBRARY_PATH": self.IMAGE})

    @pytest.fixture(params=["bash -c", "bash -euo pipefail -c", "dash -eu -c"])
    def shell(self, request: pytest.FixtureRequest) -> list[str]:
        return str(request.param).split()

    def test_an_environment_changes_no_path_of_libraries(
        self, host: Host, shell: list[str]
    ) -> None:
        show = 'echo "$LD_LIBRARY_PATH"'
        stack = f"conda activate --stack mnist 2>/dev/null || conda activate mnist; {show}"
        script = f"conda activate tf2.17.0; {stack}; conda deactivate; {show}"
        assert host.shell(script, *shell).splitlines() == [self.IMAGE, self.IMAGE]
        script = f"conda activate tf2.17.0; conda activate mnist; {show}; conda deactivate; {show}"
        assert host.shell(script, *shell).splitlines() == [self.IMAGE, self.IMAGE]

    def test_an_option_of_conda_is_refused_where_conda_cannot_run(
        self, made: Host, shell: list[str]
    ) -> None:
        shutil.copy("/usr/bin/false", made.conda / "bin/python")
        script = "conda activate mnist; conda activate --stack tf2.17.0 2>&1 || true; "
        assert made.shell(f"{script} echo ${{CONDA_PREFIX##*/}}", *shell) == (
            "conda: activate takes no --stack on this Ubuntu, where conda itself does not run; "
            "write: conda activate NAME\nmnist\n"
        )

    def test_a_shell_inside_the_shell_keeps_the_libraries_of_the_image(
        self, host: Host, shell: list[str]
    ) -> None:
        read = f". {quote(str(host.project / 'images/container/conda.sh'))}"
        inner = f'{read}; conda deactivate; echo "$LD_LIBRARY_PATH"'
        script = f"conda activate mnist; {shell[0]} {' '.join(shell[1:])} {quote(inner)}"
        assert host.shell(script, *shell) == f"{self.IMAGE}\n"

    def test_without_libraries_in_the_image_none_are_left(
        self, host: Host, shell: list[str]
    ) -> None:
        del host.environ["LD_LIBRARY_PATH"]
        script = "conda activate mnist; conda deactivate; echo ${LD_LIBRARY_PATH-none}"
        assert host.shell(script, *shell) == "none\n"

    def test_init_is_refused_with_what_to_write_instead(self, host: Host, shell: list[str]) -> None:
        assert host.shell("conda init bash 2>&1 || echo $?", *shell) == (
            "conda: init is not needed and would write to the ~/.bashrc that all containers share; "
            "in a script or ~/.zshrc write: . /etc/profile.d/10-conda.sh\n1\n"
        )
        assert "conda init bash" not in host.log()

    def test_a_shell_inside_the_shell_shows_the_environment(self, host: Host) -> None:
        read = f". {quote(str(host.project / 'images/container/conda.sh'))}"
        inner = f'PS1=\'$ \'; {read}; {read}; echo "$PS1"; conda deactivate; echo "$PS1"'
        script = f"conda activate mnist; bash --norc -c {quote(inner)}"
        assert host.shell(script) == "(mnist) $ \n$ \n"

    def test_an_alias_does_not_begin_in_an_environment_that_is_half_made(self, host: Host) -> None:
        script = "echo ${CONDA_DEFAULT_ENV-none}"
        assert host.shell(script, TENSORFLOW_ENVIRONMENT="tf2.16.1") == "none\n"
        assert host.shell(script, TENSORFLOW_ENVIRONMENT="tf2.17.0") == "tf2.17.0\n"
