import pytest
import torch
from styled import STYLED, styled
from test_config import TINY, compose, options

from vgen import rng
from vgen.clip import regular_times
from vgen.config import instantiate
from vgen.generator.vgan import VGAN
from vgen.training.directions import directed_clips, factorize, find_directions
from vgen.training.first_layer import first_layer_matrix
from vgen.training.generated_clips import GeneratedClips
from vgen.training.stored_codes import Codes, Recalled

TIMES = regular_times(1, 4)
WAVES = ("styleganv", "stylesv")  # whose motion would take half a minute at its full width


def clips_of(generator, frames: int = 4, **changes) -> GeneratedClips:
    return GeneratedClips(generator, count=1, times=regular_times(1, frames)[0], **changes)


def test_factorize_against_the_singular_vectors():
    matrix = torch.randn(30, 7, generator=rng.generator(0), dtype=torch.float64)
    vectors, gains = factorize(matrix, 3)
    _, singular, right = torch.linalg.svd(matrix)
    torch.testing.assert_close(gains, singular[:3])
    torch.testing.assert_close((vectors * right[:3]).sum(1).abs(), torch.ones(3, dtype=torch.float64))
    torch.testing.assert_close(vectors @ vectors.T, torch.eye(3, dtype=torch.float64), atol=1e-12, rtol=0)
    torch.testing.assert_close((matrix @ vectors.T).norm(dim=0), gains)
    assert (vectors.gather(1, vectors.abs().argmax(1, keepdim=True)) > 0).all()


@pytest.mark.parametrize("form", STYLED)
def test_the_first_direction_changes_the_styles_of_its_layers_most(form: str):
    generator = styled(form)
    found = find_directions(clips_of(generator), layers=[0, 1], count=8)
    assert found.part == "w"
    matrix = torch.cat(generator.style_maps()[:2]).double()
    torch.testing.assert_close(found.gains, torch.linalg.svdvals(matrix)[:8])
    random = torch.nn.functional.normalize(torch.randn(200, 8, dtype=torch.float64), dim=1)
    assert ((matrix @ random.T).norm(dim=0) <= found.gains[0] * (1 + 1e-9)).all()
    assert torch.equal(found.vectors, find_directions(clips_of(generator), layers=[0, 1], count=8).vectors)


def test_the_first_layer_of_vgan_is_its_two_streams_first():
    torch.manual_seed(0)
    generator = VGAN(size=16, frames=8, base_channels=4, latent_dim=6).eval()
    times = regular_times(1, 8)
    latent = generator.sample_latent(1, times, rng.generator(0))
    matrix = first_layer_matrix(generator, latent, "z", times)
    weights = [generator.trunk[0].weight, generator.background[0].weight]
    expected = [w.detach().double().flatten(1).T for w in weights]
    assert any(e.shape == matrix.shape and torch.allclose(e, matrix, atol=1e-9) for e in expected)


def test_motion_of_anchors_is_the_sum_over_taps():
    generator = styled("styleganv")
    latent = generator.sample_latent(1, TIMES, rng.generator(0))
    matrix = first_layer_matrix(generator, latent, "motion_noise", TIMES)
    layer = generator.motion.anchors.first
    # (dim, noise_dim), the same at every anchor
    expected = (layer.weight.double() * layer.weight_scale).sum(2)
    places = latent["motion_noise"].shape[1] - 2
    torch.testing.assert_close(matrix.unflatten(0, (-1, places))[:, 0], expected, atol=1e-9, rtol=1e-6)


def test_motion_of_a_recurrent_cell_is_its_derivative():
    generator = styled("mocogan")
    latent = generator.sample_latent(1, TIMES, rng.generator(0))
    matrix = first_layer_matrix(generator, latent, "motion_noise", TIMES)
    cell = generator.motion.cell.double()
    start = latent["motion_start"].double()
    jacobian = torch.autograd.functional.jacobian(
        lambda e: cell(e, start), torch.zeros(1, 4, dtype=torch.float64)
    )
    torch.testing.assert_close(matrix, jacobian[0, :, 0], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", [n for n in options()["generator"] if n != "longvideogan_sres"])
def test_every_generator_has_directions(name: str):
    narrow = [f"generator.motion.{dim}=16" for dim in ("motion_dim", "noise_dim")]
    config = compose(*TINY, f"generator={name}", "width=4", *(narrow if name in WAVES else []))
    torch.manual_seed(0)
    generator = instantiate(config.generator).eval()
    clips = clips_of(generator, 16)
    if name == "longvideogan":  # all of its noise moves
        with pytest.raises(ValueError, match="no such part; it has motion_noise"):
            find_directions(clips)
        assert find_directions(clips, part="motion", count=2).gains[0] > 0
        return
    found = find_directions(clips, count=3)
    assert found.vectors.shape[0] == 3
    assert (found.gains[:-1] >= found.gains[1:]).all()
    assert found.gains[0] > 0
    assert found.unit > 0
    if any(part.startswith("motion") for part in clips.latents([0], "sample")):
        assert find_directions(clips, part="motion", count=2).gains[0] > 0


def test_a_row_of_clips_moves_from_side_to_side_through_the_clip_itself():
    generator = styled("styleganv")
    clips = clips_of(generator)
    found = find_directions(clips, layers=[0, 1, 2], count=2)
    grid = directed_clips(clips, found, torch.tensor([-3.0, 0.0, 3.0]))
    assert grid.shape == (2, 3, 4, 16, 16, 3)
    plain = clips.read([0])[0].int()
    assert (grid[0, 1].int() - plain).abs().max() <= 1
    assert (grid[0, 0] != grid[0, 2]).any()
    motion = find_directions(clips, part="motion", count=2)
    moved = directed_clips(clips, motion, torch.tensor([0.0, 30.0]))
    assert (moved[0, 0].int() - plain).abs().max() <= 1
    assert (moved[0, 0] != moved[0, 1]).any()


@pytest.mark.parametrize("part", ["content", "motion"])
def test_of_stored_codes_they_are_those_of_the_generator(part: str):
    generator = styled("styleganv")
    times = regular_times(1, 4)
    latent = generator.sample_latent(1, times, rng.generator(4))
    stored = Codes(latent | {"w": generator.styles(latent, times)}, times[0])
    found = find_directions(clips_of(Recalled(generator, stored)), part=part)
    own = find_directions(clips_of(generator), part=part)
    assert torch.equal(found.vectors, own.vectors)
    assert found.unit == own.unit


@pytest.mark.parametrize(
    ("form", "keys", "said"),
    [
        ("styleganv", {"layers": [0, 99]}, "layers 0 to 5"),
        ("mocogan", {"layers": [0]}, "content is no style"),
        ("mocogan", {"part": "pose"}, "no such part; it has content, motion_start, motion_noise"),
        ("mocogan", {"part": "w"}, "no such part"),
    ],
)
def test_what_there_is_not(form: str, keys: dict, said: str):
    with pytest.raises(ValueError, match=said):
        find_directions(clips_of(styled(form)), **keys)
