"""Where lines for people are written: a stream whose reader may leave without stopping the run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TextIO

from deploykit.report.width import fitted


class PeopleStream:
    """Whole lines, from any thread. Once the reader has left (``deploykit deploy | head``) they are dropped: a release
    must not stop halfway because nobody reads.

    ``width`` gives the terminal's columns, at which lines are broken (None: not a terminal). It is asked for each line,
    because a terminal may be resized.
    """

    def __init__(self, stream: TextIO, width: Callable[[], int | None] = lambda: None) -> None:
        self.stream = stream
        self._width = width
        self.gone = False
        self._lock = threading.Lock()

    def line(self, text: str = "") -> None:
        text = "\n".join(fitted(text, self._width()))
        with self._lock:
            if self.gone:
                return
            try:
                self.stream.write(text + "\n")
                self.stream.flush()
            except UnicodeEncodeError:  # a ValueError too, but the reader is there
                encoding = self.stream.encoding or "ascii"
                self.stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
                self.stream.flush()
            except (BrokenPipeError, ValueError):  # ValueError: the stream was closed
                self.gone = True
