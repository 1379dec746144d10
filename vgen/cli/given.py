"""What a generator that continues or enlarges clips is given: of its data, or of the user's pictures and videos."""

from vgen.cli.build import build_source, prepared
from vgen.cli.load import Trained
from vgen.clip import given_frames, is_given, small_size
from vgen.config import ConfigError
from vgen.data.beginnings import Beginnings
from vgen.training.given_frames import GivenFrames, beginnings


def given_for(
    trained: Trained, path: str | None, *, frames: int, count: int, stride: float | None, seed: int
) -> GivenFrames | None:
    """What is given for `count` clips of `frames` frames, from the picture, video or folder at `path`, else from the
    run's data: their first frames, or all of them to be made small and large again.

    None for a generator that is given nothing; ConfigError if it is to be given something all the same, or for frames
    that are not there.
    """
    if not is_given(trained.generator):
        if path is not None:
            raise ConfigError(
                f"given={path}: this generator is given no frames; train one with condition=frames, or one that "
                "enlarges clips (generator=longvideogan_sres)"
            )
        return None
    frames = frames if small_size(trained.generator) else given_frames(trained.generator)
    config = trained.config
    step = config.clip.stride if stride is None else stride
    if step != int(step) and (frames > 1 or path is None):
        raise ConfigError(f"stride={stride}: frames that are given lie a whole number of frames apart")
    if path is None:
        source, _ = build_source(config)
        prepared(source, "set given=PICTURE|VIDEO|FOLDER")
        return beginnings(source, trained.generator, frames=frames, stride=int(step), count=count, seed=seed)
    size = {"size": config.clip.size, "channels": config.clip.channels}
    fit = {key: config.data[key] for key in ("resize", "resample") if key in config.data}
    try:
        clips = Beginnings(path, frames=frames, stride=max(int(step), 1), **size, **fit)
        return GivenFrames(clips, trained.generator)
    except (FileNotFoundError, ValueError) as error:
        raise ConfigError(f"given={path}: {error}") from error
