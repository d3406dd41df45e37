"""What an AWS call can end with instead of an answer."""

from __future__ import annotations


class AwsError(Exception):
    """An error as AWS sends it: its code, its message and the HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


class ConnectionCut(Exception):
    """The connection ends without an answer; the call may or may not have been carried out."""
