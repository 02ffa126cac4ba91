"""How long generating takes, beside a template that has nothing to work out.

The baseline is a template of the same questions and the same output, but with
fixed defaults, no checks, no extension, and every file but the answers file
copied as it is. Copier gets both in the same way: from a local git repository with
the same history and the same other files.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from bench.common import ROOT, Row, at_most, clone_template, copy_command, release, run, seconds
from extensions import catalogue, sharing
from extensions.gpus import GENERATIONS

ANSWERS = ROOT / "example/answers.yml"
ANSWERS_FILE = ".copier-answers.yml"
ANSWERS_TEMPLATE = "template/host/{{_copier_conf.answers_file}}.jinja"
GOAL = 1.25


def measure(repetitions: int = 9) -> list[Row]:
    """Generate the example's directory again and again, in turn with the baselines."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        work = Path(folder)
        ours = clone_template(work / "ours")
        run(*copy_command(ours, ANSWERS, work / "rendered"))
        plain = plain_template(ours, work / "rendered", work / "plain")
        run(*copy_command(plain, ANSWERS, work / "rendered-plain"))
        assert content(work / "rendered") == content(work / "rendered-plain")

        target = work / "target"
        commands = {
            "ours": copy_command(ours, ANSWERS, target),
            "plain": copy_command(plain, ANSWERS, target),
            "import": [sys.executable, "-c", "import copier"],
        }
        taken: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(repetitions):
            for name, command in commands.items():
                taken[name].append(seconds(*command))
                shutil.rmtree(target, ignore_errors=True)

    middle = {name: median(times) for name, times in taken.items()}
    what = f"generate the example, median of {repetitions}"
    return [
        at_most(
            what,
            f"{middle['ours']:.2f} s",
            f"{middle['plain']:.2f} s: the same files, ready-made, from a plain template",
            middle["ours"] / middle["plain"],
            GOAL,
        ),
        Row(
            what,
            f"{middle['ours']:.2f} s",
            f"{middle['import']:.2f} s: `import copier`, and nothing else",
            middle["ours"] / middle["import"],
        ),
    ]


def plain_template(ours: Path, rendered: Path, target: Path) -> Path:
    """Make the baseline's repository from our template and what it rendered; return it."""
    settings = yaml.safe_load((ours / "copier.yml").read_text(encoding="utf-8"))
    answers = yaml.safe_load((rendered / ANSWERS_FILE).read_text(encoding="utf-8"))
    plain = {
        name: value if name.startswith("_") else plain_question(value, answers[name])
        for name, value in settings.items()
        if name not in ("_jinja_extensions", "_migrations")  # which call extensions
        and not name.startswith("_message")
        and (name.startswith("_") or name in answers)  # those of the other kinds are not asked
    }
    plain["tf_versions"]["choices"] = catalogue.base().choices(answers["tf_versions"])
    plain["containers"]["choices"] = list(sharing.WAYS)
    plain["gpus"]["choices"] = list(GENERATIONS)
    for name, question in plain.items():
        if not name.startswith("_") and "{{" in question["help"]:  # worked out from the answers
            question["help"] = name

    shutil.copytree(ours, target)
    shutil.rmtree(target / "template")
    shutil.copytree(rendered, target / "template/host")
    (target / "template/host" / ANSWERS_FILE).unlink()
    shutil.copy(ours / ANSWERS_TEMPLATE, target / ANSWERS_TEMPLATE)
    text = yaml.safe_dump(plain, allow_unicode=True, sort_keys=False)
    (target / "copier.yml").write_text(text, encoding="utf-8")
    run("git", "-C", target, "add", "--all", "--force")
    return release(target)


def plain_question(question: dict[str, Any], default: Any) -> dict[str, Any]:
    """Return the question with a fixed default, without a check."""
    kept = ("type", "help", "placeholder", "multiselect", "choices")
    return {**{key: question[key] for key in kept if key in question}, "default": default}


def content(folder: Path) -> dict[str, Any]:
    """Return path and content of every file, without what names the template it comes from."""
    files: dict[str, Any] = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    answers = yaml.safe_load(files[ANSWERS_FILE])
    files[ANSWERS_FILE] = {k: v for k, v in answers.items() if k not in ("_src_path", "_commit")}
    return files
