"""The sandbox's server: MiniStack, brought up to AWS where a release would notice the difference.

Runs in an environment of its own, where of deploykit only this package is importable.
"""
