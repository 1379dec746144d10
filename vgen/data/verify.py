"""A packed dataset against its checksums."""

from pathlib import Path

from tqdm import tqdm

from vgen.data.journal import sha256_of, video_hash
from vgen.data.kept import fingerprint_of
from vgen.data.pack import Pack
from vgen.data.packed import PackedVideos


def verify(source: PackedVideos) -> list[str]:
    """Read every byte of the shards; what is not as it was written, a line each."""
    pack = Pack(source.path, source.index)
    problems = []
    recorded, made = (
        source.index.get("fingerprint"),
        fingerprint_of(source.settings, source.classes, pack.videos),
    )
    if recorded != made:
        problems.append(f"the index says fingerprint {recorded}, its videos make {made}: it was edited")
    for number, shard in enumerate(tqdm(pack.shards, desc="Verifying", unit="shard", disable=None)):
        path = Path(source.path) / shard.file
        if shard.sha256 is None or sha256_of(path) == shard.sha256:
            continue
        videos = [video for video in pack.videos if video.shard == number]
        damaged = [video.name for video in videos if video_hash(path, video, pack.frame) != video.hash]
        what = f"{damaged[0]} and {len(damaged) - 1} more videos" if len(damaged) > 1 else "".join(damaged)
        problems.append(
            f"{shard.file} has another sha256 than it was written with: {what or 'its header'} is damaged"
        )
    return problems
