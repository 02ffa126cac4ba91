"""One answer says where apt, pip and conda download from, and the host its programs."""

from __future__ import annotations

import pytest

from extensions.mirrors import PARTS, Urls, known, urls


def test_none_leaves_every_source_alone() -> None:
    assert urls("none") == Urls()


@pytest.mark.parametrize("answer", ["https://mirror.example.com", "https://mirror.example.com/"])
def test_a_base_url_serves_what_it_always_has(answer: str) -> None:
    assert urls(answer) == Urls(
        "https://mirror.example.com/ubuntu",
        "https://mirror.example.com/pypi/simple",
        "https://mirror.example.com/anaconda",
        "https://mirror.example.com/docker-ce",
    )


def test_a_map_takes_each_part_from_its_own_server_and_the_rest_from_the_original() -> None:
    answer = {"apt": "tuna", "pip": "https://nexus.example.com/repository/pypi/simple/"}
    assert urls(answer) == Urls(
        apt="http://mirrors.tuna.tsinghua.edu.cn/ubuntu",
        pip="https://nexus.example.com/repository/pypi/simple",
    )


def test_pip_must_trust_a_mirror_by_http_and_no_other() -> None:
    assert urls("http://mirror.lan:8080/all").trusted_host == "mirror.lan"
    assert urls("https://mirror.lan").trusted_host == ""
    assert urls("none").trusted_host == ""


@pytest.mark.parametrize("name", known())
def test_a_named_mirror_is_one_complete_entry(name: str) -> None:
    assert set(known()[name]) - {"source"} <= set(PARTS)
    assert known()[name]["source"].startswith("https://")
    found = urls(name)
    assert found.apt.startswith("http://")  # an image without CA certificates reads it
    assert found.apt.endswith("/ubuntu")
    assert found.pip.endswith("/simple")
    assert found.conda.endswith("/anaconda")
    assert found.docker.endswith("/docker-ce")
    assert found.nvidia.endswith("/libnvidia-container")
    assert found.trusted_host == ""


@pytest.mark.parametrize(
    ("name", "pip"),
    [
        ("aliyun", "https://mirrors.aliyun.com/pypi/simple"),
        ("tuna", "https://mirrors.tuna.tsinghua.edu.cn/pypi/web/simple"),
        ("ustc", "https://mirrors.ustc.edu.cn/pypi/simple"),
        ("bfsu", "https://mirrors.bfsu.edu.cn/pypi/web/simple"),
        ("nju", "https://mirror.nju.edu.cn/pypi/web/simple"),
        ("huawei", "https://mirrors.huaweicloud.com/repository/pypi/simple"),
        ("tencent", "https://mirrors.cloud.tencent.com/pypi/simple"),
    ],
)
def test_an_index_is_where_its_help_page_says(name: str, pip: str) -> None:
    assert urls(name).pip == pip
