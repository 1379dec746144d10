import math

import numpy as np
import pytest
import torch

from vgen.data.balls import Balls
from vgen.data.pendulum import GRAVITY as GRAVITY_OF_THE_SET
from vgen.data.pendulum import Pendulum
from vgen.extractor.track import Track
from vgen.metric.energy_drift import EnergyDrift, ball_energy, pendulum_energy

GRAVITY, LENGTH = 0.006, 0.3


def swing(start: float, *, frames: int = 48, friction: float = 0.0) -> torch.Tensor:
    """Track (1, T, 3) of a pendulum let go at an angle, stepped finely."""
    theta, omega, h, places = start, 0.0, 1 / 200, []
    for _ in range(frames):
        places.append((0.5 + LENGTH * math.sin(theta), 0.45 + LENGTH * math.cos(theta), 0.01))
        for _ in range(200):
            omega -= h * (GRAVITY / LENGTH * math.sin(theta) + friction * omega)
            theta += h * omega
    return torch.tensor([places], dtype=torch.float64)


@pytest.mark.parametrize("start", [0.8, 2.0])
def test_an_ideal_pendulum_has_the_energy_of_its_height(start):
    energy = pendulum_energy(swing(start)[..., :2], gravity=GRAVITY)
    assert energy.numpy() == pytest.approx(math.sin(start / 2) ** 2, rel=0.03)


def test_friction_and_a_wrong_speed_are_drift():
    ideal, tired = swing(1.5), swing(1.5, friction=0.02)
    metric = EnergyDrift()
    found = {
        name: metric.per_clip(track)["energy_drift"].item()
        for name, track in (("ideal", ideal), ("tired", tired))
    }
    assert found["ideal"] < 0.01
    assert found["tired"] > 0.2
    strange = swing(1.5)[:, torch.randperm(48, generator=torch.Generator().manual_seed(0))]
    assert pendulum_energy(strange[..., :2], gravity=GRAVITY).std() > 0.1


def test_a_ball_that_bounces_keeps_its_energy_and_one_that_slows_down_does_not():
    t = np.arange(40)
    fold = 0.8 - np.abs(0.8 - (0.1 + 0.04 * t) % 1.6)
    bouncing = torch.tensor(np.stack([fold, 0.3 + 0.01 * t, 0 * t + 0.02], axis=1))[None]
    slowing = torch.tensor(np.stack([0.9 * (1 - np.exp(-t / 20)), 0 * t, 0 * t + 0.02], axis=1))[None]
    metric = EnergyDrift(law="ball")
    assert metric.per_clip(bouncing)["energy_drift"].item() == pytest.approx(0, abs=1e-9)
    assert metric.per_clip(slowing)["energy_drift"].item() > 1
    assert ball_energy(bouncing[..., :2]).mean().item() == pytest.approx(1)


def test_objects_that_vanish_are_counted():
    track = swing(1.0).repeat(2, 1, 1)
    track[1, :12, 2] = 0
    assert EnergyDrift().per_clip(track)["lost"].tolist() == [0, 0.25]


def test_clips_that_stand_still_are_finite():
    still = torch.full((2, 16, 3), 0.5, dtype=torch.float64)
    for law in ("pendulum", "ball"):
        assert EnergyDrift(law=law).per_clip(still)["energy_drift"].tolist() == [0, 0]


def test_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"law='spring' of the energy drift; choose pendulum or ball"):
        EnergyDrift(law="spring")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"gravity=0 of the energy drift"):
        EnergyDrift(gravity=0)
    with pytest.raises(ValueError, match=r"at least 8 frames, got 5"):
        EnergyDrift().per_clip(torch.zeros(1, 5, 3))


@pytest.mark.parametrize(("law", "source", "least"), [("pendulum", Pendulum, 0.5), ("ball", Balls, 0.05)])
def test_the_data_obey_their_law_and_clips_spliced_of_two_do_not(law, source, least):
    videos = source(videos=20) if law == "pendulum" else source(videos=20, most=1)
    clips = torch.from_numpy(np.stack([videos.read(i, np.arange(32)) for i in range(20)]))
    track = Track()(clips)["track"].double()
    spliced = torch.cat([track[:, :16], track.roll(1, 0)[:, 16:]], dim=1)
    metric = EnergyDrift(law=law)
    assert metric.per_clip(track)["lost"].max() == 0
    assert metric.per_clip(track)["energy_drift"].mean() < 0.03
    assert metric.per_clip(spliced)["energy_drift"].mean() > least


def test_gravity_is_that_of_the_data():
    assert EnergyDrift().gravity == GRAVITY_OF_THE_SET
