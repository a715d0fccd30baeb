"""Folders of runs: where a run leaves its files, by its options, and which runs are kept."""
