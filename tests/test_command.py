"""The first command of the README: where it finds the template that it was installed from."""

from __future__ import annotations

import json
from typing import Any

import pytest

from copier_tensorflow_host import template

URL = "https://git.example.com/lab/copier-tensorflow-host"


@pytest.mark.parametrize(
    ("info", "given"),
    [
        ({"commit_id": "1f3c"}, [f"git+{URL}"]),
        ({"commit_id": "1f3c", "requested_revision": "1.1.0"}, ["--vcs-ref=1.1.0", f"git+{URL}"]),
    ],
    ids=["the newest release", "a release"],
)
def test_copier_takes_the_repository_that_it_was_installed_from(
    info: dict[str, Any], given: list[str]
) -> None:
    assert template(json.dumps({"url": URL, "vcs_info": {"vcs": "git", **info}})) == given


@pytest.mark.parametrize("installed", [None, '{"url": "file:///srv/clone", "dir_info": {}}'])
def test_without_a_repository_it_says_how_to_run_it(installed: str | None) -> None:
    with pytest.raises(SystemExit, match=r"not installed from a repository; run: uvx git\+URL"):
        template(installed)
