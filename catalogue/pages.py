"""docs/releases.md and docs/zh/releases.md: the catalogue as a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from extensions import catalogue
from extensions.drivers import Drivers
from extensions.editors import extensions_for
from extensions.gpus import COMPUTE_CAPABILITIES, EXAMPLES, GENERATIONS
from extensions.release import Release

DOCS = Path(__file__).parents[1] / "docs"
WHY = {
    "sees no GPU": "看不到 GPU",
    "is on Ubuntu 16.04, too old for this": "基于 Ubuntu 16.04，过旧",
}
"""Why an own image is not used, in Chinese."""


@dataclass(frozen=True)
class Words:
    """The words of a page in one language."""

    path: Path
    head: str
    gpu_columns: str
    releases_head: str
    release_columns: str
    foot: str
    environment: str
    no_image: str
    by_conda: str
    own_image: str
    slow: str
    data_center: str
    newer: str
    newest: str
    debugger: str
    test_explorer: str
    none: str
    nvidia: str
    to: str
    """Between the first and the last of a range."""
    comma: str
    """Between two of a list."""
    semicolon: str
    generation: str
    """A GPU generation and its examples."""


ENGLISH = Words(
    path=DOCS / "releases.md",
    head="""# Which TensorFlow runs on which GPU

What [the catalogue](../extensions/catalogue.yaml) has on every TensorFlow release with GPU support
since 1.13; it also has the sources. `python -m catalogue pages` writes this page.

## Which TensorFlow runs on my GPU

`nvidia-smi -L` prints the name of your GPU. A release in *italics* compiles for that GPU at its
first start, half an hour or more; one with `?` may run, which could not be verified.
""",
    gpu_columns=(
        "| GPU | compute capability | official images | newest environment | NVIDIA's builds |"
    ),
    releases_head="""
## Every release

An *environment* is a conda environment in a container on another release's image, since the
release has no usable image of its own. A driver with `+` means that one and newer ones of its
branch; drivers of branches between are refused by the image. *slow* marks GPUs for which the
release compiles at its first start. Ubuntu, CUDA and cuDNN are those of the image; an environment
of 2.15.0.post1 or newer brings CUDA and cuDNN of its own. *VS Code* is *newest* if the newest
extensions *Python*, *Python Debugger*, *Pylance* and *Jupyter* support this Python; otherwise it is
the version of *Python Debugger*, and that of *Python* for its test explorer: see the
[guide](guide.md#visual-studio-code).
""",
    release_columns=(
        "| release | image | Ubuntu | CUDA | cuDNN | Python | VS Code | NVIDIA driver | GPUs |"
    ),
    foot="""
The tag `latest-gpu` is the newest release, even if its image sees no GPU: choose the newest above
that has an image of its own.
""",
    environment="environment on `{image}`",
    no_image="no image",
    by_conda="environment with its own CUDA, conda-forge's build",
    own_image="[its image {why}]({link})",
    slow="{} slow",
    data_center="on data-centre GPUs also {drivers}",
    newer="{driver} or newer",
    newest="newest",
    debugger="Debugger",
    test_explorer="tests: Python",
    none="none",
    nvidia=", NVIDIA's own build",
    to="to",
    comma=", ",
    semicolon="; ",
    generation="{} ({})",
)
CHINESE = Words(
    path=DOCS / "zh/releases.md",
    head="""# 哪个 TensorFlow 能在哪种 GPU 上运行

[catalogue.yaml](../../extensions/catalogue.yaml) 记录了 1.13 以来每个支持 GPU 的 TensorFlow
版本及其依据。本页由 `python -m catalogue pages` 生成。

## 我的 GPU 能运行哪个 TensorFlow

`nvidia-smi -L` 会显示 GPU 的名称。*斜体*版本在该 GPU 上首次启动时需要编译，耗时半小时或更久；
带 `?` 的版本可能可用，但无法核实。
""",
    gpu_columns="| GPU | 计算能力 | 官方镜像 | 最新的环境 | NVIDIA 构建的版本 |",
    releases_head="""
## 所有版本

*环境*指 conda 环境：该版本没有可用的官方镜像，因此在基于其他版本镜像的容器中提供。驱动版本后的 `+`
表示该版本及同一分支的更新版本；镜像会拒绝处于两个分支之间的驱动。Ubuntu、CUDA 和 cuDNN
均指镜像中的版本；2.15.0.post1 及更新版本的环境自带 CUDA 和 cuDNN。*VS Code* 列为*最新*时，
最新的扩展 *Python*、*Python Debugger*、*Pylance* 和 *Jupyter* 都支持该 Python；否则给出
*Python Debugger* 的版本，以及使用测试资源管理器时 *Python* 的版本：
见[日常使用](guide.md#visual-studio-code)。
""",
    release_columns=(
        "| 版本 | 镜像 | Ubuntu | CUDA | cuDNN | Python | VS Code | NVIDIA 驱动 | GPU |"
    ),
    foot="""
标签 `latest-gpu` 始终指向最新版本，即使其镜像看不到 GPU：请选择上表中有自己的镜像的最新版本。
""",
    environment="环境，基于 `{image}`",
    no_image="没有镜像",
    by_conda="自带 CUDA 的环境，由 conda-forge 构建",
    own_image="[其镜像{why}]({link})",
    slow="{}（首次启动需编译）",
    data_center="数据中心 GPU 还可用 {drivers}",
    newer="{driver} 或更新",
    newest="最新",
    debugger="Debugger",
    test_explorer="测试用 Python 扩展",
    none="无",
    nvidia="，由 NVIDIA 构建",
    to="至",
    comma="、",
    semicolon="；",
    generation="{}（{}）",
)


def _span(values: Sequence[str], words: Words) -> str:
    return f"{values[0]} {words.to} {values[-1]}" if len(values) > 1 else values[0]


def _groups(generation: str, releases: Sequence[Release], words: Words) -> str:
    """Return the releases that run, compile, or may run on a generation, each as a range."""
    kinds = (
        ("{}", [r.version for r in releases if generation in r.gpus.runs]),
        ("*{}*", [r.version for r in releases if generation in r.gpus.slow]),
        ("{}?", [r.version for r in releases if generation in r.gpus.unverified]),
    )
    return words.comma.join(mark.format(_span(v, words)) for mark, v in kinds if v) or words.none


def _each(generation: str, releases: Sequence[Release], words: Words) -> str:
    """Return the releases that run, or may run, on a generation, one by one."""
    marked = [r.version for r in releases if generation in r.gpus.runs]
    marked += [f"{r.version}?" for r in releases if generation in r.gpus.unverified]
    return words.comma.join(marked) or words.none


def _gpu_rows(words: Words) -> list[str]:
    releases = list(catalogue.releases().values())
    official = [r for r in releases if r.own_image and r.image.startswith("tensorflow/")]
    nvidia = [r for r in releases if r.image.startswith("nvcr.io/")]
    rows = []
    for generation in reversed(GENERATIONS):
        environments = [
            release
            for release in releases
            if release.installable and generation in release.gpus.runs + release.gpus.slow
        ]
        newest = _groups(generation, environments[-1:], words) if environments else words.none
        cells = [
            words.generation.format(generation, _listed(EXAMPLES[generation], words)),
            words.comma.join(COMPUTE_CAPABILITIES[generation]),
            _groups(generation, official, words),
            newest,
            _each(generation, nvidia, words),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def _drivers(drivers: Drivers, words: Words) -> str:
    newer = words.newer.format(driver=drivers.toolkit)
    shown = words.comma.join(filter(None, (_listed(drivers.branches_shown, words), newer)))
    if not drivers.data_center:
        return shown
    older = words.data_center.format(drivers=_listed(drivers.data_center_shown, words))
    return f"{shown}{words.semicolon}{older}"


def _listed(shown: str, words: Words) -> str:
    """Return an English list with the commas of a language."""
    return shown.replace(", ", words.comma)


def _image(release: Release, words: Words) -> str:
    if release.own_image:
        mark = "" if release.image.startswith("tensorflow/") else words.nvidia
        return f"`{release.image}`{mark}"
    environment = words.environment.format(image=release.image.rpartition(":")[2])
    if release.conda:
        return words.by_conda
    if not release.unusable:
        return f"{environment}{words.semicolon}{words.no_image}"
    why, link = release.unusable["why"], release.unusable["link"]
    why = WHY[why] if words is CHINESE else why
    return f"{environment}{words.semicolon}{words.own_image.format(why=why, link=link)}"


def _extensions(python: str, words: Words) -> str:
    few = extensions_for(python)
    both = ((words.debugger, few.debugger), (words.test_explorer, few.test_explorer))
    shown = words.comma.join(f"{name} {version}" for name, version in both if version)
    return shown or words.newest


def _release_row(release: Release, words: Words) -> str:
    toolkit, python = release.toolkit, release.python or release.environment_python
    cells = [
        release.version,
        _image(release, words),
        toolkit.ubuntu,
        toolkit.cuda,
        toolkit.cudnn or "?",
        python,
        _extensions(python.rstrip("?"), words),
        _drivers(toolkit.drivers, words),
        release.gpus.listed(words.to, words.slow, words.comma),
    ]
    return f"| {' | '.join(cells)} |"


def _table(columns: str, rows: list[str]) -> list[str]:
    return [columns, "|" + "---|" * (columns.count("|") - 1), *rows]


def page(words: Words) -> str:
    """Return a page in the language of the words."""
    releases = reversed(catalogue.releases().values())
    lines = [
        words.head,
        *_table(words.gpu_columns, _gpu_rows(words)),
        words.releases_head,
        *_table(words.release_columns, [_release_row(release, words) for release in releases]),
        words.foot,
    ]
    return "\n".join(lines)


def write() -> None:
    """Write the page in every language."""
    for words in (ENGLISH, CHINESE):
        words.path.write_text(page(words), encoding="utf-8")
