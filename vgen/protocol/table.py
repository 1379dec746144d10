"""A result as a few lines for the terminal."""

import math
from typing import Any

_BETTER = {True: "higher", False: "lower", None: ""}


def format_table(result: dict[str, Any]) -> str:
    """Metrics with standard errors and stamps, aligned, then clips, warnings and failures. Takes what `score` returns.

    The column `real` holds the same statistic of the real clips, where the metric is one of a single set.
    """
    rows = [("metric", "value", "real", "better", "stamp")]
    for name, entry in result["metrics"].items():
        value = format_value(entry["value"], entry["standard_error"])
        real = format_value(entry["real"], None) if "real" in entry else ""
        rows.append((name, value, real, _BETTER[entry["higher_is_better"]], entry["stamp"]))
    keep = [column for column in range(5) if any(row[column] for row in rows[1:])]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = [
        "  ".join(row[c].rjust(widths[c]) if c in (1, 2) else row[c].ljust(widths[c]) for c in keep)
        for row in rows
    ]
    protocol, real, fake = result["protocol"], result["real"], result["fake"]
    width, height = real["size"]
    lines.append(
        f"{real['clips']} real and {fake['clips']} fake clips of {protocol['frames']} frames at {width}x{height} px, "
        f"protocol {protocol['name']} ({protocol['id']}){_cached(real, fake)}"
    )
    lines = [line.rstrip() for line in lines]
    lines += [f"warning: {said}" for said in result["warnings"]]
    lines += [f"not measured: {said}" for said in dict.fromkeys(result["failed"].values())]
    return "\n".join(lines)


def _cached(*sides: dict[str, Any]) -> str:
    found = sum(sum(side["from_cache"].values()) for side in sides)
    wanted = sum(side["clips"] * len(side["from_cache"]) for side in sides)
    return f"; features of {found} of {wanted} were there already" if found else ""


def format_value(value: float, error: float | None) -> str:
    """`12.34 +- 0.56`: two significant digits of the error and the value to match; four digits without an error.

    An error that is float64's rounding of the value is none.
    """
    if error is None or error <= 1e-12 * abs(value) or not math.isfinite(error):
        return f"{value:.4g}"
    largest = max(abs(value), error)
    if largest >= 1e6 or largest < 1e-4:
        digits = max(0, math.floor(math.log10(largest)) - math.floor(math.log10(error)) + 1)
        return f"{value:.{digits}e} +- {error:.1e}"
    decimals = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{decimals}f} +- {error:.{decimals}f}"
