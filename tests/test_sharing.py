"""Who shares a container, and what that saves, follows from the catalogue alone."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from extensions import catalogue, sharing
from extensions.release import UBUNTU
from extensions.sharing import ONE, PER_CUDA, PER_VERSION

RELEASES = catalogue.releases()
EVERY_GROUP = {group.entry: group for group in sharing.groups(RELEASES, PER_CUDA)}

chosen = st.sets(st.sampled_from(list(RELEASES)), min_size=1)


@given(versions=chosen, way=st.sampled_from(sharing.WAYS))
def test_every_chosen_release_is_in_one_container_and_no_other_is(
    versions: set[str], way: str
) -> None:
    placed = [r.version for group in sharing.groups(versions, way) for r in group.releases]
    assert sorted(placed) == sorted(versions)


@given(versions=chosen, more=chosen)
def test_a_release_that_joins_moves_no_container_and_changes_no_image(
    versions: set[str], more: set[str]
) -> None:
    before = [(g.entry, g.base) for g in sharing.groups(versions, PER_CUDA)]
    after = [(g.entry, g.base) for g in sharing.groups(versions | more, PER_CUDA)]
    assert [group for group in after if group in before] == before


def test_a_shared_container_is_on_the_newest_sound_image_of_its_line() -> None:
    assert {name: group.base.rpartition(":")[2] for name, group in EVERY_GROUP.items()} == {
        "cuda10.0": "1.15.5-gpu",
        "1.15.5-nv22.12": "22.12-tf1-py3",
        "1.15.5-nv23.03": "23.03-tf1-py3",
        "cuda10.1": "2.3.4-gpu",
        "cuda11.0": "2.4.3-gpu",
        "cuda11.2": "2.11.0-gpu",
        "cuda11.8": "2.14.0-gpu",
        "cuda12.3": "2.17.0-gpu",
        "cuda12.8": "24.04",
        "2.17.0-nv25.02": "25.02-tf2-py3",
    }


def test_all_of_a_shared_container_are_environments_and_what_is_an_image_only_is_alone() -> None:
    for group in EVERY_GROUP.values():
        if group.shared:
            assert group.environments == group.releases
            assert all(release.installable for release in group.releases)
        else:
            (alone,) = group.releases
            assert not alone.installable


def test_sharing_the_whole_catalogue_saves_three_fifths_of_the_gigabytes() -> None:
    alone, shared = (sharing.cost(RELEASES, way) for way in (PER_VERSION, PER_CUDA))
    assert alone.containers == len(RELEASES)
    assert shared.containers == shared.images == len(EVERY_GROUP)
    assert shared.gigabytes <= 0.4 * alone.gigabytes


def test_containers_on_one_image_count_it_once() -> None:
    both = sharing.cost(["2.17.0", "2.17.1"], PER_VERSION)
    assert (both.containers, both.images, both.environments) == (2, 1, 1)


def test_the_costs_of_all_ways_are_given_where_their_images_differ() -> None:
    alone = "per-version: 2 containers, images 12 GB, 8 min"
    shared = "per-cuda: 1 container, images 6 GB, environments 3 GB, 6 min"
    one = "one: 1 container, images 0.1 GB, environments 6 GB, 6 min"
    both = ["2.9.1", "2.11.0"]
    assert sharing.outlook(both, PER_VERSION) == f"{alone}\n{shared}\n{one}"
    assert sharing.outlook(both, ONE) == f"{one}\n{alone}\n{shared}"
    assert sharing.choices(both) == [[alone, PER_VERSION], [shared, PER_CUDA], [one, ONE]]
    # per-cuda has the same images here
    assert sharing.outlook(["1.15.5", "2.17.0"], PER_VERSION).count("\n") == 1


def test_the_cost_of_all_releases_fits_a_terminal() -> None:
    assert all(len(label) <= 74 for label, _ in sharing.choices(RELEASES))


def test_one_container_without_cuda_has_all_that_are_no_image_only() -> None:
    made = {group.entry: group for group in sharing.groups(RELEASES, ONE)}
    everything = made.pop(sharing.ENTRY)
    assert everything.base == "ubuntu:24.04"
    assert not everything.toolkit.packages
    assert everything.environments == everything.releases
    assert not [group for group in made.values() for r in group.releases if r.installable]
    # a driver for the most demanding of those that are chosen
    (few,) = sharing.groups(["1.15.5", "2.9.3"], ONE)
    assert few.toolkit.driver == "450.80.02"


def test_environments_bring_their_own_cuda_only_where_the_container_has_none() -> None:
    for way, name in ((PER_VERSION, "tf2.9.3"), (PER_CUDA, "tf2.9.3"), (ONE, "tf2.9.3-cuda")):
        (group,) = sharing.groups(["2.9.3"], way)
        assert group.environment_of(RELEASES["2.9.3"]) == name
        (group,) = sharing.groups(["2.17.0"], way)
        assert group.environment_of(RELEASES["2.17.0"]) == "tf2.17.0"


def test_one_container_takes_a_hundredth_of_the_images_and_half_of_all() -> None:
    installable = [version for version, release in RELEASES.items() if release.installable]
    alone, one = (sharing.cost(installable, way) for way in (PER_VERSION, ONE))
    assert one.gigabytes <= alone.gigabytes / 100
    total = [cost.gigabytes + cost.environment_gigabytes for cost in (one, alone)]
    assert total[0] <= total[1] / 2


def test_who_shares_is_told_in_words_and_who_cannot_and_why() -> None:
    assert sharing.partition(["1.15.5-nv23.03", "2.9.1", "2.11.0", "2.17.0"]) == (
        "cuda11.2 for 2.9.1, 2.11.0; cuda12.3 for 2.17.0; "
        "none for 1.15.5-nv23.03: it is only in its image"
    )


def test_the_newest_of_a_line_comes_last_in_the_catalogue() -> None:
    for older, newer in pairwise(catalogue.toolkits().values()):
        if older.line == newer.line:
            ages = [list(UBUNTU).index(t.codename) for t in (older, newer)]
            assert ages == sorted(ages)


# --- the plan is shown before anything is written ---------------------------------------------


def test_by_pretend(
    copier_template: Path,
    article: dict[str, Any],
    copier_command: Callable[..., str],
    tmp_path: Path,
) -> None:
    given = {name: answer for name, answer in article.items() if name != "ports"}
    (tmp_path / "answers.yml").write_text(yaml.safe_dump({**given, "containers": PER_CUDA}))
    said = copier_command(
        "copy", "--trust", "--defaults", "--pretend", "--data-file=answers.yml",
        str(copier_template), "gpu01", cwd=tmp_path,
    )  # fmt: skip
    assert "    per-cuda: 2 containers, images 10 GB, environments 6 GB, " in said
    assert "    shared: cuda10.0 for 1.15.5; cuda12.3 for 2.17.0\n" in said
    assert not (tmp_path / "gpu01").exists()
