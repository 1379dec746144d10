import numpy as np
import pytest
from movies import moving_bar, write_movie

from vgen.data.source import VideoSource
from vgen.data.stacks import Stacks
from vgen.data.stored import open_videos
from vgen.data.videos import Videos

NOISE = np.random.Generator(np.random.PCG64(0)).integers(0, 256, (5, 6, 8, 12, 3), dtype=np.uint8)


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)
    return path


def opened(path, **arguments) -> Stacks:
    source = Stacks(path=str(path), **arguments)
    source.prepare()
    source.setup()
    return source


def test_a_file_gives_its_videos_unchanged(tmp_path):
    source = opened(save(tmp_path / "clips.npy", NOISE))
    assert isinstance(source, VideoSource)
    assert (source.name, len(source), source.length(4), source.lossy) == ("clips.npy", 5, 6, False)
    assert source.describe() == "5 videos in 1 array"
    assert source.names[3] == "clips.npy[3]"
    for i in range(5):
        assert np.array_equal(source.read(i, np.array([5, 0, 0])), NOISE[i][[5, 0, 0]])
    for wrong in ([6], [-1]):
        with pytest.raises(IndexError, match=r"clips.npy\[0\], which has 6"):
            source.read(0, np.array(wrong))
    with pytest.raises(IndexError):
        source.length(5)


def test_a_folder_of_files_of_one_video_or_several(tmp_path):
    save(tmp_path / "set" / "b10.npy", NOISE[0])
    save(tmp_path / "set" / "b9.npy", NOISE[1:3])
    save(tmp_path / "set" / "c.npy", NOISE[3][:4])
    source = opened(tmp_path / "set")
    assert source.names == ["b9.npy[0]", "b9.npy[1]", "b10.npy", "c.npy"]
    assert [source.length(i) for i in range(4)] == [6, 6, 6, 4]
    for i, video in enumerate((1, 2, 0, 3)):
        assert np.array_equal(source.read(i, np.arange(4)), NOISE[video][:4])


def test_grey_and_resized(tmp_path):
    grey = save(tmp_path / "grey.npy", NOISE[..., :1])
    assert np.array_equal(opened(grey).read(2, np.arange(2)), NOISE[2, :2, ..., :1].repeat(3, axis=3))
    assert np.array_equal(opened(grey, channels=1).read(2, np.arange(2)), NOISE[2, :2, ..., :1])
    for channels in (1, 3):
        small = opened(save(tmp_path / "c.npy", NOISE), size=4, channels=channels)
        assert small.read(0, np.arange(3)).shape == (3, 4, 4, channels)
    assert opened(tmp_path / "c.npy").stored_sizes == "12x8"


def test_what_is_no_stack_is_skipped_and_listed(tmp_path):
    save(tmp_path / "set" / "a.npy", NOISE[:1])
    save(tmp_path / "set" / "float.npy", NOISE[:1].astype(np.float32))
    save(tmp_path / "set" / "planes.npy", NOISE[0].transpose(0, 3, 1, 2))
    save(tmp_path / "set" / "small.npy", NOISE[:1, :, :4])
    save(tmp_path / "set" / "none.npy", NOISE[:0])
    save(tmp_path / "set" / "objects.npy", np.array([{}], dtype=object))
    (tmp_path / "set" / "text.npy").write_text("no array")
    (tmp_path / "set" / "film.mp4").write_text("")
    (tmp_path / "set" / "README").write_text("")
    source = opened(tmp_path / "set")
    assert len(source) == 1
    reasons = {skipped.path: skipped.reason for skipped in source.skipped}
    assert reasons.pop("film.mp4") == "lies in a folder of arrays; keep them apart"
    assert set(reasons) == {"float.npy", "planes.npy", "small.npy", "none.npy", "objects.npy", "text.npy"}
    assert reasons["float.npy"].startswith("float32 of shape (1, 6, 8, 12, 3); expected uint8")
    assert "(6, 3, 8, 12); expected" in reasons["planes.npy"]
    assert reasons["small.npy"] == "frames of 12x4 pixels, and those before have 12x8"
    assert "empty" in reasons["none.npy"]
    assert all("\n" not in reason for reason in reasons.values())


def test_nothing_usable_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        opened(tmp_path / "nowhere.npy")
    with pytest.raises(
        ValueError, match=r"no usable array in .*a.npy: int64 of shape \(3,\); expected uint8"
    ):
        opened(save(tmp_path / "a.npy", np.arange(3)))


def test_the_fingerprint_follows_pixels_and_settings(tmp_path):
    base = opened(save(tmp_path / "a.npy", NOISE)).fingerprint
    assert opened(save(tmp_path / "elsewhere" / "b.npy", NOISE)).fingerprint == base
    changed = NOISE.copy()
    changed[4, 5, 7, 11, 2] ^= 1
    others = {
        opened(save(tmp_path / "c.npy", changed)).fingerprint,
        opened(tmp_path / "a.npy", size=4).fingerprint,
        opened(tmp_path / "a.npy", channels=1).fingerprint,
        opened(save(tmp_path / "d.npy", NOISE.reshape(10, 3, 8, 12, 3))).fingerprint,
    }
    assert len(others - {base}) == 4


def test_what_lies_there_decides(tmp_path):
    save(tmp_path / "arrays" / "a.npy", NOISE)
    write_movie(tmp_path / "movies" / "a.mp4", moving_bar())
    assert isinstance(open_videos(tmp_path / "arrays", size=None), Stacks)
    assert isinstance(open_videos(str(tmp_path / "arrays" / "a.npy"), size=4), Stacks)
    assert isinstance(open_videos(tmp_path / "movies", size=None), Videos)
    save(tmp_path / "mnist.npy", NOISE[..., 0].repeat(10, axis=0).transpose(1, 0, 2, 3))
    mnist = open_videos(tmp_path / "mnist.npy", size=None, cache=str(tmp_path / "cache"))
    mnist.prepare()
    assert isinstance(mnist, Videos)
    assert np.array_equal(mnist.read(13, np.arange(6)), NOISE[1, ..., :1].repeat(3, axis=3))
    assert isinstance(open_videos(tmp_path / "nowhere", size=8), Videos)


def test_a_rate_that_is_asked_for_is_kept_or_refused(tmp_path):
    write_movie(tmp_path / "movies" / "0.mp4", moving_bar(9), rate=20)
    movies = open_videos(tmp_path / "movies", size=16, cache=str(tmp_path / "cache"), fps=10)
    movies.prepare()
    assert (movies.length(0), movies.fps) == (5, 10)
    save(tmp_path / "arrays" / "0.npy", NOISE)
    with pytest.raises(ValueError, match="arrays say no frame rate, and clips at 10 frames per second"):
        open_videos(tmp_path / "arrays", size=8, fps=10)
