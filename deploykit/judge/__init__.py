"""Judge a release by what its endpoints answer."""
