"""Carries edits by hand over to where a later release of the template has a file.

``copier update`` merges each file with the one of the same path; of a file that moved it
removes the old one, with what was edited in it. ``copier.yml`` runs this module as a
migration: it merges these files as Copier does, from the same three versions of them.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

MOVES = {
    # until 1.0.0 the root of a host was the build context
    r"(init_env[12]\.sh)": r"images/\1",
    r"(start\.sh|conda\.sh|sshd_config)": r"images/container/\1",
    r"(certs/[^/]+|tf[^/]+/.+)": r"images/\1",
    # and images/ of a cluster was flat
    r"images/(start\.sh|conda\.sh|sshd_config)": r"images/container/\1",
    r"images/(compose\.yml)": r"\1",
    # has no successor
    r"\.dockerignore|images/\.dockerignore|health\.sh|images/health\.sh": "",
}
"""New path by pattern of the old one, both relative to the directory."""


def git(*arguments: str, stdin: str | None = None) -> bytes:
    """Run git in the directory, which is the current one; return what it prints."""
    text = None if stdin is None else stdin.encode()
    return subprocess.run(["git", *arguments], input=text, check=True, capture_output=True).stdout


def new_path(old: str) -> str | None:
    """Return where a file is now, empty where it is nowhere, and None where it did not move."""
    for pattern, new in MOVES.items():
        if match := re.fullmatch(pattern, old):
            return match.expand(new)
    return None


def of_last_commit(directory: Path) -> set[str]:
    """Return the files of the directory in git's last commit, none where there is no commit."""
    listing = ["git", "-C", str(directory), "ls-tree", "-r", "-z", "--name-only", "HEAD", "."]
    done = subprocess.run(listing, capture_output=True, text=True, check=False)
    return set(done.stdout.split("\0")[:-1])


def has_moved_files(directory: Path) -> bool:
    """Return whether the last commit has the files at their old paths."""
    names = of_last_commit(directory)
    old = {"init_env1.sh", "init_env2.sh", "start.sh", "images/start.sh"}
    return not old.isdisjoint(names) and not any(
        name.startswith("images/container/") for name in names
    )


def render(template: str, commit: str, into: Path) -> None:
    """Generate the directory as the release of the last update did."""
    import copier
    import yaml

    recorded = yaml.safe_load(git("show", "HEAD:./.copier-answers.yml"))
    answers = {name: value for name, value in recorded.items() if not name.startswith("_")}
    copier.run_copy(
        template, into, data=answers, vcs_ref=commit, defaults=True, unsafe=True, quiet=True
    )


def merge(old: str, new: Path, base: bytes) -> None:
    """Merge the edits of the old path into the new one; conflicts are marked as Copier's are."""
    mine, theirs = git("show", f"HEAD:./{old}"), new.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        versions = [Path(folder, name) for name in ("mine", "base", "theirs")]
        for path, content in zip(versions, (mine, base, theirs), strict=True):
            path.write_bytes(content)
        labels = ["-L", "before updating", "-L", "last update", "-L", "after updating"]
        command = ["git", "merge-file", "-p", *labels, *map(str, versions)]
        merged = subprocess.run(command, capture_output=True, check=False)
        new.write_bytes(merged.stdout)
        if merged.returncode == 0:
            return
        # stages of the index: 1 base, 2 before, 3 after the update
        mode = "100755" if new.stat().st_mode & 0o100 else "100644"
        name = git("rev-parse", "--show-prefix").decode().strip() + str(new)
        stages = zip((2, 1, 3), versions, strict=True)
        blobs = [(stage, git("hash-object", "-w", str(path)).decode().strip())
                 for stage, path in stages]  # fmt: skip
        entries = "".join(f"{mode} {blob} {stage}\t{name}\n" for stage, blob in blobs)
        git("update-index", "--index-info", stdin=entries)
    print(f"{new} has conflicts with the edits of {old}; resolve them", file=sys.stderr)


def carry_over(old: str, new: str, base: bytes) -> None:
    """Carry the edits of one generated file over."""
    if git("show", f"HEAD:./{old}") == base:
        return
    if new and Path(new).is_file():
        merge(old, Path(new), base)
    else:
        edits = f"git show HEAD:./{old}"
        print(
            f"{old} is not generated any more; it is in git with your edits: {edits}",
            file=sys.stderr,
        )


def move_the_rest() -> None:
    """Move what people put beside the generated files, in git or not."""
    for folder in ("certs", *(path.name for path in Path().glob("tf*/"))):
        for path in sorted(Path(folder).rglob("*"), reverse=True):  # files before their folder
            target = Path("images", path)
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()
            elif path.is_file() and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                path.rename(target)
        if Path(folder).is_dir() and not any(Path(folder).iterdir()):
            Path(folder).rmdir()


def main(template: str, release: str) -> None:
    """Carry everything over.

    Args:
        template: Path of the template's repository.
        release: Release of the last update.
    """
    names = of_last_commit(Path())
    with tempfile.TemporaryDirectory() as folder:
        rendered = Path(folder, Path.cwd().name)
        render(template, release, rendered)
        for path in sorted(rendered.rglob("*")):
            old = path.relative_to(rendered).as_posix()
            new = new_path(old) if path.is_file() else None
            if new is None:
                continue
            if old in names:
                carry_over(old, new, path.read_bytes())
            elif new:
                Path(new).unlink(missing_ok=True)  # deleted by hand stays deleted
    move_the_rest()


if __name__ == "__main__":
    main(*sys.argv[1:])
