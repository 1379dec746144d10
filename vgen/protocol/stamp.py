"""What belongs beside a number: which protocol made it, in short."""

from vgen.clip import Extractor
from vgen.protocol.contract import SetMetric
from vgen.protocol.standard import Standard


def stamp(
    name: str,
    protocol: Standard,
    metric: SetMetric,
    extractor: Extractor,
    *,
    clips: tuple[int, int] | None = None,
    repeats: int | None = None,
) -> str:
    """What belongs beside the number `name`: `fvd[i3d-1a2b3c4d,N-1,eps1e-3,2048x16f,s1/s1,train]`.

    After lengths and strides comes what departs from the defaults of `Standard`. An extractor that can be run in
    several ways says how in its `stamp`. `clips` are those compared (real, fake), and `repeats` how many sets of
    fakes, where they are not the protocol's own numbers.
    """
    real, fake = clips or (protocol.count or "all", protocol.fakes or "all")
    number = f"{real}" if real == fake else f"{real}/{fake}"
    said = [
        f"{extractor.name}-{extractor.fingerprint[:8]}",
        metric.stamp,
        getattr(extractor, "stamp", ""),
        f"{number}x{protocol.frames}f",
        f"s{protocol.stride}/s{protocol.fake_stride}",
        *_departures(protocol, repeats or protocol.repeats),
    ]
    return f"{name}[{','.join(part for part in said if part)}]"


def _departures(protocol: Standard, repeats: int) -> list[str]:
    windows = "windows" in (protocol.real_choice, protocol.fake_choice)
    tokens = {
        f"{protocol.size}px": protocol.size is not None,
        protocol.resize: protocol.size is not None and protocol.resize != "crop",
        protocol.resample: protocol.size is not None and protocol.resample != "bicubic",
        f"real={protocol.real_choice}": protocol.real_choice != "cycle",
        f"fake={protocol.fake_choice}": protocol.fake_choice != "first",
        f"{protocol.clips_per_video}/video": protocol.clips_per_video is not None,
        f"hop{protocol.hop}": windows and protocol.hop != 1,
        f">={protocol.shortest}f": protocol.shortest is not None,
        protocol.order: protocol.order != "shuffled",
        f"pixels={protocol.pixels}": protocol.pixels != "round",
        f"given{protocol.given}": protocol.given != 0,
        f"from{protocol.small}px": protocol.small != 0,
        f"{protocol.fps or 0:g}fps": protocol.fps is not None,
        f"seed{protocol.seed}": protocol.seed != 0,
        f"repeats={repeats}": repeats != 1,
        protocol.split or "": protocol.split is not None,
    }
    return [token for token, departs in tokens.items() if departs]
