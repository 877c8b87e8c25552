"""mojo_seq.cli.bench.units: figures as people read them."""

from __future__ import annotations

import pytest

from mojo_seq.cli.bench.units import seconds_of_one, span, text


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (178.4, "ns", "178 ns"),
        (3476.0, "ns", "3.48 us"),
        (0.0421, "ms", "42.1 us"),
        (0.0004, "ns", "0.00 ns"),
        (999.4, "us", "999 us"),
        (999.7, "us", "1.00 ms"),
        (7541.1, "ms", "7.54 s"),
        (90000.0, "s", "90,000 s"),
        (0.0, "s", "0 ns"),
        (716.1, "k/s", "716 k/s"),
        (2100.0, "k/s", "2.10 M/s"),
        (0.5, "k/s", "500 /s"),
        (0.0001, "k/s", "0.10 /s"),
    ],
)
def test_three_digits_with_the_unit_that_suits(value: float, unit: str, expected: str) -> None:
    assert text(value, unit) == expected


def test_a_span_is_in_the_unit_of_the_median() -> None:
    assert span([990.0, 1234.0, 50.0], 1100.0, "us") == "0.05 .. 1.23"
    assert span([2.0], 2.0, "k/s") == "2.00 .. 2.00"


def test_what_one_operation_takes() -> None:
    assert seconds_of_one(250.0, "us") == pytest.approx(250e-6)
    assert seconds_of_one(250.0, "k/s") == pytest.approx(4e-6)
