"""A plan -> a packed dataset (vgen.data.packed): in parallel, going on after any interruption.

While a folder is made it holds `unfinished.json` (the key of what is made) and a journal (vgen.data.journal) in the
place of `dataset.json`.
"""

import errno
import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from filelock import FileLock, Timeout
from tqdm import tqdm

from vgen import __version__
from vgen.data.cache import sync
from vgen.data.crew import decode_all
from vgen.data.journal import JOURNAL, State, Writer, resume
from vgen.data.kept import fingerprint_of, told
from vgen.data.pack import FORMAT, VERSION, write_index
from vgen.data.plan import Plan
from vgen.data.source import Skipped
from vgen.data.storage import INDEX, read_index
from vgen.files import replacing

UNFINISHED, WORK, LOCK = "unfinished.json", "work", ".lock"
PARTIAL = ".*.partial*"  # what `replacing` leaves of a file if it is killed


def prepare(
    plan: Plan,
    output: Path,
    *,
    facts: dict[str, Any],
    shard_bytes: int = 256 << 20,
    processes: int = 1,
    patience: float = 300.0,
) -> tuple[dict[str, Any], bool]:
    """Pack the videos of `plan` into `output`; given again after an interruption, it goes on where that came.

    Shards and index depend neither on `processes` nor on interruptions.

    Args:
        facts: what the index says beyond the videos themselves (name, source, licence, ...).
        shard_bytes: as of `vgen.data.journal.Writer`.
        processes, patience: as of `vgen.data.crew.decode_all`.

    Returns:
        The index, and whether it was there already.

    Raises:
        ValueError: `output` holds something else; too little space; no usable video, or one that is skipped under
            `strict`.
    """
    key = hashlib.blake2b(f"{plan.key} {shard_bytes}".encode(), digest_size=8).hexdigest()
    with _explained(output), _alone(output):
        finished = _finished(output, key)
        if finished is not None:
            return finished, True
        _begin(output, key, plan)
        state = resume(output, plan.frame)
        _check_space(output, plan.estimate() - state.bytes)
        with Writer(output, plan.frame, state, shard_bytes) as writer:
            _pack(plan, writer, output / WORK, processes, patience)
        _check_usable(plan, state, output)
        index = _index(plan, state, key, facts)
        with replacing(output / INDEX) as partial:
            write_index(partial, index)
            with open(partial, "rb+") as file:
                sync(file)
        _clear(output)
    return index, False


def _pack(plan: Plan, writer: Writer, work: Path, processes: int, patience: float) -> None:
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    first = writer.state.next
    numbers = range(first, len(plan))
    with (
        tqdm(total=len(plan), initial=first, desc="Packing", unit="video", disable=None) as bar,
        closing(decode_all(plan, numbers, work, processes=processes, patience=patience)) as decoded,
    ):
        for number, pixels, result in decoded:
            if isinstance(result, str):
                writer.skip(Skipped(plan.name(number), result))
            else:
                shard, start = writer.place(result.frames)
                name, label, split = plan.name(number), plan.label(number), plan.split(number)
                writer.add(result.packed(name, label, start=start, shard=shard, split=split), pixels)
            pixels.unlink(missing_ok=True)
            bar.update()
    shutil.rmtree(work, ignore_errors=True)


def _index(plan: Plan, state: State, key: str, facts: dict[str, Any]) -> dict[str, Any]:
    skipped = [*plan.refused, *state.skipped]
    rates = [video.fps for video in state.videos if video.fps is not None]
    splits = Counter(video.split for video in state.videos if video.split is not None)
    return {
        "format": FORMAT,
        "version": VERSION,
        "key": key,
        **facts,
        "vgen": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "found": plan.describe(),
        "frame": plan.frame,
        "settings": plan.settings,
        "fps": median(rates) if rates else None,
        "counts": {
            "videos": len(state.videos),
            "frames": sum(video.frames for video in state.videos),
            "skipped": len(skipped),
            "bytes": state.bytes,
        },
        "splits": dict(sorted(splits.items())),
        "classes": plan.classes,
        "fingerprint": fingerprint_of(plan.settings, plan.classes, state.videos),
        "shards": [asdict(shard) for shard in state.shards],
        "videos": [asdict(video) for video in state.videos],
        "skipped": [asdict(video) for video in skipped],
    }


def _finished(output: Path, key: str) -> dict[str, Any] | None:
    """The index of what is there already if it is the same. ValueError if something else is there."""
    names = {item.name for item in output.iterdir() if not item.match(PARTIAL)} - {LOCK}
    if INDEX in names:
        try:
            index = read_index(str(output))
        except ValueError:
            index = None
        if isinstance(index, dict) and index.get("format") == FORMAT:
            if index.get("key") == key:
                _clear(output)
                return index
            raise ValueError(
                f"output={output} holds a packed dataset of other videos or settings ({index.get('found')}, "
                f"{index.get('settings')}): give another output, or remove it"
            )
    if UNFINISHED in names:
        begun = json.loads((output / UNFINISHED).read_text(encoding="utf-8"))
        if begun.get("key") == key:
            return None
        raise ValueError(
            f"output={output} holds the beginning of another dataset ({begun.get('found')}, {begun.get('settings')}), "
            "or its videos have changed since: give the command that began it, another output, or remove it"
        )
    if names:
        raise ValueError(
            f"output={output} is no packed dataset, and not empty ({sorted(names)[0]}): give another folder"
        )
    return None


def _begin(output: Path, key: str, plan: Plan) -> None:
    if not (output / UNFINISHED).exists():
        begun = {"key": key, "found": plan.describe(), "settings": plan.settings}
        with replacing(output / UNFINISHED) as partial:
            partial.write_text(json.dumps(begun, indent=1), encoding="utf-8")


def _clear(output: Path) -> None:
    """Remove what only the making needs."""
    (output / UNFINISHED).unlink(missing_ok=True)
    (output / JOURNAL).unlink(missing_ok=True)
    shutil.rmtree(output / WORK, ignore_errors=True)
    for partial in output.glob(PARTIAL):
        partial.unlink(missing_ok=True)


def _check_space(output: Path, needed: int) -> None:
    free = shutil.disk_usage(output).free
    if needed > free:
        raise OSError(errno.ENOSPC, f"{needed / 1e9:,.1f} GB are needed, {free / 1e9:,.1f} GB are free")


def _check_usable(plan: Plan, state: State, output: Path) -> None:
    skipped = [*plan.refused, *state.skipped]
    if state.videos and not (skipped and plan.strict):
        return
    what = "data.strict" if state.videos else f"no usable video in {plan.parts[0].source.path}"
    shutil.rmtree(output / "shards", ignore_errors=True)
    _clear(output)
    raise ValueError(f"{what}: {told(skipped)}")


@contextmanager
def _alone(output: Path) -> Iterator[None]:
    """Nobody else makes this dataset at the same time. A killed process lets go by itself."""
    output.mkdir(parents=True, exist_ok=True)
    lock = FileLock(output / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise ValueError(f"output={output} is being made by another process: let it finish") from None
    try:
        yield
    finally:
        (output / LOCK).unlink(missing_ok=True)
        lock.release()
        if not any(output.iterdir()):
            output.rmdir()


@contextmanager
def _explained(output: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        what = "too little space for" if full else "cannot write"
        again = "; what is made is kept: give the same command again when there is more" if full else ""
        raise ValueError(f"{what} output={output}: {error.strerror or error}{again}") from error
