"""The update that sorts the directory carries edits by hand over to where files are now."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import copier
import pytest

from tests.answers import CLUSTER
from tests.releases import NEWEST, Host, Repository
from tests.support import by_default, git

OLD = "0.9.1"
"""The release before files moved, tagged by the fixture."""
OLD_COMMIT = "5f7a630"

HOST = {
    "init_env1.sh": "images/init_env1.sh",
    "init_env2.sh": "images/init_env2.sh",
    "start.sh": "images/container/start.sh",
    "conda.sh": "images/container/conda.sh",
    "sshd_config": "images/container/sshd_config",
    "tf2.17.0/Dockerfile": "images/tf2.17.0/Dockerfile",
}
IN_CLUSTER = {
    "images/init_env1.sh": "images/init_env1.sh",
    "images/start.sh": "images/container/start.sh",
    "images/conda.sh": "images/container/conda.sh",
    "images/sshd_config": "images/container/sshd_config",
    "images/compose.yml": "compose.yml",
    "images/tf2.17.0/Dockerfile": "images/tf2.17.0/Dockerfile",
}


@pytest.fixture(scope="module")
def template(copier_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template with the last release before the files moved."""
    target = tmp_path_factory.mktemp("moved") / "template"
    git(copier_template, "clone", "--quiet", str(copier_template), str(target))
    git(target, "tag", OLD, OLD_COMMIT)
    return target


@pytest.fixture(params=by_default("host", among=["host", "cluster"]))
def made(
    request: pytest.FixtureRequest, template: Path, article: dict[str, Any], tmp_path: Path
) -> Host:
    repository = Repository.create(tmp_path / "infra")
    answers = {**article, **(CLUSTER if request.param == "cluster" else {})}
    return repository.copy(template, answers, tag=OLD)


def moves(made: Host) -> dict[str, str]:
    return HOST if made.answers["kind"] == "host" else IN_CLUSTER


def generated(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return the files that are the template's: those of people/ belong to the admin."""
    return {name: text for name, text in files.items() if not name.startswith("people/")}


def fresh(made: Host, template: Path, tmp_path: Path) -> dict[str, bytes]:
    repository = Repository.create(tmp_path / "fresh")
    given = {name: value for name, value in made.answers.items() if not name.startswith("_")}
    return generated(repository.copy(template, given).files())


def test_an_untouched_directory_is_as_a_new_one(made: Host, template: Path, tmp_path: Path) -> None:
    made.update()
    assert made.conflicts() == []
    assert made.answers["_commit"] == NEWEST
    assert generated(made.files()) == fresh(made, template, tmp_path)
    assert not [path for path in made.path.rglob("*/") if not any(path.iterdir())]
    made.repository.commit()
    made.update()
    assert made.repository.changes() == ""


def test_edits_by_hand_go_along(made: Host, template: Path, tmp_path: Path) -> None:
    moved = moves(made)
    for old in moved:
        with (made.path / old).open("a") as file:
            file.write(f"# by hand in {old}\n")
    packages = "init_env1.sh" if made.answers["kind"] == "host" else "images/init_env1.sh"
    made.edit(packages, "an update keeps them.\n", "an update keeps them.\n    htop\n")
    made.repository.commit()
    made.update()
    assert made.conflicts() == []
    expected = fresh(made, template, tmp_path)
    for old, new in moved.items():
        expected[new] += f"# by hand in {old}\n".encode()
    script = expected["images/init_env1.sh"]
    expected["images/init_env1.sh"] = script.replace(b"keeps them.\n", b"keeps them.\n    htop\n")
    assert generated(made.files()) == expected


def test_what_both_changed_is_a_conflict_that_git_names(made: Host) -> None:
    old = next(name for name in moves(made) if name.endswith("Dockerfile"))
    made.edit(old, "target=/tmp/apt,", "target=/tmp/mine,")
    made.repository.commit()
    made.update()
    new = "images/tf2.17.0/Dockerfile"
    assert new in made.conflicts()
    text = made.read(new)
    mine, theirs = text.split("=======\n")
    assert "<<<<<<< before updating\n" in mine and "target=/tmp/mine," in mine
    assert "target=/tmp/apt," in theirs and ">>>>>>> after updating\n" in theirs
    check = subprocess.run(
        ["git", "-C", made.path, "diff", "--check", "."], capture_output=True, text=True
    )
    assert f"{new}:" in check.stdout
    assert old == new or not (made.path / old).exists()


def test_what_lies_beside_goes_along_in_git_or_not(made: Host) -> None:
    certs = "certs" if made.answers["kind"] == "host" else "images/certs"
    folder = "tf2.17.0" if made.answers["kind"] == "host" else "images/tf2.17.0"
    mine = {f"{certs}/company.crt": "CA", f"{folder}/more/extra.sh": "true", "NOTES.md": "Ours"}
    for name, text in mine.items():
        (made.path / name).parent.mkdir(exist_ok=True)
        (made.path / name).write_text(text)
    made.repository.commit()
    (made.path / f"{certs}/own.key").write_text("ignored by git")
    made.update()
    assert made.read("images/certs/company.crt") == "CA"
    assert made.read("images/certs/own.key") == "ignored by git"
    assert made.read("images/tf2.17.0/more/extra.sh") == "true"
    assert made.read("NOTES.md") == "Ours"
    assert not (made.path / "certs").exists()
    assert not (made.path / "tf2.17.0").exists()


def test_a_file_deleted_by_hand_stays_deleted(made: Host) -> None:
    old = next(iter(moves(made)))
    (made.path / old).unlink()
    made.repository.commit()
    made.update()
    assert not (made.path / moves(made)[old]).exists()


def test_edits_of_a_file_without_a_successor_are_named(
    made: Host, capfd: pytest.CaptureFixture[str]
) -> None:
    old = ".dockerignore" if made.answers["kind"] == "host" else "images/.dockerignore"
    with (made.path / old).open("a") as file:
        file.write("!mine\n")
    made.repository.commit()
    made.update()
    assert (
        f"{old} is not generated any more; it is in git with your edits: git show HEAD:./{old}"
        in (capfd.readouterr().err)
    )
    assert git(made.path, "show", f"HEAD:./{old}").endswith("!mine\n")


def test_a_later_update_runs_nothing(
    template: Path, article: dict[str, Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    host = Repository.create(tmp_path / "infra").copy(template, article)
    copier.run_update(host.path, defaults=True, overwrite=True, unsafe=True)
    assert "Running task" not in capfd.readouterr().err
