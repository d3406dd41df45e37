"""Where lines for people go: a stream whose reader may leave without stopping the run."""

from __future__ import annotations

import threading
from typing import TextIO


class PeopleStream:
    """Whole lines, from any thread. Once the reader is gone (``deploykit deploy | head``) they are dropped:
    a release never stops halfway because nobody listens any more."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.gone = False
        self._lock = threading.Lock()

    def line(self, text: str = "") -> None:
        with self._lock:
            if self.gone:
                return
            try:
                self.stream.write(text + "\n")
                self.stream.flush()
            except (BrokenPipeError, ValueError):  # ValueError: the stream was closed
                self.gone = True
            except UnicodeEncodeError:
                encoding = self.stream.encoding or "ascii"
                self.stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
                self.stream.flush()
