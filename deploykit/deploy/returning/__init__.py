"""Go back: which release runs, which to go to, whether it would start."""
