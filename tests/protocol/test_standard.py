from types import SimpleNamespace

import numpy as np
import pytest
import torch

from vgen.data.shapes import Shapes
from vgen.data.stored import split_folder
from vgen.protocol.pairing import check_parts
from vgen.protocol.stamp import stamp
from vgen.protocol.standard import Standard

EXTRACTOR = SimpleNamespace(name="embedded", roles=("clip",), min_frames=4, fingerprint="1a2b3c4d5e6f")
I3D = SimpleNamespace(
    name="i3d", min_frames=9, fingerprint="99aabbccdd", stamp="eps1e-3", eps=1e-3, fit="squash"
)


def metric(*names: str, stamp: str = "N-1", **more) -> SimpleNamespace:
    return SimpleNamespace(names=names or ("fvd",), reads="clip", stamp=stamp, **more)


def standard(**changed) -> Standard:
    return Standard(**{"frames": 16, **changed})


# one change of every argument that decides a number, with what the others must be for it to be allowed
CHANGES = {
    "frames": 15, "size": 32, "resize": "squash", "resample": "cdfvd", "stride": 2, "fake_stride": 2,
    "real_clips": "first", "fake_clips": "random", "clips_per_video": 1, "hop": 2, "shortest": 40, "order": "sorted",
    "count": 9, "fakes": 7, "split": "train", "seed": 1, "repeats": 2, "divisor": "N", "eps": 1e-3, "kernel": "tf1",
    "fit": "crop", "pixels": "truncate",
}  # fmt: skip
NEEDS = {"hop": {"real_clips": "windows"}}


def test_stamps():
    protocol = standard(count=256, fake_stride=2)
    assert stamp("fvd", protocol, metric(), EXTRACTOR) == "fvd[embedded-1a2b3c4d,N-1,256x16f,s1/s2]"
    kernel = metric("kvd", stamp="deg3,gamma=1/D,coef1")
    assert stamp("kvd", protocol, kernel, EXTRACTOR, clips=(256, 200)) == (
        "kvd[embedded-1a2b3c4d,deg3,gamma=1/D,coef1,256/200x16f,s1/s2]"
    )
    published = standard(eps=1e-3, split="train")
    assert stamp("fvd", published, metric(), I3D) == "fvd[i3d-99aabbcc,N-1,eps1e-3,2048x16f,s1/s1,train]"
    everything = stamp("fvd", standard(count=None, fakes=2048, real_clips="random"), metric(), EXTRACTOR)
    assert everything == "fvd[embedded-1a2b3c4d,N-1,all/2048x16f,s1/s1,real=random]"


def test_a_rate_makes_a_protocol_of_its_own() -> None:
    plain = standard(count=256)
    slow = plain.at_rate(12.5)
    assert plain.at_rate(None).id() == plain.id() != slow.id()
    assert "fps" not in plain.settings()
    assert "12.5fps" in stamp("fvd", slow, metric(), EXTRACTOR)
    with pytest.raises(
        ValueError, match=r"protocol\.fps=12\.5: the model was trained on videos as they are stored"
    ):
        slow.at_rate(None)


def test_prediction_is_a_protocol_of_its_own():
    plain = standard(count=256)
    told = plain.continuing(2)
    assert (plain.given, told.given, told.settings()["given"]) == (0, 2, 2)
    assert told.id() != plain.id() == plain.continuing(0).id()
    assert stamp("fvd", told, metric(), EXTRACTOR) == "fvd[embedded-1a2b3c4d,N-1,256x16f,s1/s1,given2]"
    assert told.continuing(2).id() == told.id()
    with pytest.raises(ValueError, match="none is left to compare"):
        plain.continuing(16)
    with pytest.raises(ValueError, match=r"protocol\.given=2: the generator is given 0"):
        told.continuing(0)


@pytest.mark.parametrize("key", [k for k in CHANGES if k not in ("divisor", "eps", "kernel", "fit")])
def test_the_stamp_tells_what_departs(key):
    """The other four are in the stamps of the metric and of the extractor."""
    around = NEEDS.get(key, {})
    if key in ("resize", "resample"):
        around = {"size": 64}
    plain, changed = (standard(**around, **more) for more in ({}, {key: CHANGES[key]}))
    assert stamp("fvd", plain, metric(), EXTRACTOR) != stamp("fvd", changed, metric(), EXTRACTOR)


def test_id_hashes_everything_but_the_name():
    assert set(CHANGES) == set(standard().settings())
    base = standard().id(EXTRACTOR, metric())
    assert len(base) == 12
    assert int(base, 16) >= 0
    assert standard(name="mine").id(EXTRACTOR, metric()) == base == standard().id(EXTRACTOR, metric())
    ids = [
        standard(**NEEDS.get(key, {}), **{key: value}).id(EXTRACTOR, metric())
        for key, value in CHANGES.items()
    ]
    ids += [base, standard().id(), standard().id(I3D, metric()), standard().id(EXTRACTOR, metric(stamp="N"))]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"count": 1}, "protocol.count=1: expected 2 or more"),
        ({"fakes": 0}, "protocol.fakes=0"),
        ({"stride": 0}, "protocol.stride=0"),
        ({"size": 0}, "protocol.size=0"),
        ({"divisor": "n"}, "protocol.divisor='n': choose N-1, N"),
        ({"real_clips": "last"}, "protocol.real_clips='last': choose first, center, random"),
        ({"pixels": "floor"}, "protocol.pixels='floor': choose round, styleganv, truncate"),
        ({"eps": 0.0}, "protocol.eps=0.0"),
        ({"count": None}, "never ends without protocol.count"),
        ({"fake_clips": "cycle", "count": None, "real_clips": "first"}, "never ends without protocol.fakes"),
        ({"clips_per_video": 3}, "real_clips=cycle takes one clip of a video"),
        ({"hop": 4}, "protocol.hop=4: only windows"),
        ({"repeats": 2, "count": None, "real_clips": "first"}, "say how many fakes"),
        ({"resample": "digan", "resize": "squash"}, "protocol.resample=digan crops"),
    ],
)
def test_what_cannot_be(changed, said):
    with pytest.raises(ValueError, match=said):
        standard(**changed)


@pytest.mark.parametrize(
    ("changed", "extractors", "metrics", "said"),
    [
        ({"frames": 3}, [EXTRACTOR], [metric()], "at least 4 frames, the protocol has frames=3"),
        ({}, [EXTRACTOR], [], "no metric"),
        ({}, [], [metric()], "no extractor"),
        ({}, [EXTRACTOR, EXTRACTOR], [metric()], "two extractors of one name, embedded"),
        ({}, [EXTRACTOR], [metric("fvd"), metric("kvd", "fvd")], "two metrics of one name, fvd"),
        (
            {"divisor": "N"},
            [EXTRACTOR],
            [metric(divisor="N-1")],
            "fvd has divisor=N-1, the protocol divisor=N",
        ),
        ({}, [I3D], [metric()], "extractor i3d has eps=0.001, the protocol eps=1e-05; set protocol.eps"),
        (
            {"eps": 1e-3, "fit": "crop"},
            [I3D],
            [metric()],
            "extractor i3d has fit=squash, the protocol fit=crop",
        ),
    ],
)
def test_what_the_protocol_cannot_serve(changed, extractors, metrics, said):
    with pytest.raises(ValueError, match=said):
        check_parts(standard(**changed), extractors, metrics)


def test_what_it_can_serve():
    check_parts(standard(eps=1e-3), [EXTRACTOR, I3D], [metric(divisor="N-1"), metric("kvd")])


def test_numbers_of_clips():
    assert standard(count=10, repeats=3).fake_count == 30
    assert standard(count=10, fakes=4, repeats=3).fake_count == 12
    assert standard(count=None, real_clips="first").fake_count is None


def test_sides_follow_the_protocol():
    videos = Shapes(size=16, videos=6, frames=20)
    protocol = standard(
        frames=4,
        stride=3,
        fake_stride=2,
        count=9,
        fakes=2,
        repeats=2,
        real_clips="cycle",
        order="sorted",
        seed=5,
    )
    real, fake = protocol.real_clips(videos), protocol.fake_clips(videos)
    assert (len(real), len(fake)) == (9, 4)
    assert [real.locate(k)[0] for k in range(9)] == [0, 1, 2, 3, 4, 5, 0, 1, 2]
    assert (np.diff(real.locate(3)[1]) == 3).all()
    assert fake.locate(1)[1].tolist() == [0, 2, 4, 6]
    with pytest.raises(ValueError, match="the 21 frames"):
        standard(frames=4, shortest=21).real_clips(videos)
    windows = standard(frames=4, real_clips="windows", hop=4, clips_per_video=2, count=None, order="sorted")
    assert len(windows.real_clips(videos)) == 12
    assert windows.real_clips(videos).locate(1)[1].tolist() == [4, 5, 6, 7]


def test_a_set_against_itself_is_the_same_clips():
    videos = Shapes(size=16, videos=6, frames=20)
    protocol = standard(frames=4, real_clips="random", fake_clips="random", count=None)
    real, fake = protocol.real_clips(videos), protocol.fake_clips(videos)
    assert torch.equal(real.read(range(6)), fake.read(range(6)))


def test_size_and_filter_reach_the_videos(tmp_path):
    pixels = np.arange(2 * 5 * 12 * 16 * 3, dtype=np.uint64).reshape(2, 5, 12, 16, 3) % 251
    np.save(tmp_path / "a.npy", pixels.astype(np.uint8))

    def shape(**changed):
        return (
            standard(frames=5, **changed)
            .open_videos(tmp_path / "a.npy", real=True)
            .read(0, np.arange(5))
            .shape
        )

    assert shape() == (5, 12, 16, 3)
    assert shape(size=8) == (5, 8, 8, 3)
    kinds = [{"resize": "squash"}, {"resize": "crop"}, {"resample": "videogpt"}, {"resample": "digan"}]
    sources = [
        standard(frames=5, size=8, **kind).open_videos(tmp_path / "a.npy", real=True) for kind in kinds
    ]
    assert len({source.fingerprint for source in sources}) == 4
    assert len({source.read(0, np.arange(5)).tobytes() for source in sources}) == 4


def test_split_is_a_folder_of_the_real_data(tmp_path):
    for split, seed in (("train", 0), ("test", 1)):
        (tmp_path / "set" / split).mkdir(parents=True)
        np.save(tmp_path / "set" / split / "a.npy", np.full((1, 4, 8, 8, 3), seed, np.uint8))
    chosen = standard(frames=4, split="test").open_videos(tmp_path / "set", real=True)
    assert chosen.read(0, np.arange(1)).max() == 1
    fakes = standard(frames=4, split="test").open_videos(tmp_path / "set" / "train", real=False)
    assert fakes.read(0, np.arange(1)).max() == 0
    with pytest.raises(ValueError, match=r"protocol.split=val: no such folder in .*set; it has test, train"):
        split_folder(tmp_path / "set", "val")
    with pytest.raises(ValueError, match="it has none"):
        split_folder(tmp_path / "set" / "test", "val")
    for outside in ("..", "", "test/..", "."):
        with pytest.raises(ValueError, match="no such folder"):
            split_folder(tmp_path / "set", outside)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        split_folder(tmp_path / "nowhere", "val")


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        ("round", [0, 0, 64, 128, 191, 255, 255]),
        ("styleganv", [0, 0, 64, 128, 191, 255, 255]),
        ("truncate", [0, 0, 63, 127, 191, 255, 255]),
    ],
)
def test_floats_become_bytes(pixels, expected):
    values = torch.tensor([-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0])
    video = values.reshape(1, 1, 7, 1, 1).expand(2, 3, 7, 4, 5)
    made = standard(pixels=pixels).to_pixels(video)
    assert (made.shape, made.dtype) == ((2, 7, 4, 5, 3), torch.uint8)
    assert made[1, :, 2, 3, 1].tolist() == expected


@pytest.mark.parametrize("pixels", ["round", "styleganv"])
def test_bytes_survive_their_floats(pixels):
    levels = torch.arange(256)
    video = (levels / 127.5 - 1).reshape(1, 1, 256, 1, 1)
    assert torch.equal(standard(pixels=pixels).to_pixels(video).flatten().long(), levels)
