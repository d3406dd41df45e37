"""Durations: what people write, in seconds, and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploykit.config.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("10m", 600), ("1h", 3600), ("1h30m", 5400), ("500ms", 0.5), ("2.5s", 2.5), ("1m5s250ms", 65.25)],
)
def test_a_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "s", "-5s", "5 s", "5S", "5d", "30s10m", "1e3s", ".5s", "5s ", "5s\n", "٥s"])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match='such as "30s"'):
        parse_duration(text)


@given(st.integers(0, 10**9))
def test_what_is_written_is_read_back(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds / 1000)) == pytest.approx(milliseconds / 1000, abs=1e-6)
