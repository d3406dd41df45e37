"""Would it start? One check per file; each takes values and AWS, and returns Findings before anything changes."""
