"""What can be released, one slice each."""
