"""The sandbox's server: MiniStack, corrected where a release would notice a difference from AWS.

Runs in an environment of its own, where of deploykit only this package and ``sandbox/settings.py`` are imported.
Imports run one way: run → gateway, corrections → ecs → data_plane → settings.
"""
