"""Scores two small sets on as many processes as asked for; run by test_ranks.py.

python ranks_job.py OUTPUT PROCESSES CLIPS STORE [BROKEN]
"""

import json
import os
import sys
from pathlib import Path

import torch
from clip_sets import Brightness, Colours, Tensors, pixels

from vgen.launch.processes import other_ranks
from vgen.metric.frechet import FrechetDistance
from vgen.metric.kernel import KernelDistance
from vgen.protocol.score import score
from vgen.protocol.standard import Standard
from vgen.protocol.store import FeatureStore


class Torn(Tensors):
    def read(self, indices):
        if torch.distributed.get_rank() == 1:
            raise OSError("video 7 cannot be read")
        return super().read(indices)


def main(output: Path, processes: int, clips: int, store: str, kind: type[Tensors]) -> None:
    with other_ranks(processes, [sys.executable, *sys.argv]):
        rank, world = 0, 1
        if processes > 1:
            rank, world = int(os.environ["LOCAL_RANK"]), processes
            torch.distributed.init_process_group("gloo", rank=rank, world_size=world)
        extractors = [Colours(), Brightness()]
        try:
            result = score(
                kind(pixels(clips, 1)), Tensors(pixels(clips + 1, 2)), extractors=extractors,
                metrics=[FrechetDistance(), KernelDistance()],
                protocol=Standard(frames=4, size=8, count=clips, fakes=clips + 1),
                store=None if store == "none" else FeatureStore(store), batch=2, rank=rank, world=world,
            )  # fmt: skip
        except (ValueError, OSError) as error:
            result = {"error": str(error)}
        result["seen"] = [extractor.seen for extractor in extractors]
        output.with_name(f"{output.stem}.{rank}.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main(
        Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4],
        Torn if "BROKEN" in sys.argv else Tensors,
    )  # fmt: skip
