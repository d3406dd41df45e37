"""Would it start? What a release needs is looked for before anything changes."""
