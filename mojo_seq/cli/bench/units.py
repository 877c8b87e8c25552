"""Figures as people read them: 3 digits, with the unit that suits them."""

from __future__ import annotations

from mojo_seq.cli.bench.figures import number

TIMES = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}  # in seconds
RATES = {"/s": 1.0, "k/s": 1e3, "M/s": 1e6, "G/s": 1e9}  # a second


def seconds_of_one(value: float, unit: str) -> float:
    """What one operation takes, whatever the figure's unit."""
    return value * TIMES[unit] if unit in TIMES else 1 / (value * RATES[unit])


def unit_for(value: float, unit: str) -> str:
    """The largest unit of its kind in which the value is not below 1."""
    kind = TIMES if unit in TIMES else RATES
    base = value * kind[unit]
    fitting = [name for name, size in kind.items() if base >= size * 0.9995]
    return fitting[-1] if fitting else next(iter(kind))


def converted(value: float, unit: str, into: str) -> str:
    """Without the unit."""
    kind = TIMES if unit in TIMES else RATES
    return number(value * kind[unit] / kind[into])


def text(value: float, unit: str) -> str:
    """text(0.0421, "ms") -> "42.1 us"."""
    into = unit_for(value, unit)
    return f"{converted(value, unit, into)} {into}"


def span(values: list[float], of: float, unit: str) -> str:
    """From the lowest to the highest, in the unit in which `of` is shown."""
    into = unit_for(of, unit)
    return " .. ".join(converted(value, unit, into) for value in (min(values), max(values)))
