import pytest
import torch
from safetensors.torch import save_file

from vgen import rng
from vgen.clip import regular_times
from vgen.generator.motion.lstm_residual import LSTMResidualMotion


def make(**arguments) -> LSTMResidualMotion:
    torch.manual_seed(0)
    return LSTMResidualMotion(**{"content_dim": 6, "hidden_dim": 5, "components": 3} | arguments)


def drawn(motion: LSTMResidualMotion, frames: int, batch: int = 2):
    stream = rng.generator(0)
    content = torch.randn(batch, motion.dim, generator=stream)
    return {"content": content, **motion.sample_latent(batch, regular_times(batch, frames), stream)}


def test_parameters_of_the_published_cells():
    with torch.device("meta"):
        motion = LSTMResidualMotion(content_dim=512)
    for cell in (motion.start, motion.cell):
        assert round(sum(parameter.numel() for parameter in cell.parameters()) / 1e6, 2) == 1.38
    assert motion.directions.shape == (512, 384)


def test_the_walk_step_by_step():
    motion = make(label_dim=2, noise_dim=4, step=0.5)
    with torch.no_grad():
        motion.scales.copy_(torch.tensor([0.5, 1.0, 2.0]))
    latent, label = drawn(motion, 4), torch.eye(2)
    parts = motion.decompose(latent, regular_times(2, 4), label)
    where = latent["content"]
    torch.testing.assert_close(parts["code"][:, 0], where)
    state, memory = motion.start(torch.cat([where, label], 1))
    for t, noise in enumerate(latent["motion_noise"].unbind(1)):
        state, memory = motion.cell(torch.cat([noise, label], 1), (state, memory))
        amount = torch.tanh(state @ motion.amount.weight.T + motion.amount.bias) * motion.scales
        where = where + 0.5 * amount @ motion.orthonormal_directions().T
        torch.testing.assert_close(parts["code"][:, t + 1], where)
        guess = motion.guess(torch.cat([state, memory], 1))
        torch.testing.assert_close(parts["motion_noise_guess"][:, t], guess)
    assert torch.equal(parts["motion_noise"], latent["motion_noise"])


def test_directions_stay_orthonormal_and_learn():
    motion = make()
    optimizer = torch.optim.SGD(motion.parameters(), lr=1.0)
    for _ in range(3):
        optimizer.zero_grad()
        motion(drawn(motion, 4), regular_times(2, 4), None).square().sum().backward()
        assert motion.directions.grad.any()
        optimizer.step()
    directions = motion.orthonormal_directions()
    torch.testing.assert_close(directions.T @ directions, torch.eye(3), atol=1e-5, rtol=0)


@pytest.mark.parametrize("frames", [1, 5])
def test_a_longer_walk_begins_as_the_shorter(frames: int):
    motion = make()
    short, long = (motion(drawn(motion, t), regular_times(2, t), None) for t in (frames, 9))
    assert short.shape == (2, frames, 6)
    torch.testing.assert_close(long[:, :frames], short)


def test_directions_from_a_file(tmp_path):
    rows = torch.linalg.qr(torch.randn(6, 4)).Q.T.contiguous()
    spread = torch.tensor([4.0, 3.0, 2.0, 1.0])
    file = str(tmp_path / "basis.safetensors")
    save_file({"components": rows, "stdev": spread}, file)
    motion = make(basis=file)
    torch.testing.assert_close(motion.orthonormal_directions(), rows[:3].T)
    assert torch.equal(motion.scales, spread[:3])
    assert not {"directions", "scales"} & {name for name, _ in motion.named_parameters()}
    steps = motion(drawn(motion, 4), regular_times(2, 4), None).diff(dim=1) / 0.2
    assert (steps @ rows[3]).abs().max() < 1e-5
    assert ((steps @ rows[:3].T).abs() <= spread[:3]).all()


def test_files_that_do_not_fit(tmp_path):
    file = str(tmp_path / "basis.safetensors")
    with pytest.raises(FileNotFoundError, match=r"motion\.basis=.*no such file"):
        make(basis=file)
    for held, message in (
        ({"rows": torch.eye(6)}, r"holds \['rows'\], not components and stdev"),
        ({"components": torch.eye(5), "stdev": torch.ones(5)}, r"do not give 3 directions of width 6"),
        ({"components": torch.ones(3, 6), "stdev": torch.ones(3)}, "not orthonormal"),
    ):
        save_file(held, file)
        with pytest.raises(ValueError, match=message):
            make(basis=file)


def test_what_is_refused():
    with pytest.raises(ValueError, match=r"components=7: there are 1 to 6"):
        make(components=7)
    motion = make()
    with pytest.raises(ValueError, match="4 frames cannot make 6"):
        motion(drawn(motion, 4), regular_times(2, 6), None)
    with pytest.raises(ValueError, match="sampler=consecutive"):
        motion.check_times(torch.tensor([[0.0, 1.0, 5.0]]))
