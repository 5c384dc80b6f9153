"""`seqzoo errors`: the mistakes of a run, grouped by likely cause, and likely label errors."""
