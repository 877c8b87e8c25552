"""mojo_seq.cli.bench.figures and measured: what samples amount to."""

from __future__ import annotations

import pytest

from mojo_seq.cli.bench.case import Case
from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.figures import interleaved
from mojo_seq.cli.bench.fresh_process import Sample
from mojo_seq.cli.bench.measured import Comparison, Measured

OURS, THEIRS = "mojo_seq", "queue"


def measured(ours: list[float], theirs: list[float], unit: str = "us") -> Measured:
    contenders = (Contender(OURS, lambda _: 0.0), Contender(THEIRS, lambda _: 0.0, "queue"))
    case = Case("title", unit, contenders, higher_is_better=unit == "k/s")
    result = Measured.nothing_yet("name", case, [OURS, THEIRS])
    for name, figures in ((OURS, ours), (THEIRS, theirs)):
        for figure in figures:
            result.add(name, Sample(figure, cpu=figure / 10))
    return result


def test_each_round_begins_with_another_contender() -> None:
    assert [interleaved("ABC", turn) for turn in range(4)] == [
        ["A", "B", "C"],
        ["B", "C", "A"],
        ["C", "A", "B"],
        ["A", "B", "C"],
    ]


def test_contenders_are_compared_within_rounds() -> None:
    """The machine was twice as slow in the second round: that changes nothing."""
    result = measured([1.0, 2.0, 1.5], [4.0, 8.0, 3.0])
    assert result.median(OURS) == 1.5
    assert result.median_cpu(THEIRS) == 0.4
    assert result.comparison(THEIRS) == Comparison(0.25, 0.25, 0.5)
    assert result.comparison(OURS) is None


def test_where_higher_is_better_a_larger_figure_is_faster() -> None:
    assert str(measured([10.0], [30.0], "k/s").comparison(THEIRS)) == "3.00x faster"
    assert str(measured([10.0], [30.0], "us").comparison(THEIRS)) == "3.00x slower"


@pytest.mark.parametrize(
    ("rounds", "text"),
    [
        ((2.0, 1.5, 2.5), "2.00x faster"),
        ((0.05, 0.04, 0.06), "20.0x slower"),
        ((1.2, 0.9, 1.4), "about even"),
        ((1.0, 1.0, 1.0), "about even"),
        ((1.01, 1.0, 1.02), "1.01x faster"),
        ((0.0, 0.0, 0.0), "infinitely slower"),
    ],
)
def test_who_is_better_is_said_if_the_rounds_agree(
    rounds: tuple[float, float, float], text: str
) -> None:
    assert str(Comparison(*rounds)) == text


def test_an_interrupted_round_is_left_out_of_the_comparison() -> None:
    result = measured([1.0, 1.0], [2.0])
    assert result.comparison(THEIRS) == Comparison(0.5, 0.5, 0.5)
    assert measured([1.0], []).comparison(THEIRS) is None


def test_a_contender_with_a_problem_has_no_figures() -> None:
    result = measured([1.0], [2.0])
    result.add(THEIRS, Sample(None, problem="FAILED: no such luck"))
    assert result.has_figures(OURS) and not result.has_figures(THEIRS)
    assert result.comparison(THEIRS) is None
    assert result.problems == {THEIRS: "FAILED: no such luck"}
