"""The mistakes of a run: `seqzoo errors`, grouped by likely cause, and likely label errors."""
