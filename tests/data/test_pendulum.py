import math

import numpy as np
import pytest

from vgen.data.pendulum import CLASSES, GRAVITY, Pendulum, amplitude, angle, period, quarter

LENGTH = 0.3
ENERGIES = [0.001, 0.3, 0.93, 1.15, 2.0]


def stepped(energy: float, steps: int, per_frame: int) -> np.ndarray:
    """Angles of the pendulum after every frame by Runge-Kutta's method, from the lowest point on."""
    pull, h = GRAVITY / LENGTH, 1 / per_frame
    y, found = np.array([0.0, 2 * math.sqrt(pull * energy)]), []

    def slope(y: np.ndarray) -> np.ndarray:
        return np.array([y[1], -pull * math.sin(y[0])])

    for _ in range(steps):
        found.append(y[0])
        for _ in range(per_frame):
            a = slope(y)
            b = slope(y + h / 2 * a)
            c = slope(y + h / 2 * b)
            y = y + h / 6 * (a + 2 * b + 2 * c + slope(y + h * c))
    return np.array(found)


@pytest.mark.parametrize("energy", ENERGIES)
def test_the_closed_form_solves_the_equation_of_motion(energy):
    assert angle(np.arange(150), energy, LENGTH) == pytest.approx(stepped(energy, 150, 40), abs=1e-6)


@pytest.mark.parametrize("energy", ENERGIES)
def test_energy_is_conserved_for_ever(energy):
    times, h = np.linspace(0, 100_000, 500), 1e-3
    theta = angle(times, energy, LENGTH)
    speed = (angle(times + h, energy, LENGTH) - angle(times - h, energy, LENGTH)) / (2 * h)
    found = speed**2 * LENGTH / (4 * GRAVITY) + np.sin(theta / 2) ** 2
    assert found == pytest.approx(energy, rel=1e-4)


@pytest.mark.parametrize("energy", ENERGIES)
def test_the_motion_repeats_after_its_period_and_no_sooner(energy):
    times, once = np.linspace(0, 50, 30), 0 if energy < 1 else 2 * math.pi
    later = angle(times + period(energy, LENGTH), energy, LENGTH)
    assert later == pytest.approx(angle(times, energy, LENGTH) + once, abs=1e-9)
    half = angle(times + period(energy, LENGTH) / 2, energy, LENGTH)
    assert np.abs(half - angle(times, energy, LENGTH)).max() > 0.05


def test_periods_in_known_cases():
    assert period(1e-9, LENGTH) == pytest.approx(2 * math.pi * math.sqrt(LENGTH / GRAVITY), rel=1e-8)
    # K(1/2) is lemniscatic: a swing to 90 degrees
    assert quarter(0.5) == pytest.approx(math.gamma(0.25) ** 2 / (4 * math.sqrt(math.pi)), rel=1e-14)
    assert amplitude(np.array([quarter(0.7)]), 0.7)[0] == pytest.approx(math.pi / 2, rel=1e-14)
    fast = period(1e6, LENGTH)  # gravity no longer matters: 2 pi over the speed
    assert fast == pytest.approx(2 * math.pi / (2 * math.sqrt(1e6 * GRAVITY / LENGTH)), rel=1e-5)


@pytest.mark.parametrize("size", [32, 97])
def test_the_bob_is_where_the_law_says_and_stays_inside(size):
    pendulum = Pendulum(size=size, videos=15)
    indices, at = np.arange(0, 60, 7), np.arange(size) + 0.5
    for i in range(15):
        factors, bob = pendulum.factors(i), pendulum.bob(i, indices)
        radius = factors["radius"] * size
        assert bob.min() >= radius
        assert bob.max() <= size - radius
        frames = pendulum.read(i, indices).astype(float)
        weight = frames.max(axis=3) - frames.min(axis=3)  # only the bob has a colour
        seen = np.stack([weight.sum(axis=1) @ at, weight.sum(axis=2) @ at], axis=1)
        assert seen / weight.sum(axis=(1, 2))[:, None] == pytest.approx(bob, abs=0.15)
        reach = np.hypot(*(bob - size * np.array(factors["pivot"])).T)
        assert reach == pytest.approx(size * factors["length"])


def test_those_that_turn_turn_over_and_the_others_do_not():
    pendulum = Pendulum(videos=40, frames=200)
    directions = set()
    for i in range(40):
        factors, theta = pendulum.factors(i), pendulum.angle(i, np.arange(200))
        assert CLASSES[pendulum.label(i)] == factors["motion"]
        assert factors["period"] < 110
        if factors["motion"] == "turning":
            directions.add(factors["direction"])
            assert (np.diff(theta) * factors["direction"] > 0).all()
            assert np.ptp(theta) > 2 * math.pi
        else:
            assert factors["direction"] == 1
            assert np.abs(theta).max() == pytest.approx(2 * math.asin(math.sqrt(factors["energy"])), rel=0.02)
    assert directions == {-1, 1}


def test_a_longer_video_begins_as_the_shorter_one():
    short, long = (Pendulum(size=16, videos=3, frames=frames) for frames in (10, 300))
    assert np.array_equal(short.read(2, np.arange(10)), long.read(2, np.arange(10)))


def test_a_thin_rod_weighs_what_it_measures():
    """Antialiasing keeps the rod's brightness where it is thinner than a pixel."""
    for i in range(3):
        light = []
        for size in (16, 128):
            frames = Pendulum(size=size, videos=3).read(i, np.arange(0, 60, 10)).astype(float)
            light.append(frames.min(axis=3).mean())
        assert light[0] == pytest.approx(light[1], rel=0.25)
