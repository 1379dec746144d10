import pytest
import torch

from vgen import rng
from vgen.clip import regular_times
from vgen.layer.content_path import PATH, REACHED, along_path, draw_path, keep_some


def draw(batch: int, generator: torch.Generator) -> torch.Tensor:
    return torch.randn(batch, 3, generator=generator)


def path(times, *, distance=10.0, seed=0, batch=None):
    batch = len(times) if batch is None else batch
    return draw_path(draw, times, rng.generator(seed), batch=batch, distance=distance)


def at(times, **which):
    drawn = path(times, **which)
    return along_path(drawn[PATH].double(), drawn[REACHED], times)


def test_any_part_of_the_way_is_drawn_by_itself():
    times = (torch.arange(60.0) * 0.7 - 20.3).expand(3, -1)
    whole = at(times)
    for length in (1, 7):
        torch.testing.assert_close(torch.cat([at(part) for part in times.split(length, 1)], 1), whole)
    assert not torch.allclose(at(times, seed=1), whole)
    assert not torch.allclose(whole[0], whole[1])


def test_the_way_is_straight_between_contents_a_distance_apart():
    times = regular_times(2, 400, 0.125) - 13
    codes = at(times)
    steps = codes.diff(dim=1)
    assert steps.norm(dim=2).max() < 0.125 / 10 * 12, "no jump"
    bends = (steps.diff(dim=1).norm(dim=2) > 1e-6).sum(1)  # a bend between two frames shows twice
    assert ((bends >= 4) & (bends <= 10)).all()
    drawn = path(times)
    assert (drawn[REACHED].diff(dim=1) == 2560).all()
    reached = along_path(drawn[PATH].double(), drawn[REACHED], drawn[REACHED][:, 1:-1] / 256)
    torch.testing.assert_close(reached, drawn[PATH][:, 1:-1].double())


def test_far_out_it_moves_as_it_does_at_the_start():
    times = 2.0**17 + regular_times(4, 40, 0.25)
    assert (at(times).diff(dim=1).norm(dim=2) > 0).all()
    # One row of times serves a batch, and starts lie anywhere between two contents.
    starts = path(regular_times(1, 2), batch=500)[REACHED][:, 0] / 256
    assert starts.min() > -10
    assert starts.max() <= 0
    assert abs(starts.mean() + 5) < 0.5


def test_the_source_of_draws_stays_where_it_is():
    one, two = rng.generator(3), rng.generator(3)
    drawn = draw_path(draw, regular_times(2, 4), one, batch=2, distance=5.0)
    keep_some(drawn, torch.zeros(2, 3), one, probability=0.5)
    assert torch.equal(torch.rand(5, generator=one), torch.rand(5, generator=two))


def test_who_keeps_the_content_keeps_it_all_along():
    times = regular_times(2000, 30, 3)
    content = torch.full((2000, 3), 7.0)
    drawn = path(times)
    some = keep_some(drawn, content, rng.generator(0), probability=0.3)
    codes = along_path(some[PATH], some[REACHED], times)
    kept = (some[REACHED][:, 1] != drawn[REACHED][:, 1]).squeeze()
    assert abs(kept.double().mean() - 0.7) < 0.03
    assert torch.equal(codes[kept], torch.full_like(codes[kept], 7.0))
    assert torch.equal(codes[~kept], along_path(drawn[PATH], drawn[REACHED], times)[~kept])


def test_other_times_are_refused():
    drawn = path(regular_times(1, 4))
    for times in (regular_times(1, 4) + 40, regular_times(1, 4) - 40):
        with pytest.raises(ValueError, match="drawn for other times"):
            along_path(drawn[PATH], drawn[REACHED], times)


def test_the_way_is_one_compiled_graph():
    times = regular_times(2, 5, 4)
    drawn = path(times)
    compiled = torch.compile(along_path, backend="aot_eager", fullgraph=True)
    given = drawn[PATH], drawn[REACHED], times
    torch.testing.assert_close(compiled(*given), along_path(*given))
