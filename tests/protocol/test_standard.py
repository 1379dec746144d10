from types import SimpleNamespace

import pytest

from vgen.metric.frechet import FrechetDistance
from vgen.metric.kernel import KernelDistance
from vgen.protocol.standard import Standard

EXTRACTOR = SimpleNamespace(name="embedded", dim=4, min_frames=4, fingerprint="1a2b3c4d5e6f")


def standard(**changed):
    return Standard(**{"frames": 16, "size": 64, **changed})


def test_stamp_and_names():
    protocol = standard(count=256, fake_stride=2)
    assert protocol.stamp(FrechetDistance(), EXTRACTOR) == "fvd[embedded-1a2b3c4d,N-1,256x16f,s1/s2]"
    assert protocol.stamp(KernelDistance(), EXTRACTOR, clips=(256, 200)) == (
        "kvd[embedded-1a2b3c4d,deg3,gamma=1/D,coef1,256/200x16f,s1/s2]"
    )


def test_id_hashes_everything_but_the_name():
    base = standard().id("a")
    assert len(base) == 12
    assert int(base, 16) >= 0
    assert standard(name="mine").id("a") == base == standard().id("a")
    changes = {
        "frames": 15, "size": 32, "stride": 2, "fake_stride": 2, "count": 9, "seed": 1, "divisor": "N", "repeats": 2,
    }  # fmt: skip
    others = {standard(**{key: value}).id("a") for key, value in changes.items()} | {standard().id("b")}
    assert len(others - {base}) == len(changes) + 1
    assert set(changes) <= set(standard().settings())


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"count": 1}, "protocol.count=1"), ({"stride": 0}, "protocol.stride=0"), ({"divisor": "n"}, "divisor")],
)
def test_impossible_numbers(changed, said):
    with pytest.raises(ValueError, match=said):
        standard(**changed)


@pytest.mark.parametrize(
    ("changed", "metrics", "said"),
    [
        ({"frames": 3}, [FrechetDistance()], "at least 4 frames, the protocol has frames=3"),
        ({}, [], "no metric"),
        ({}, [FrechetDistance(), FrechetDistance()], "two metrics of one name"),
        ({"divisor": "N"}, [FrechetDistance()], "divides covariances by N-1, the protocol by N"),
    ],
)
def test_what_the_protocol_cannot_serve(changed, metrics, said):
    with pytest.raises(ValueError, match=said):
        standard(**changed).check(EXTRACTOR, metrics)
