"""The Pareto front against its definition."""

from hypothesis import given
from hypothesis import strategies as st

from wbc_core.evaluation.pareto import pareto_front

POINTS = st.lists(st.tuples(st.integers(0, 5) | st.none(), st.integers(0, 5) | st.none()), max_size=8)


@given(POINTS)
def test_the_front_is_what_no_other_point_beats(points: list[tuple[int | None, int | None]]) -> None:
    known = [(cost, score) for cost, score in points if cost is not None and score is not None]
    expected = {
        place
        for place, (cost, score) in enumerate(points)
        if cost is not None
        and score is not None
        and not any(
            other <= cost and better >= score and (other, better) != (cost, score) for other, better in known
        )
    }
    front = pareto_front([cost for cost, _ in points], [score for _, score in points])
    assert set(front) == expected
    assert len(front) == len(expected)
    assert [points[place][0] for place in front] == sorted(points[place][0] for place in front)
