"""Language models and vision encoders: their sizes."""
