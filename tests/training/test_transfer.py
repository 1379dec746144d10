"""What a model takes over from another one's weights."""

import copy

import pytest
import torch
from styled import styled
from torch import nn
from toy import ToyDiscriminator, ToyGenerator, fit, toy_gan

from vgen.condition.conditioned import Conditioned
from vgen.condition.frames import FirstFrames
from vgen.discriminator.digan import DIGANDiscriminator
from vgen.discriminator.mocogan_sg2 import MoCoGANSG2Discriminator
from vgen.discriminator.styleganv import StyleGANVDiscriminator
from vgen.discriminator.stylesv import StyleSVDiscriminator
from vgen.generator.synthesis.inr import INR
from vgen.generator.synthesis.stylegan2 import StyleGAN2
from vgen.generator.synthesis.stylegan3 import StyleGAN3
from vgen.training.transfer import start_from_weights, transfer_weights

CODES = {"content_dim": 5, "motion_dim": 3, "w_dim": 6}
JUDGES = (StyleGANVDiscriminator, StyleSVDiscriminator, MoCoGANSG2Discriminator, DIGANDiscriminator)


def pair(kind: type[nn.Module], small: int, large: int, **arguments) -> tuple[nn.Module, nn.Module]:
    """The same network for two sizes of frames, with the same widths at the same sizes."""
    torch.manual_seed(0)
    return tuple(
        kind(size=size, base_channels=256 // size, max_channels=16, **arguments) for size in (small, large)
    )


def test_names_and_shapes_decide():
    one = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2), nn.BatchNorm1d(2))
    other = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 5))
    before = other[1].weight.clone()
    taken = transfer_weights(other, one.state_dict())
    assert taken.loaded == ["0.weight", "0.bias"]
    assert taken.other == ["1.weight", "1.bias"]
    assert taken.new == []
    assert taken.left == [f"2.{name}" for name, _ in one[2].state_dict().items()]
    assert torch.equal(other[0].weight, one[0].weight)
    assert torch.equal(other[1].weight, before)
    assert taken.share == pytest.approx(16 / 41)
    assert str(taken) == (
        "2 of 4 tensors loaded (39.0 % of the numbers); of another shape there: 1; not wanted here: 2"
    )


def test_a_share_that_lacks_little_is_not_all():
    taken = transfer_weights(nn.Linear(9999, 1), {"weight": torch.zeros(1, 9999)})
    assert str(taken) == "1 of 2 tensors loaded (99.9 % of the numbers); new: bias"


def test_many_layers_make_a_short_line():
    many = nn.ModuleList(nn.Linear(1, 1) for _ in range(30))
    assert str(transfer_weights(many, {})).endswith("(0.0 % of the numbers); new: 0, 1, 2, 3 and 26 more")


@pytest.mark.parametrize("kind", [StyleGAN2, INR])
def test_generators_keep_the_sizes_that_both_have(kind: type[nn.Module]):
    small, large = pair(kind, 16, 32, **CODES)
    taken = transfer_weights(large, small.state_dict())
    assert taken.left == []
    assert taken.other == []
    assert {name.split(".")[1] for name in taken.new} == {"2"}  # the block of 32 pixels
    for name in taken.loaded:
        assert torch.equal(large.state_dict()[name], small.state_dict()[name])


def test_layers_of_the_alias_free_generator_are_the_same_number_at_every_size():
    small, large = pair(StyleGAN3, 16, 32, layers=5, **CODES)
    taken = transfer_weights(large, small.state_dict())
    assert taken.left == taken.new == []
    assert {"input.weight", "input.frequencies", "blocks.0.magnitude.average"} < set(taken.loaded)


@pytest.mark.parametrize("kind", JUDGES)
def test_discriminators_keep_the_sizes_that_both_have(kind: type[nn.Module]):
    frames = 2 if kind is DIGANDiscriminator else 3
    small, large = pair(kind, 32, 64, frames=frames)
    taken = transfer_weights(large, small.state_dict())
    of_style = [
        name for name in taken.loaded + taken.new if "blocks" in name and not name.startswith("video_")
    ]
    assert {name for name in of_style if "at64" in name} == {n for n in of_style if n in taken.new}
    assert any("at8" in name for name in taken.loaded)
    for name in taken.loaded:
        assert torch.equal(large.state_dict()[name], small.state_dict()[name])


def test_a_generator_is_the_same_inside_its_conditions_and_outside():
    def told() -> Conditioned:
        condition = FirstFrames(frames=1, clip_frames=4, size=16, base_channels=2)
        return Conditioned(generator=styled("styleganv"), conditions={"frames": condition}, frames=4)

    alone, within = styled("styleganv"), told()
    names = list(alone.state_dict())
    for value in alone.parameters():
        value.data.add_(1)
    taken = transfer_weights(within, alone.state_dict())
    assert taken.loaded == [f"generator.{name}" for name in names]
    assert taken.left == []
    assert {name.split(".")[0] for name in taken.new} == {"conditions", "entries"}
    again = transfer_weights(styled("styleganv"), within.state_dict())
    assert (again.loaded, again.new, again.share) == (names, [], 1)
    assert transfer_weights(told(), within.state_dict()).share == 1


def weights_of(model) -> dict:
    return {
        "generator": model.generator.state_dict(),
        "average": model.generator_average.module.state_dict(),
        "discriminator": model.discriminator.state_dict(),
    }


def test_a_model_goes_on_from_the_players_and_the_average(tmp_path):
    trained = fit(toy_gan(), tmp_path, 3)
    model = toy_gan(generator=ToyGenerator(), discriminator=ToyDiscriminator())
    taken = start_from_weights(model, weights_of(trained))
    assert all(part.share == 1 for part in taken.values())
    assert model.iteration == 0
    state, expected = model.state_dict(), trained.state_dict()
    for name, value in state.items():
        if name.startswith(("generator.", "discriminator.", "generator_average.module.")):
            assert torch.equal(value, expected[name]), name
    # The average is not forgotten at the first step, as a new one is.
    averaged = copy.deepcopy(trained.generator_average.module.state_dict())
    model.generator_average.update(model.generator, decay=1.0)
    for name, value in model.generator_average.module.state_dict().items():
        assert torch.equal(value, averaged[name])


def test_an_average_alone_serves_the_generator_too(tmp_path):
    trained = fit(toy_gan(), tmp_path, 2)
    model = toy_gan()
    taken = start_from_weights(model, {"average": weights_of(trained)["average"]})
    assert set(taken) == {"generator"}
    for network in (model.generator, model.generator_average.module):
        for name, value in network.state_dict().items():
            assert torch.equal(value, trained.generator_average.module.state_dict()[name])


def test_without_a_match_the_average_begins_as_usual():
    model = toy_gan()
    taken = start_from_weights(model, {"generator": {"other.weight": torch.zeros(3)}, "average": {}})
    assert not any(part.loaded for part in taken.values())
    assert model.generator_average.n_averaged == 0


def test_frozen_layers_take_weights_over_and_keep_them(tmp_path):
    trained = fit(toy_gan(), tmp_path, 2)
    model = toy_gan(freeze_d=["net.1"])
    start_from_weights(model, weights_of(trained))
    fit(model, tmp_path, 3)
    own, source = model.discriminator.state_dict(), trained.discriminator.state_dict()
    for name in own:
        assert torch.equal(own[name], source[name]) == name.startswith("net.1"), name
