"""An evaluation that takes a while and notes what it does; killed and run again by test_killed.py.

python kill_job.py OUTPUT STORE NOTES
"""

import json
import sys
import time
from pathlib import Path

from clip_sets import Colours, Tensors, pixels
from torch import Tensor

from vgen.metric.frechet import FrechetDistance
from vgen.metric.kernel import KernelDistance
from vgen.protocol.score import score
from vgen.protocol.standard import Standard
from vgen.protocol.store import FeatureStore


class Slow(Colours):
    def __call__(self, clips: Tensor) -> dict[str, Tensor]:
        time.sleep(0.25)
        with notes.open("a") as file:
            file.writelines(f"{int(clip.long().sum())}\n" for clip in clips)
        return super().__call__(clips)


if __name__ == "__main__":
    notes = Path(sys.argv[3])
    result = score(
        Tensors(pixels(11, 1)), Tensors(pixels(9, 2)), extractors=[Slow()],
        metrics=[FrechetDistance(), KernelDistance()], protocol=Standard(frames=4, size=8, count=11, fakes=9),
        store=FeatureStore(sys.argv[2]), batch=2,
    )  # fmt: skip
    Path(sys.argv[1]).write_text(json.dumps(result))
