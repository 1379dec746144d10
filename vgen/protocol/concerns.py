"""What a reader should know about a comparison before trusting its numbers; facts of the clips, not of a metric."""

import os
from collections.abc import Mapping
from typing import Any

from vgen.protocol.features import Features
from vgen.protocol.standard import Standard

Info = Mapping[str, Any]


def concerns(
    real: Features, real_info: Info, fake: Features, fake_info: Info, protocol: Standard
) -> list[str]:
    """One line for each; none for a comparison under the protocol of clean, lossless, square, distinct clips."""
    said = []
    for side, features, info, wanted in (
        ("real", real, real_info, protocol.count),
        ("fake", fake, fake_info, protocol.fake_count),
    ):
        clips = len(features.hashes)
        if wanted is not None and clips < wanted:
            said.append(f"{clips} {side} clips where the protocol asks for {wanted}")
        if features.repeated:
            said.append(f"{features.repeated} of {clips} {side} clips are exact copies of others")
        videos = info.get("videos")
        if videos is not None and videos < clips:
            said.append(
                f"{clips} {side} clips come from {videos} videos: those of one video are not independent, and "
                "standard errors are too small"
            )
        said += _of_storage(side, info)
    shared = len(set(real.hashes) & set(fake.hashes))
    if shared:
        said.append(f"{shared} clips are on both sides, pixel for pixel")
    said += _of_differences(real_info, fake_info, protocol)
    height, width = real.shape[1:3]
    if height != width:
        said.append(
            f"frames are not square ({width}x{height}): the value depends on how the extractor fits them"
        )
    if os.environ.get("NVIDIA_TF32_OVERRIDE") == "1":
        said.append("TF32 is forced on by NVIDIA_TF32_OVERRIDE=1: features are less exact than float32")
    return said


def _of_storage(side: str, info: Info) -> list[str]:
    said = []
    skipped = info.get("skipped") or []
    if skipped:
        first = skipped[0]
        said.append(
            f"{len(skipped)} {side} videos could not be used, the first is {first['path']}: {first['reason']}"
        )
    if info.get("lossy"):
        said.append(
            f"{side} videos are stored with losses (mp4, jpeg, gif): that alone moves features by several per cent"
        )
    if info.get("mixed_fps"):
        said.append(f"{side} videos differ in their frame rates: equal strides are not equal times")
    return said


def _of_differences(real: Info, fake: Info, protocol: Standard) -> list[str]:
    said = []
    if (real.get("lossy"), fake.get("lossy")) in ((True, False), (False, True)):
        said.append(
            "one side is stored with losses and the other is not: store both alike, or neither with losses"
        )
    stored = protocol.stride, protocol.fake_stride
    rates = [rate for rate in (real.get("fps"), fake.get("fps")) if rate]
    if len(rates) == 2:
        apart = [stride / rate for stride, rate in zip(stored, rates, strict=True)]
        if max(apart) > 1.01 * min(apart):
            said.append(
                f"frames are {apart[0]:.3g} s apart in real clips (stride {stored[0]} at {rates[0]:g} fps) and "
                f"{apart[1]:.3g} s in fake clips (stride {stored[1]} at {rates[1]:g} fps)"
            )
    elif "videos" in fake and stored[0] != stored[1]:
        said.append(f"strides differ: {stored[0]} in real videos, {stored[1]} in fake ones")
    sizes = [info.get("stored_sizes") for info in (real, fake)]
    if None not in sizes and sizes[0] != sizes[1]:
        said.append(f"videos are stored in other sizes: real {sizes[0]}, fake {sizes[1]}; both were resized")
    return said
