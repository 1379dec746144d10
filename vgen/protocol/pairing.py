"""Which metric is measured on which extractor, settled before a clip is read."""

from collections.abc import Iterable, Mapping
from typing import Any

from vgen.clip import Extractor
from vgen.protocol.contract import SetMetric
from vgen.protocol.standard import Standard

Terms = Mapping[str, Any] | Iterable[Any]


def listed(terms: Terms) -> list[Any]:
    """Named terms as the configuration has, or a list of them, as a list."""
    return list(terms.values() if isinstance(terms, Mapping) else terms)


def pairs_of(extractors: Terms, metrics: Terms, protocol: Standard) -> list[tuple[SetMetric, Extractor]]:
    """Each metric with each extractor that has the role it reads.

    Raises ValueError, before any clip is read, for a metric without extractor, two of one name, or what the
    protocol cannot serve.
    """
    chosen: list[Extractor] = listed(extractors)
    wanted: list[SetMetric] = listed(metrics)
    check_parts(protocol, chosen, wanted)
    pairs = [(m, e) for m in wanted for e in chosen if m.reads in e.roles]
    for metric in wanted:
        if not any(m is metric for m, _ in pairs):
            have = "; ".join(f"{e.name} has {', '.join(e.roles)}" for e in chosen) or "there is no extractor"
            raise ValueError(
                f"{metric.names[0]} reads {metric.reads!r} features, which no extractor makes ({have})"
            )
    names = metric_names(pairs)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise ValueError(f"two metrics are called {twice}; their values would overwrite each other")
    return pairs


def check_parts(protocol: Standard, extractors: Iterable[Extractor], metrics: Iterable[SetMetric]) -> None:
    """Raise ValueError, before any clip is read, if these cannot work under `protocol`."""
    extractors, metrics = list(extractors), list(metrics)
    if not metrics:
        raise ValueError("no metric to compute; choose for example metric=[frechet]")
    if not extractors:
        raise ValueError("no extractor; choose for example extractor=[embedded]")
    for extractor in extractors:
        if protocol.frames < extractor.min_frames:
            raise ValueError(
                f"extractor {extractor.name} needs clips of at least {extractor.min_frames} frames, "
                f"the protocol has frames={protocol.frames}; set protocol.frames, or choose another extractor, "
                "for single frames extractor=[random] metric=[frame_frechet]"
            )
        for key in ("eps", "kernel", "fit"):
            _check_same(protocol, f"extractor {extractor.name}", key, extractor)
    _check_unique("extractors", [extractor.name for extractor in extractors])
    _check_unique("metrics", [f"{name} of {metric.reads}" for metric in metrics for name in metric.names])
    for metric in metrics:
        _check_same(protocol, ", ".join(metric.names), "divisor", metric)


def extractors_of(pairs: Iterable[tuple[SetMetric, Extractor]]) -> list[Extractor]:
    """Those that some metric reads, each once."""
    return list({extractor.name: extractor for _, extractor in pairs}.values())


def metric_names(pairs: Iterable[tuple[SetMetric, Extractor]]) -> list[str]:
    """The full names (`fvd/i3d`) of what pairs measure."""
    return [f"{name}/{extractor.name}" for metric, extractor in pairs for name in metric.names]


def check_sets_suffice(pairs: Iterable[tuple[SetMetric, Extractor]]) -> None:
    """Raise ValueError if a metric cannot be measured on clips alone."""
    for metric, _ in pairs:
        if getattr(metric, "needs_generator", False):
            raise ValueError(
                f"{metric.names[0]} redraws parts of a generator's latent: it needs a model (checkpoint=RUN), "
                "not videos"
            )


def _check_same(protocol: Standard, what: str, key: str, part: object) -> None:
    own, wanted = getattr(part, key, None), getattr(protocol, key)
    if own is not None and own != wanted:
        raise ValueError(
            f"{what} has {key}={own}, the protocol {key}={wanted}; set protocol.{key} and leave the other alone"
        )


def _check_unique(what: str, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two {what} of one name, {twice[0]}; their values would overwrite each other")
