"""Named faults that the bench must catch."""
