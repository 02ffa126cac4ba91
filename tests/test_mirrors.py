"""One answer tells apt, pip and conda where to download from."""

from __future__ import annotations

import pytest

from extensions import mirrors


def test_none_leaves_every_source_alone() -> None:
    assert mirrors.urls("none") is None


@pytest.mark.parametrize("answer", ["https://mirror.example.com", "https://mirror.example.com/"])
def test_a_base_url_serves_all(answer: str) -> None:
    assert mirrors.urls(answer) == mirrors.Urls(
        "https://mirror.example.com/ubuntu",
        "https://mirror.example.com/pypi/simple",
        "https://mirror.example.com/anaconda",
        "https://mirror.example.com/docker-ce",
    )


def test_pip_must_trust_a_mirror_by_http_and_no_other() -> None:
    plain, encrypted = (
        mirrors.urls("http://mirror.lan:8080/all"),
        mirrors.urls("https://mirror.lan"),
    )
    assert plain and encrypted
    assert (plain.trusted_host, encrypted.trusted_host) == ("mirror.lan", "")


@pytest.mark.parametrize("name", mirrors.KNOWN)
def test_a_known_mirror_has_an_address_for_each(name: str) -> None:
    urls = mirrors.KNOWN[name]
    assert urls.apt.endswith("/ubuntu")
    assert urls.pip.endswith("/simple")
    assert urls.conda.endswith("/anaconda")
    assert urls.docker.endswith("/docker-ce")
    assert urls.trusted_host == ""
