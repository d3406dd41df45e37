"""deploykit: take the commit you are on to what users see, prove it, and go back when it is not healthy."""

__version__ = "0.1.0"
