"""A result as a few lines for the terminal."""

import math
from typing import Any

_DIRECTION = {True: "higher is better", False: "lower is better", None: ""}


def format_table(result: dict[str, Any]) -> str:
    """Metrics with standard errors and stamps, aligned, then clips and warnings. Takes what `score` returns."""
    rows = [
        (
            name,
            format_value(entry["value"], entry["standard_error"]),
            _DIRECTION[entry["higher_is_better"]],
            entry["stamp"],
        )
        for name, entry in result["metrics"].items()
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        f"{name:<{widths[0]}}  {value:>{widths[1]}}  {better:<{widths[2]}}  {stamp}"
        for name, value, better, stamp in rows
    ]
    protocol = result["protocol"]
    lines.append(
        f"{result['real']['clips']} real and {result['fake']['clips']} fake clips of {protocol['frames']} frames at "
        f"{protocol['size']} px, protocol {protocol['name']} ({protocol['id']})"
    )
    return "\n".join(lines + [f"warning: {warning}" for warning in result["warnings"]])


def format_value(value: float, error: float | None) -> str:
    """`12.34 +- 0.56`: two significant digits of the error and the value to match; without error four digits."""
    if error is None or error <= 0 or not math.isfinite(error):
        return f"{value:.4g}"
    largest = max(abs(value), error)
    if largest >= 1e6 or largest < 1e-4:
        digits = max(0, math.floor(math.log10(largest)) - math.floor(math.log10(error)) + 1)
        return f"{value:.{digits}e} +- {error:.1e}"
    decimals = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{decimals}f} +- {error:.{decimals}f}"
