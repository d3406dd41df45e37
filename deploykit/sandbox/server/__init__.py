"""The sandbox's server: MiniStack, brought up to AWS where a release would notice the difference.

Runs in an environment of its own, where of deploykit only this package and ``sandbox/settings.py`` are imported.
Imports run one way: run → gateway, corrections → ecs → data_plane → settings.
"""
