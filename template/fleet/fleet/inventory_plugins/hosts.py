"""Every directory in hosts/ is a server: its recorded answers are the inventory."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.inventory import BaseInventoryPlugin, Constructable

DOCUMENTATION = """
name: hosts
short_description: The directories in hosts/ as servers
description:
  - A server has the name that was answered to the question host.
  - Its variables are folder, answers, logins (version, alias and port of each TensorFlow),
    people (name and aliases of who has containers of their own), directories (question and
    path of what people write to) and aliases (its ssh_config without comments, empty where
    there is none).
extends_documentation_fragment: [constructed]
options:
  plugin:
    description: The name of this plugin.
    required: true
    choices: [hosts]
"""

ANSWERS = ".copier-answers.yml"


class InventoryModule(BaseInventoryPlugin, Constructable):
    """Reads the folder hosts/ beside the folder of the inventory."""

    NAME = "hosts"

    def parse(
        self, inventory: InventoryData, loader: DataLoader, path: str, cache: bool = True
    ) -> None:
        """Add a server for each directory.

        Raises:
            AnsibleParserError: a directory was not generated, or there is none.
        """
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        hosts = Path(path).resolve().parent.parent / "hosts"
        folders = sorted(f for f in hosts.glob("[!.]*") if f.is_dir())
        if not folders:
            raise AnsibleParserError(f"{hosts} has no directory of a server; generate one there")
        for folder in folders:
            answers = read_answers(folder)
            name = answers["host"]
            if name in inventory.hosts:
                raise AnsibleParserError(
                    f"host '{name}' of {folder} is also that of another directory; answer one of "
                    "them with another name"
                )
            inventory.add_host(name)
            aliases = read_aliases(folder)
            variables = {
                "folder": str(folder),
                "answers": answers,
                "aliases": aliases,
                "logins": logins(answers, aliases),
                "people": people(answers, aliases),
                "directories": directories(answers),
            }
            for key, value in variables.items():
                inventory.set_variable(name, key, value)
            self._add_host_to_keyed_groups(
                self.get_option("keyed_groups"), variables, name, strict=True
            )
            self._add_host_to_composed_groups(
                self.get_option("groups"), variables, name, strict=True
            )


def read_answers(folder: Path) -> dict[str, Any]:
    """Return the answers that a directory was generated from.

    Raises:
        AnsibleParserError: it was not generated, or not as that of a server.
    """
    file = folder / ANSWERS
    try:
        answers = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise AnsibleParserError(
            f"{folder} has no {ANSWERS}, so it was not generated; move it out of hosts/"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise AnsibleParserError(f"{file} is not YAML; restore it from git") from None
    if not isinstance(answers, dict) or answers.get("kind", "host") != "host":
        raise AnsibleParserError(f"{file} is not of kind: host; move the directory out of hosts/")
    if missing := {"host", "tf_versions"} - set(answers):
        raise AnsibleParserError(
            f"{file} lacks {' and '.join(sorted(missing))}; restore it from git"
        )
    return answers


def read_aliases(folder: Path) -> str:
    """Return the ssh_config of a directory without comments, empty where there is none."""
    file = folder / "ssh_config"
    if not file.is_file():
        return ""
    return re.sub(r"^#.*\n", "", file.read_text(encoding="utf-8"), flags=re.MULTILINE).strip()


def logins(answers: dict[str, Any], aliases: str) -> list[dict[str, str]]:
    """Return version, ssh alias and port of each TensorFlow, the last two empty without ssh."""
    ports = dict(re.findall(r"^Host (\S+)\n +Port (\d+)$", aliases, flags=re.MULTILINE))
    rows = []
    for version in answers["tf_versions"]:
        # as services have it
        service = ("tf" if version[0].isdigit() else "") + version.replace(".post", "-post")
        alias = f"{answers['host']}-{service}"
        port = ports.get(alias, "")
        rows.append({"version": version, "alias": alias if port else "", "port": port})
    return sorted(rows, key=lambda row: [int(n) for n in re.findall(r"\d+", row["version"])])


def read_people(answers: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return who has containers of their own, by name; an answer of --data is text."""
    answer = answers.get("people") or {}
    return dict(yaml.safe_load(answer) if isinstance(answer, str) else answer)


def people(answers: dict[str, Any], aliases: str) -> list[dict[str, Any]]:
    """Return name and ssh aliases of each person, none of the aliases without ssh."""
    known = re.findall(r"^Host (\S+)\n +Port ", aliases, flags=re.MULTILINE)
    rows = []
    for name in read_people(answers):
        begin = f"{answers['host']}-{name}-"
        container = r"(tensorflow|(tf|cuda|[a-z][a-z0-9]*-)\d.*)"
        hers = [one for one in known if re.fullmatch(re.escape(begin) + container, one)]
        rows.append({"name": name, "aliases": hers})
    return rows


def directories(answers: dict[str, Any]) -> list[dict[str, str]]:
    """Return the directories that people and containers write to, each with its question."""
    paths = [(name, answers.get(name, "")) for name in ("project_path", "host_home", "conda_path")]
    for name, person in read_people(answers).items():
        home = person.get("home", f"/home/{name}")
        paths += [("people", home), ("people", person.get("project", f"{home}/tensorflow_volume"))]
    return [{"question": name, "path": path} for name, path in paths if path]
