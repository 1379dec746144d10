import pytest
import torch

from vgen import rng
from vgen.clip import regular_times
from vgen.generator.motion.gru import GRUMotion


def test_codes_are_the_states_of_the_recurrence():
    torch.manual_seed(0)
    motion = GRUMotion(motion_dim=4, label_dim=2)
    times, label = regular_times(3, 5), torch.eye(2)[[0, 1, 0]]
    latent = motion.sample_latent(3, times, rng.generator(0))
    codes = motion(latent, times, label)
    assert codes.shape == (3, 5, 4)
    reference = torch.nn.GRU(6, 4, batch_first=True)
    reference.load_state_dict({f"{name}_l0": value for name, value in motion.cell.state_dict().items()})
    driven = torch.cat([latent["motion_noise"], label[:, None].expand(-1, 5, -1)], 2)
    torch.testing.assert_close(codes, reference(driven, latent["motion_start"][None])[0])


@pytest.mark.parametrize(("batch", "dim"), [(1, 3), (3, 10)])
def test_noise_of_a_longer_clip_continues_that_of_a_shorter(batch: int, dim: int):
    motion = GRUMotion(motion_dim=dim)
    short = motion.sample_latent(batch, regular_times(batch, 4), rng.generator(7))
    long = motion.sample_latent(batch, regular_times(batch, 9), rng.generator(7))
    assert torch.equal(short["motion_start"], long["motion_start"])
    assert torch.equal(short["motion_noise"], long["motion_noise"][:, :4])


def test_noise_of_another_length_is_refused():
    motion = GRUMotion(motion_dim=2)
    latent = motion.sample_latent(1, regular_times(1, 4), rng.generator(0))
    with pytest.raises(ValueError, match="4 frames cannot make 5"):
        motion(latent, regular_times(1, 5), None)
