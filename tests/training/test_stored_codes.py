import pytest
import torch
from safetensors.torch import save_file
from styled import styled

from vgen import rng
from vgen.clip import Generator, regular_times
from vgen.training.generated_clips import GeneratedClips
from vgen.training.stored_codes import Codes, Recalled, load_codes, save_codes
from vgen.training.truncated import Truncated

TIMES = regular_times(1, 5)


def codes_of(generator, styles: bool = True) -> Codes:
    latent = generator.sample_latent(1, TIMES, rng.generator(7))
    if styles:
        latent["w"] = generator.styles(latent, TIMES) + 0.1
    return Codes(latent, TIMES[0], None, {"psnr": 30.5, "checkpoint": "x", "weights": "y"})


def video(generator, latent):
    with torch.no_grad():
        return generator(latent, TIMES.expand(len(latent["motion_noise"]), -1))


def test_a_file_gives_back_what_was_written(tmp_path):
    codes = codes_of(styled("styleganv"))
    save_codes(tmp_path / "codes.safetensors", codes)
    again = load_codes(tmp_path / "codes.safetensors")
    assert again.latent.keys() == codes.latent.keys()
    assert all(torch.equal(again.latent[name], part) for name, part in codes.latent.items())
    assert (again.label, again.info) == (None, codes.info)
    assert torch.equal(again.times, codes.times)


@pytest.mark.parametrize("take", ["all", "content", "motion"])
def test_what_is_taken_is_recalled_and_the_rest_is_drawn(take):
    generator = styled("styleganv")
    codes = codes_of(generator)
    recalled = Recalled(generator, codes, take=take)
    assert isinstance(recalled, Generator)
    latent = recalled.sample_latent(2, TIMES.expand(2, -1), rng.generator(1))
    drawn = generator.sample_latent(2, TIMES.expand(2, -1), rng.generator(1))
    content, motion = take != "motion", take != "content"
    assert ("w" in latent) == content
    assert torch.equal(latent["content"][1:], codes.latent["content"] if content else drawn["content"][1:])
    assert torch.equal(
        latent["motion_noise"][1:], codes.latent["motion_noise"] if motion else drawn["motion_noise"][1:]
    )
    assert torch.equal(latent["motion_start"][1:], (codes.latent if motion else drawn)["motion_start"][-1:])
    if take == "all":
        torch.testing.assert_close(video(recalled, latent)[:1], video(generator, codes.latent))


def test_truncation_moves_the_stored_styles():
    generator = styled("styleganv")
    codes = codes_of(generator)
    mean = torch.linspace(-1, 1, 8)
    latent = Truncated(Recalled(generator, codes), content=0.25, mean=mean).sample_latent(
        1, TIMES, rng.generator(0)
    )
    torch.testing.assert_close(latent["w"], mean + 0.25 * (codes.latent["w"] - mean))
    assert torch.equal(generator.synthesis.mapping.average, mean)


def test_long_clips_of_codes_are_made_in_chunks():
    generator = styled("styleganv")
    recalled = Recalled(generator, codes_of(generator))
    clips = GeneratedClips(recalled, count=2, times=regular_times(1, 24)[0])
    whole, chunked = clips.read([1]), torch.cat(list(clips.read_in_chunks([1], 5)), 1)
    assert (whole.int() - chunked.int()).abs().max() <= 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda latent: latent | {"content": torch.zeros(1, 3)}, r"another model: content is \(1, 3\)"),
        (
            lambda latent: latent | {"w": torch.zeros(1, 2, 8)},
            r"another model: w is \(1, 2, 8\) there and \(1, ",
        ),
        (lambda latent: latent | {"z": torch.zeros(1, 2)}, "z is .* there and missing here"),
    ],
)
def test_codes_of_another_model_are_refused(change, said: str):
    generator = styled("styleganv")
    codes = codes_of(generator)
    with pytest.raises(ValueError, match=said):
        Recalled(generator, Codes(change(codes.latent), codes.times))


def test_files_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file"):
        load_codes(tmp_path / "missing")
    (tmp_path / "bad").write_bytes(b"1234")
    with pytest.raises(ValueError, match="damaged"):
        load_codes(tmp_path / "bad")
    save_file({"a": torch.zeros(1)}, tmp_path / "other")
    with pytest.raises(ValueError, match="holds no codes"):
        load_codes(tmp_path / "other")
