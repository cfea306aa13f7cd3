from hypothesis import given
from hypothesis import strategies as st

from atlas.engine.batches import batch_size, cut, places
from atlas.spec.facts import LayerFacts, Work
from atlas.spec.plan import Group, Job
from atlas.spec.recipe import Recipe

LAYER = LayerFacts("l", 1000, 3, 1, "conv", True, "relu", Work(1.0))
SOFT = 8  # images that go together through a network with roots or exponentials


def group(
    count: int, size: int = 128, name: str = "main", smallest: int = 2, repeats: int = 1
) -> tuple[Group, tuple[Job, ...]]:
    jobs = tuple(Job(channel, f"{name}/{channel}") for channel in range(count))
    return Group(LAYER, name, Recipe(size=size, repeats=repeats), "", jobs, smallest_batch=smallest), jobs


def automatic(size: int, gpu: bool = False, smallest: int = 2, repeats: int = 1) -> int:
    return batch_size(group(1, size, smallest=smallest, repeats=repeats)[0], "auto", gpu)


def sizes(groups: list[tuple[Group, tuple[Job, ...]]], asked: int | str, workers: int) -> list[int]:
    return [len(jobs) for _, jobs in cut(groups, asked, workers)]


def test_the_size_of_a_batch_goes_by_the_size_of_the_picture():
    found = {size: automatic(size) for size in (32, 128, 132, 192, 196, 512)}
    assert found == {32: 16, 128: 16, 132: 8, 192: 8, 196: 2, 512: 2}
    assert batch_size(group(1, 512)[0], 64, False) == 64


def test_a_batch_never_holds_less_than_what_it_is_filled_up_to():
    assert {size: automatic(size, smallest=SOFT) for size in (128, 192, 196)} == {128: 16, 192: 8, 196: 8}
    assert [automatic(224, smallest=SOFT, repeats=repeats) for repeats in (2, 3, 8, 16)] == [4, 8, 1, 1]
    assert [automatic(224, repeats=repeats) for repeats in (1, 2, 3, 16)] == [2, 1, 2, 1]
    assert sizes([group(16, 224, smallest=SOFT)], "auto", 2) == [8, 8]
    assert sizes([group(20, 128, smallest=SOFT), group(6, 224)], "auto", 8) == [8, 8, 4, 2, 2, 2]
    assert sizes([group(12, 128, repeats=16)], "auto", 64) == [1] * 12


def test_a_gpu_gets_more_at_once():
    found = {size: automatic(size, gpu=True) for size in (32, 128, 132, 192, 196, 256, 512)}
    assert found == {32: 64, 128: 64, 132: 32, 192: 32, 196: 16, 256: 16, 512: 2}
    assert [len(jobs) for _, jobs in cut([group(200)], "auto", 1, gpu=True)] == [64, 64, 64, 8]
    assert [len(jobs) for _, jobs in cut([group(64)], "auto", 1, gpu=True)] == [32, 32]


def test_many_jobs_come_in_full_batches():
    assert sizes([group(70)], "auto", 2) == [16, 16, 16, 16, 4, 2]
    assert sizes([group(20), group(9, 224)], 4, 1) == [4, 4, 4, 4, 4, 4, 4, 1]


def test_what_is_left_over_fills_up_few_places():
    assert [sizes([group(count)], 8, 1) for count in (8, 7, 6, 5, 3, 1)] == [[8], [7], [4, 2], [4, 1], [3], [1]]
    assert [sizes([group(count, smallest=SOFT)], 16, 1) for count in (15, 11, 9, 5)] == [[15], [11], [9], [5]]
    assert [places(group(1)[0], count) for count in (1, 2, 3, 5)] == [2, 2, 4, 8]
    assert [places(group(1, smallest=SOFT, repeats=4)[0], count) for count in (1, 3)] == [2, 4]


def test_few_jobs_are_cut_finer_until_no_batch_is_more_than_half_of_a_workers_share():
    assert sizes([group(16)], "auto", 2) == [4, 4, 4, 4]
    assert sizes([group(16)], "auto", 1) == [8, 8]
    assert sizes([group(16), group(16, 224)], "auto", 2) == [16, *[2] * 8]
    assert sizes([group(16), group(8, 224)], "auto", 3) == [4, 4, 4, 4, 2, 2, 2, 2]


def test_never_finer_than_two_and_never_finer_than_asked():
    assert sizes([group(5)], "auto", 64) == [2, 2, 1]
    assert sizes([group(16)], 16, 64) == [16]
    assert sizes([], "auto", 2) == []


@given(
    counts=st.lists(st.tuples(st.integers(0, 90), st.sampled_from([32, 128, 160, 224])), max_size=6),
    asked=st.sampled_from(["auto", 2, 4, 8, 16, 32, 64]),
    workers=st.integers(1, 40),
)
def test_every_job_is_in_just_one_batch_of_its_own_group(counts, asked, workers):
    groups = [group(count, size, f"r{index}") for index, (count, size) in enumerate(counts)]
    batches = list(cut(groups, asked, workers))
    assert [job for _, jobs in batches for job in jobs] == [job for _, jobs in groups for job in jobs]
    for own, jobs in batches:
        assert 1 <= len(jobs) <= batch_size(own, asked, False)
        assert all(job in own.jobs for job in jobs)
