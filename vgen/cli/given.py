"""What a generator that continues clips is given: beginnings of its data, or pictures of the user's."""

from vgen.cli.build import build_source, prepared
from vgen.cli.load import Trained
from vgen.clip import given_frames
from vgen.config import ConfigError
from vgen.data.beginnings import Beginnings
from vgen.training.given_frames import GivenFrames, beginnings


def given_for(
    trained: Trained, path: str | None, *, count: int, stride: float | None, seed: int
) -> GivenFrames | None:
    """The first frames of `count` clips, from the picture, video or folder at `path`, else from the run's data.

    None for a generator that is given nothing; ConfigError if it is to be given something all the same, or for frames
    that are not there.
    """
    frames = given_frames(trained.generator)
    if not frames:
        if path is not None:
            raise ConfigError(
                f"given={path}: this generator is given no frames; train one with condition=frames"
            )
        return None
    config = trained.config
    step = config.clip.stride if stride is None else stride
    if step != int(step) and (frames > 1 or path is None):
        raise ConfigError(f"stride={stride}: frames that are given lie a whole number of frames apart")
    if path is None:
        source, _ = build_source(config)
        prepared(source, "set given=PICTURE|VIDEO|FOLDER")
        return beginnings(source, trained.generator, stride=int(step), count=count, seed=seed)
    size = {"size": config.clip.size, "channels": config.clip.channels}
    fit = {key: config.data[key] for key in ("resize", "resample") if key in config.data}
    try:
        return GivenFrames(Beginnings(path, frames=frames, stride=max(int(step), 1), **size, **fit), frames)
    except (FileNotFoundError, ValueError) as error:
        raise ConfigError(f"given={path}: {error}") from error
