import pytest
import torch

from vgen import rng
from vgen.clip import regular_times
from vgen.generator.motion.lstm import LSTMMotion

SMALL = {"motion_dim": 3, "noise_dim": 4}


def make(**changes) -> LSTMMotion:
    torch.manual_seed(0)
    return LSTMMotion(**SMALL | changes)


def test_mapped_states_of_torchs_lstm():
    """Frame by frame it is the whole recurrence at once; the mapping sees states and label."""
    motion = make(label_dim=2).double()
    times, label = regular_times(2, 5), torch.eye(2, dtype=torch.float64)
    noise = torch.randn(2, 5, 4, dtype=torch.float64)
    whole = torch.nn.LSTM(6, 4, batch_first=True).double()
    state = {f"{name}_l0": value for name, value in motion.cell.state_dict().items()}
    whole.load_state_dict(state)
    states, _ = whole(torch.cat([noise, label[:, None].expand(-1, 5, -1)], 2))
    expected = motion.mapping(states.flatten(0, 1), label.repeat_interleave(5, 0)).view(2, 5, 3)
    torch.testing.assert_close(motion({"motion_noise": noise}, times, label), expected)


def test_a_longer_clip_starts_as_the_shorter_one():
    motion = make()
    short, long = (
        motion(motion.sample_latent(2, times, rng.generator(0)), times, None)
        for times in (regular_times(2, 4), regular_times(2, 9))
    )
    torch.testing.assert_close(long[:, :4], short)
    assert not torch.allclose(long[:, 0], long[:, 1])


def test_what_it_refuses():
    motion = make()
    with pytest.raises(ValueError, match="sampler=consecutive"):
        motion.check_times(torch.tensor([[0.0, 1.0, 5.0]]))
    with pytest.raises(ValueError, match="4 frames cannot make 5"):
        motion(motion.sample_latent(1, regular_times(1, 4), rng.generator(0)), regular_times(1, 5), None)
