"""Whether another process still runs: known for certain, or not said."""

from __future__ import annotations

import subprocess
import sys

import pytest

from deploykit.edges.identity import is_gone, own_identity


def test_a_process_that_runs_is_not_gone() -> None:
    assert not is_gone(own_identity())


def test_a_process_that_has_ended_is_gone() -> None:
    say = "from deploykit.edges.identity import own_identity; print(own_identity())"
    told = subprocess.run([sys.executable, "-c", say], check=True, capture_output=True, text=True).stdout.strip()
    assert is_gone(told)


def test_another_process_with_the_same_number_is_not_taken_for_it() -> None:
    boot, namespace, pid, started = own_identity().split()
    assert is_gone(f"{boot} {namespace} {pid} {int(started) - 1}")


@pytest.mark.parametrize("place", [0, 1])
def test_of_another_machine_or_container_nothing_is_said(place: int) -> None:
    words = own_identity().split()
    words[2], words[place] = "4194304", "elsewhere"  # beyond the highest number there is
    assert not is_gone(" ".join(words))


@pytest.mark.parametrize("text", ["", "x", "a b c d", "a b 1", "1 2 3 4 5"])
def test_of_what_cannot_be_read_nothing_is_said(text: str) -> None:
    assert not is_gone(text)
