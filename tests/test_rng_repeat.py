import torch

from vgen import rng


def draw():
    rows = rng.draw_rows(2, lambda n, g: torch.rand(n, generator=g))
    return torch.cat([rows, torch.rand(2)])


def test_repeats_draws_of_the_stream_and_of_the_default_generator():
    torch.manual_seed(0)
    with rng.use_stream(rng.BatchStream(rng.generator(0), 1, 2)):
        marked = rng.mark()
        first, second = draw(), draw()
        with rng.repeat(marked):
            assert torch.equal(draw(), first)
            assert torch.equal(draw(), second)
        third = draw()
    torch.manual_seed(0)
    with rng.use_stream(rng.BatchStream(rng.generator(0), 1, 2)):
        assert torch.equal(
            torch.stack([draw() for _ in range(3)])[2], third
        )  # as if nothing had been repeated


def test_without_a_mark_draws_are_new():
    with rng.use_stream(rng.BatchStream(rng.generator(0))):
        first = draw()
        with rng.repeat(None):
            assert not torch.equal(draw(), first)


def test_outside_a_stream():
    torch.manual_seed(3)
    marked = rng.mark()
    first = draw()
    with rng.repeat(marked):
        assert torch.equal(draw(), first)


def test_default_generators_start_as_torch_seeds_them_and_nothing_is_queued():
    torch.manual_seed(7)
    wanted = torch.rand(3)
    queued = len(torch.cuda._queued_calls)
    for _ in range(3):
        rng.seed_default(7, torch.device("cpu"))
    assert torch.equal(torch.rand(3), wanted)
    assert len(torch.cuda._queued_calls) == queued  # torch.manual_seed adds a stack trace at every call
