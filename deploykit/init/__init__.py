"""A first configuration out of a cluster that is there: read it, guess what it cannot say, write it down."""
