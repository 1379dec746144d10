import numpy as np
import pytest

from vgen.data.balls import Balls, fly

LATE = 2000


def energy(mass: np.ndarray, velocity: np.ndarray) -> np.ndarray:
    return (mass * (velocity**2).sum(axis=-1)).sum(axis=-1) / 2


def test_energy_is_conserved_for_ever():
    balls = Balls(videos=20, frames=LATE, least=2)
    for i in range(20):
        _, velocity = balls.state(i, np.arange(0, LATE, 50))
        found = energy(balls.factors(i)["mass"], velocity)
        assert found == pytest.approx(found[0], rel=1e-11)


def test_every_collision_is_with_one_wall_or_keeps_the_momentum():
    balls = Balls(videos=30, least=3)
    walls = meetings = 0
    for i in range(30):
        start = balls.factors(i)
        flight = fly(*(start[name] for name in ("radius", "mass", "position", "velocity")), until=100)
        for place, before, after in zip(
            flight.position[1:], flight.velocity, flight.velocity[1:], strict=False
        ):
            changed = before != after
            if changed.sum() == 1:
                walls += 1
                (ball,), (axis,) = np.nonzero(changed)
                assert after[ball, axis] == -before[ball, axis]
                at = place[ball, axis]
                edge = start["radius"][ball]
                assert min(abs(at - edge), abs(at - 1 + edge)) < 1e-12
            else:
                meetings += 1
                assert changed.any(axis=1).sum() == 2
                mass = start["mass"]
                assert mass @ after == pytest.approx(mass @ before, abs=1e-14)
    assert walls > 300
    assert meetings > 100


def test_balls_keep_inside_and_apart():
    balls = Balls(videos=20, frames=400, least=2)
    indices = np.linspace(0, 399, 3000)
    for i in range(20):
        place, _ = balls.state(i, indices)
        radius = balls.factors(i)["radius"]
        assert (place >= radius[:, None] - 1e-12).all()
        assert (place <= 1 - radius[:, None] + 1e-12).all()
        one, other = np.triu_indices(len(radius), 1)
        apart = np.hypot(*np.moveaxis(place[:, one] - place[:, other], 2, 0))
        assert (apart >= radius[one] + radius[other] - 1e-12).all()


def test_the_motion_runs_backwards_to_where_it_came_from():
    balls = Balls(videos=10, least=3)
    for i in range(10):
        start = balls.factors(i)
        place, velocity = balls.state(i, np.array([60.0, 60.0]))
        back = fly(start["radius"], start["mass"], place[0], -velocity[0], until=60)
        there = back.position[-1] + back.velocity[-1] * (60 - back.begin[-1])
        assert there == pytest.approx(start["position"], abs=1e-8)
        assert back.velocity[-1] == pytest.approx(-start["velocity"], abs=1e-8)


def test_equal_balls_that_meet_head_on_exchange_their_speeds():
    radius, mass = np.full(2, 0.1), np.ones(2)
    flight = fly(
        radius, mass, np.array([[0.2, 0.5], [0.8, 0.5]]), np.array([[0.02, 0], [-0.02, 0]]), until=11
    )
    assert flight.begin.tolist() == pytest.approx([0, 10])
    assert flight.velocity[1] == pytest.approx(np.array([[-0.02, 0], [0.02, 0]]))


def test_a_heavy_ball_pushes_a_light_one_that_rests():
    mass = np.array([3.0, 1.0])
    flight = fly(
        np.full(2, 0.1), mass, np.array([[0.2, 0.5], [0.6, 0.5]]), np.array([[0.04, 0], [0, 0]]), until=6
    )
    assert flight.velocity[1] == pytest.approx(np.array([[0.02, 0], [0.06, 0]]))


@pytest.mark.parametrize("size", [32, 97])
def test_pixels_are_where_the_state_says(size):
    balls = Balls(size=size, videos=5, least=1, most=1)
    indices = np.arange(0, 60, 7)
    at = np.arange(size) + 0.5
    for i in range(5):
        weight = balls.read(i, indices).astype(float).sum(axis=3)
        seen = np.stack([(weight.sum(axis=1) @ at), (weight.sum(axis=2) @ at)], axis=1)
        place, _ = balls.state(i, indices)
        assert seen / weight.sum(axis=(1, 2))[:, None] == pytest.approx(place[:, 0] * size, abs=0.1)


def test_colour_and_area_of_every_ball_are_its_factors():
    balls = Balls(size=256, videos=5, least=3)
    for i in range(5):
        factors, frame = balls.factors(i), balls.read(i, np.array([3]))[0].astype(float)
        for radius, colour in zip(factors["radius"], factors["colour"], strict=True):
            own = np.abs(frame - colour).max(axis=2) < 2
            assert own.sum() == pytest.approx(np.pi * (256 * radius) ** 2, rel=0.06)


def test_a_longer_video_begins_as_the_shorter_one():
    short, long = (Balls(size=16, videos=3, frames=frames) for frames in (10, 300))
    assert np.array_equal(short.read(2, np.arange(10)), long.read(2, np.arange(10)))


def test_labels_count_the_balls():
    balls = Balls(videos=50, least=2, most=3)
    assert balls.classes == ["2 balls", "3 balls"]
    assert all(balls.factors(i)["balls"] == 2 + balls.label(i) for i in range(50))


@pytest.mark.parametrize(("least", "most"), [(0, 1), (2, 1), (1, 4)])
def test_says_what_is_wrong(least, most):
    with pytest.raises(ValueError, match=rf"data.least={least}, data.most={most}: .* from 1 to 3"):
        Balls(least=least, most=most)
