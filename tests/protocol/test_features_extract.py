import threading
import time

import pytest
import torch
from clip_sets import Brightness, Colours, Tensors, pixels
from torch import Tensor

from vgen.protocol.features import extract, full_float32
from vgen.protocol.store import FeatureStore


def test_each_clip_is_read_once_and_passes_each_extractor_once():
    clips, extractors = Tensors(pixels(10, 1)), [Colours(), Brightness()]
    found = extract(clips, extractors, batch=4)
    assert clips.reads == list(range(10))
    assert [e.seen for e in extractors] == [10, 10]
    assert torch.equal(found["colours"].values["clip"], Colours()(clips.pixels)["clip"])
    assert found["colours"].values["frames"].shape == (10, 4, 3)
    assert torch.equal(found["brightness"].values["clip"], Brightness()(clips.pixels)["clip"])
    assert found["colours"].shape == (4, 8, 8, 3)
    assert found["colours"].cached == 0


def test_content_and_copies():
    one = pixels(6, 1)
    features = extract(Tensors(torch.cat([one, one[:2]])), [Colours()])["colours"]
    assert features.repeated == 2
    again = extract(Tensors(torch.cat([one, one[:2]])), [Colours()], batch=3)["colours"]
    assert again.content == features.content
    assert extract(Tensors(one.flip(0)), [Colours()])["colours"].content != features.content


def test_only_the_extractor_that_lacks_a_clip_sees_it(tmp_path):
    store, clips = FeatureStore(tmp_path), Tensors(pixels(10, 1))
    first = extract(clips, [Colours()], store=store, batch=4)["colours"]
    clips.reads.clear()
    colours, brightness = Colours(), Brightness()
    found = extract(clips, [colours, brightness], store=store, batch=4)
    assert (colours.seen, brightness.seen) == (0, 10)
    assert found["colours"].cached == 10
    assert torch.equal(found["colours"].values["clip"], first.values["clip"])
    assert found["colours"].hashes == first.hashes
    clips.reads.clear()
    extract(clips, [colours, brightness], store=store, batch=4)
    assert clips.reads == []


@pytest.mark.parametrize("batch", [4, 2, 3])
def test_what_failed_goes_on_where_it_was(tmp_path, batch):
    store, clips = FeatureStore(tmp_path), Tensors(pixels(12, 1))

    class Failing(Colours):
        def __call__(self, pixels: Tensor) -> dict[str, Tensor]:
            if self.seen == 8:
                raise RuntimeError("out of memory")
            return super().__call__(pixels)

    with pytest.raises(RuntimeError, match="out of memory"):
        extract(clips, [Failing()], store=store, batch=4)
    # code that differs is another question, so the class that goes on is the one that failed
    again = Failing()
    again.seen = -100
    found = extract(clips, [again], store=store, batch=batch)["colours"]
    assert again.seen + 100 == {4: 4, 2: 4, 3: 6}[batch]
    assert torch.equal(found.values["clip"], Colours()(clips.pixels)["clip"])
    assert found.cached == 12 - (again.seen + 100)


def test_reading_goes_on_while_the_extractor_works():
    """Reading ahead in a thread: two waits of 30 ms for each of 8 chunks take little more than one."""

    class Slow(Tensors):
        def read(self, indices):
            time.sleep(0.03)
            return super().read(indices)

    class SlowColours(Colours):
        def __call__(self, pixels: Tensor) -> dict[str, Tensor]:
            time.sleep(0.03)
            return super().__call__(pixels)

    started = time.perf_counter()
    extract(Slow(pixels(16, 1)), [SlowColours()], batch=2)
    assert time.perf_counter() - started < 0.8 * 16 * 0.03


def test_at_most_three_chunks_are_in_memory():
    class Watched(Tensors):
        def read(self, indices):
            taken.append(len(self.reads) // 2 - extractor.seen // 2)
            return super().read(indices)

    class Patient(Colours):
        def __call__(self, pixels: Tensor) -> dict[str, Tensor]:
            time.sleep(0.01)
            return super().__call__(pixels)

    taken: list[int] = []
    extractor = Patient()
    extract(Watched(pixels(20, 1)), [extractor], batch=2)
    assert max(taken) <= 2  # chunks under way when the next one is read


def test_an_error_while_reading_is_raised_here_and_the_thread_ends():
    class Torn(Tensors):
        def read(self, indices):
            if 6 in indices:
                raise OSError("the disk is gone")
            return super().read(indices)

    before = threading.active_count()
    with pytest.raises(OSError, match="the disk is gone"):
        extract(Torn(pixels(10, 1)), [Colours()], batch=2)
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("clips", "said"),
    [
        (pixels(0, 1), "there are no fake clips"),
        (pixels(3, 1, frames=1), "fake clips have 1 frames; extractor colours needs at least 2"),
        (pixels(3, 1).float(), "expected uint8"),
    ],
)
def test_errors(clips, said):
    with pytest.raises(ValueError, match=said):
        extract(Tensors(clips), [Colours()], side="fake")


def test_clips_of_different_sizes_on_one_side():
    class Uneven(Tensors):
        def read(self, indices):
            return super().read(indices)[..., : 8 - (indices[0] > 3), :]

    with pytest.raises(ValueError, match="real clips differ among themselves"):
        extract(Uneven(pixels(8, 1)), [Colours()], batch=4)


def test_broken_features_name_their_side():
    class Broken(Colours):
        def __call__(self, pixels: Tensor) -> dict[str, Tensor]:
            return {role: value / 0 for role, value in super().__call__(pixels).items()}

    with pytest.raises(ValueError, match=r"3 of 3 fake clips have NaN or infinite colours features \(clip\)"):
        extract(Tensors(pixels(3, 1)), [Broken()], side="fake")


@pytest.mark.parametrize("device", ["cuda", "cpu"])
def test_reduced_precision_is_off_inside_and_as_before_after(device):
    if device == "cuda":
        switches = [torch.backends.cuda.matmul, torch.backends.cudnn.conv]  # pyright: ignore
    else:
        switches = [torch.backends.mkldnn.matmul, torch.backends.mkldnn.conv]  # pyright: ignore
    before = [switch.fp32_precision for switch in switches]
    try:
        switches[0].fp32_precision = "tf32"
        with full_float32(torch.device(device)):
            assert [switch.fp32_precision for switch in switches] == ["ieee", "ieee"]
        assert [switch.fp32_precision for switch in switches] == ["tf32", before[1]]
    finally:
        switches[0].fp32_precision = before[0]
