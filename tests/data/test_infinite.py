from itertools import chain, islice

import pytest

from vgen.data.infinite import InfiniteBatches


def flat(batches) -> list[tuple[int, int]]:
    return list(chain.from_iterable(batches))


def take(steps: int, **arguments) -> list[list[tuple[int, int]]]:
    batches = InfiniteBatches(**{"videos": 7, "batch": 6, "seed": 3, **arguments})
    return [[tuple(draw) for draw in batch] for batch in islice(batches, steps)]


@pytest.mark.parametrize("world", [1, 2, 3, 6])
@pytest.mark.parametrize("start", [0, 5, 41])
def test_any_number_of_ranks_shares_the_same_batches(world, start):
    ranks = [take(9, start=start, rank=rank, world=world) for rank in range(world)]
    joined = [flat(rank[step] for rank in ranks) for step in range(9)]
    assert joined == take(9, start=start)


@pytest.mark.parametrize("consumed", [6, 7, 13, 1000])
def test_resuming_equals_going_on(consumed):
    stream = flat(take(200))
    assert flat(take(20, start=consumed)) == stream[consumed : consumed + 120]


def test_resuming_with_another_batch_goes_on_too():
    stream = flat(take(200))
    assert flat(take(10, start=18, batch=4)) == stream[18:58]


@pytest.mark.parametrize("videos", [1, 4, 7, 100])
def test_every_video_once_per_pass(videos):
    stream = flat(take(-(-5 * videos // 6), videos=videos))
    assert [position for position, _ in stream] == list(range(len(stream)))
    passes = [[video for _, video in stream[k * videos : (k + 1) * videos]] for k in range(5)]
    assert all(sorted(one) == list(range(videos)) for one in passes)
    if videos == 100:
        assert len({tuple(one) for one in passes}) == 5


def test_the_order_follows_from_the_seed():
    assert take(5) == take(5) != take(5, seed=4)


def test_iterating_again_begins_again():
    batches = InfiniteBatches(videos=5, batch=2, seed=0, start=3)
    assert list(islice(batches, 4)) == list(islice(batches, 4))


def test_says_what_is_wrong():
    with pytest.raises(ValueError, match="no videos"):
        InfiniteBatches(videos=0, batch=2, seed=0)
    with pytest.raises(ValueError, match="batch of 6 clips cannot be split over 4 processes"):
        InfiniteBatches(videos=5, batch=6, seed=0, world=4)
    with pytest.raises(ValueError, match="rank 2 of 2"):
        InfiniteBatches(videos=5, batch=6, seed=0, rank=2, world=2)
