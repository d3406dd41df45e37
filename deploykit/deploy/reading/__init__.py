"""The commands that only look: status, history, logs."""
