"""Videos that were made ready for training, held against what a protocol asks of them."""

from vgen.data.source import VideoSource
from vgen.protocol.standard import Standard


def check_prepared(source: VideoSource, protocol: Standard) -> None:
    """Raise ValueError where `protocol` asks for other pixels or other videos than `source` gives.

    Only `Standard.open_videos` follows `split`, `resize` and `resample`; a number made of videos that somebody else
    has opened would bear a stamp that is not true.
    """
    if protocol.split is not None:
        raise ValueError(
            f"protocol.split={protocol.split} is a sub-folder of real=DIR, and these are the videos of a training "
            "run; evaluate with real=DIR"
        )
    for key in ("resize", "resample"):
        own, wanted = getattr(source, key, None), getattr(protocol, key)
        if own is not None and own != wanted:
            raise ValueError(
                f"protocol.{key}={wanted}, and the videos of the run are made with {own}; leave it out, or evaluate "
                "with real=DIR"
            )
