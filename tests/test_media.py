from pathlib import Path

import av
import numpy as np
import pytest
import torch
from av.video.reformatter import Interpolation
from PIL import Image

from vgen.media import mp4_writer, npy_writer, tile, write_gif, write_mp4, write_npy, write_png, write_video

# With the default flags the reader repeats chroma samples and adds an error of its own.
SMOOTH = Interpolation.BILINEAR | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND


def clip(frames: int = 8, height: int = 48, width: int = 64, channels: int = 3) -> np.ndarray:
    """Smooth colours that drift."""
    t, y, x = np.meshgrid(np.arange(frames), np.arange(height), np.arange(width), indexing="ij")
    waves = [np.sin((x + 3 * t) / 9), np.cos((y - 2 * t) / 7), np.sin((x + y) / 11)][:channels]
    return np.rint(127.5 + 100 * np.stack(waves, axis=-1)).astype(np.uint8)


def frames_of(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack(
            [
                frame.reformat(format="rgb24", interpolation=SMOOTH).to_ndarray()
                for frame in container.decode(video=0)
            ]
        )


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    error = np.mean((one.astype(float) - other) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


@pytest.mark.parametrize(("height", "width"), [(48, 64), (47, 63), (16, 33)])
def test_mp4_keeps_pixels_count_and_rate(tmp_path, height, width):
    pixels = clip(9, height, width)
    write_mp4(tmp_path / "a.mp4", pixels, fps=12)
    frames = frames_of(tmp_path / "a.mp4")
    assert frames.shape == (9, height + height % 2, width + width % 2, 3)
    assert psnr(frames[:, :height, :width], pixels) > 36
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.average_rate, stream.codec_context.name, stream.pix_fmt) == (12, "h264", "yuv420p")
        assert (stream.codec_context.colorspace, stream.codec_context.color_range) == (1, 1)


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 50, 120), (255, 255, 255)])
def test_mp4_keeps_saturated_colours(tmp_path, colour):
    pixels = np.broadcast_to(np.array(colour, np.uint8), (2, 32, 32, 3))
    write_mp4(tmp_path / "a.mp4", pixels, fps=5)
    assert np.abs(frames_of(tmp_path / "a.mp4").astype(int) - pixels).max() <= 4


def test_mp4_can_be_played_while_it_loads(tmp_path):
    write_mp4(tmp_path / "a.mp4", clip(), fps=29.97)
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert float(container.streams.video[0].average_rate or 0) == pytest.approx(29.97, abs=1e-3)


@pytest.mark.parametrize("fps", [8, 30, 90])
def test_gif_keeps_every_frame_and_loops(tmp_path, fps):
    pixels = clip(7, 31, 45)
    pixels[3] = pixels[2]  # a still moment is no reason to drop a frame
    write_gif(tmp_path / "a.gif", pixels, fps)
    frames = frames_of(tmp_path / "a.gif")
    assert frames.shape == pixels.shape
    assert psnr(frames, pixels) > 26
    assert b"NETSCAPE2.0\x03\x01\x00\x00" in (tmp_path / "a.gif").read_bytes()
    with Image.open(tmp_path / "a.gif") as image:
        assert image.info["duration"] == pytest.approx(1000 / min(fps, 50), abs=10)


def test_gif_of_few_colours_is_exact(tmp_path):
    pixels = np.zeros((4, 20, 20, 3), np.uint8)
    for t in range(4):
        pixels[t, 4 * t : 4 * t + 4] = (200, 40, 90)
    write_gif(tmp_path / "a.gif", pixels, 10)
    assert np.abs(frames_of(tmp_path / "a.gif").astype(int) - pixels).max() <= 1


def test_png_is_a_strip_and_npy_the_pixels(tmp_path):
    pixels = clip(5)
    write_png(tmp_path / "a.png", pixels)
    strip = np.asarray(Image.open(tmp_path / "a.png"))
    assert np.array_equal(strip.reshape(48, 5, 64, 3).swapaxes(0, 1), pixels)
    write_npy(tmp_path / "a.npy", pixels)
    assert np.array_equal(np.load(tmp_path / "a.npy"), pixels)


@pytest.mark.parametrize("suffix", [".mp4", ".gif", ".png", ".npy", ".MP4"])
def test_grey_tensors_of_one_frame_in_a_new_folder(tmp_path, suffix):
    pixels = torch.from_numpy(clip(1, 20, 30, channels=1))
    path = tmp_path / "new" / f"a{suffix}"
    write_video(path, pixels, fps=10)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    if suffix in (".mp4", ".gif"):
        assert psnr(frames_of(path), np.repeat(pixels.numpy(), 3, axis=3)) > 30


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    for suffix in (".mp4", ".gif", ".png", ".npy"):
        (tmp_path / f"a{suffix}").write_text("old")

    def fail(*_, **__):
        raise RuntimeError("no")

    for where in ("numpy.save", "PIL.Image.Image.save", "vgen.media._video_frames"):
        monkeypatch.setattr(where, fail)
    for suffix in (".mp4", ".gif", ".png", ".npy"):
        with pytest.raises(RuntimeError):
            write_video(tmp_path / f"a{suffix}", clip(2), fps=10)
        assert (tmp_path / f"a{suffix}").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 4


def test_tile():
    clips = np.stack([np.full((2, 3, 4, 1), value, np.uint8) for value in range(5)])
    canvas = tile(clips, pad=1)  # 3 columns, 2 rows
    assert canvas.shape == (2, 7, 14, 1)
    for i in range(5):
        top, left = i // 3 * 4, i % 3 * 5
        assert (canvas[:, top : top + 3, left : left + 4] == i).all()
    assert (canvas[:, 4:, 10:] == 255).all()  # the place that is left over
    assert (canvas[:, 3] == 255).all()
    assert tile(clips, columns=5, pad=0).shape == (2, 3, 20, 1)
    assert tile(torch.from_numpy(clips[:1])).shape == (2, 3, 4, 1)
    assert tile(clips[:2], columns=8).shape == (2, 3, 10, 1)


def test_says_what_is_wrong(tmp_path):
    with pytest.raises(ValueError, match=r"cannot write \.webm; choose \.mp4, \.gif, \.png, \.npy"):
        write_video(tmp_path / "a.webm", clip(), 10)
    with pytest.raises(ValueError, match="not float64"):
        write_mp4(tmp_path / "a.mp4", clip().astype(float), 10)
    for shape in ((0, 4, 4, 3), (2, 4, 4, 2), (4, 4, 3)):
        with pytest.raises(ValueError, match="a clip is"):
            write_png(tmp_path / "a.png", np.zeros(shape, np.uint8))
    for fps in (0, float("nan")):
        with pytest.raises(ValueError, match="fps is"):
            write_gif(tmp_path / "a.gif", clip(), fps)
    with pytest.raises(ValueError, match="tile takes clips"):
        tile(clip())


def test_written_bit_by_bit(tmp_path):
    pixels = clip(9, 33, 17)
    with mp4_writer(tmp_path / "parts.mp4", fps=12) as write:
        for part in np.split(pixels, [1, 5]):
            write(part)
    frames = frames_of(tmp_path / "parts.mp4")
    assert frames.shape == (9, 34, 18, 3)
    assert min(psnr(frame[:33, :17], true) for frame, true in zip(frames, pixels, strict=True)) > 30
    with npy_writer(tmp_path / "parts.npy", 9) as write:
        for part in np.split(pixels, [4]):
            write(part)
    assert np.array_equal(np.load(tmp_path / "parts.npy"), pixels)


def test_a_file_that_was_not_finished_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="4 of 9 frames"), npy_writer(tmp_path / "a.npy", 9) as write:
        write(clip(4))

    def broken() -> None:
        with mp4_writer(tmp_path / "a.mp4", fps=5) as write:
            write(clip(4))
            write(clip(4).astype(float))

    with pytest.raises(ValueError, match="uint8"):
        broken()
    assert list(tmp_path.iterdir()) == []
