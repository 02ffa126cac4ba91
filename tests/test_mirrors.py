"""One answer tells apt, pip and conda where to download from."""

from __future__ import annotations

import pytest

from extensions import mirrors


def test_none_leaves_every_source_alone() -> None:
    assert mirrors.urls("none") is None


@pytest.mark.parametrize("answer", ["https://mirror.example.com", "https://mirror.example.com/"])
def test_a_base_url_serves_all_three(answer: str) -> None:
    assert mirrors.urls(answer) == mirrors.Urls(
        "https://mirror.example.com/ubuntu",
        "https://mirror.example.com/pypi/simple",
        "https://mirror.example.com/anaconda",
    )


@pytest.mark.parametrize("name", mirrors.KNOWN)
def test_a_known_mirror_has_an_address_for_each(name: str) -> None:
    urls = mirrors.KNOWN[name]
    assert urls.apt.endswith("/ubuntu")
    assert urls.pip.endswith("/simple")
    assert urls.conda.endswith("/anaconda")
