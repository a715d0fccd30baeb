"""Pictures of the documentation, drawn from text: ``python -m scripts.pictures`` writes docs/pictures."""
