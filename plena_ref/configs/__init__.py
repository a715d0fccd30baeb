"""Sizes of models, as data that every other part of the package may read."""
