"""The process that decodes: a line of JSON asks, lines of JSON and raw frames answer (`vgen.data.isolation`)."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

from vgen.data.arrays import list_arrays
from vgen.data.decode import decode, first_size, probe
from vgen.data.entry import Entry, Part, reason

MEMORY = 8 << 30  # bytes of address space: a file that asks for more must not take it from others


def main() -> None:
    """Answer until the asking process closes its end or is gone."""
    # What libraries print must not get between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with suppress(BrokenPipeError):
        _say(answers, {"ready": True})
        for line in sys.stdin.buffer:
            request = json.loads(line)
            try:
                for answer, pixels in _answers(request):
                    _say(answers, answer, pixels)
                _say(answers, {"end": True})
            except BrokenPipeError:
                raise
            except Exception as error:  # whatever is wrong with one video must not stop the others
                _say(answers, {"error": reason(error)})


def _answers(request: dict) -> Iterator[tuple[dict, bytes | memoryview]]:
    root = Path(request["root"])
    if request["do"] == "arrays":
        yield {"arrays": [asdict(array) for array in list_arrays(root)]}, b""
        return
    facts = request["entry"]
    part = Part(**facts["part"]) if facts["part"] else None
    entry = Entry(**{**facts, "files": tuple(facts["files"]), "part": part})
    match request["do"]:
        case "probe":
            yield {"probe": asdict(probe(root, entry))}, b""
        case "size":
            yield {"size": first_size(root, entry)}, b""
        case "decode":
            for block in decode(root, entry):
                answer = {"shape": block.pixels.shape, "times": block.times.tolist()}
                yield answer, block.pixels.reshape(-1).data


def _say(answers: BinaryIO, answer: dict, pixels: bytes | memoryview = b"") -> None:
    answers.write(json.dumps(answer).encode() + b"\n")
    answers.write(pixels)
    answers.flush()


if __name__ == "__main__":
    main()
