"""A picture of the clips that a metric points at: fakes on the left, what they are held against on the right."""

from pathlib import Path
from typing import Any

import torch

from vgen.clip import Extractor
from vgen.media import tile, write_mp4
from vgen.protocol.score import Side

SHOWN = 8
FPS = 8


def write_offenders(
    beside: Path, metric: Any, extractor: Extractor, real: Side, fake: Side, count: int = SHOWN
) -> Path:
    """Write `<metric>_<extractor>.mp4`: a fake clip per row, its real one on the right, worst first.

    Args:
        beside: the file of the numbers; unless that is metrics.json, its name comes first.
        metric: has `offenders(real, fake, count)`, which gives (fake clip, real clip, ...) numbers, worst first.
    """
    features = (side.features[extractor.name].values[metric.reads] for side in (real, fake))
    found = metric.offenders(*features, count)
    clips = [side.clips.read([int(pair[k])])[0] for pair in found for k, side in ((0, fake), (1, real))]
    prefix = "" if beside.stem == "metrics" else f"{beside.stem}_"
    file = beside.with_name(f"{prefix}{metric.names[0]}_{extractor.name}.mp4")
    write_mp4(file, tile(torch.stack(clips).numpy(), columns=2), fps=FPS)
    return file
