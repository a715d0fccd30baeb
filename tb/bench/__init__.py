"""The system bench around the core: jobs in, memories and registers out."""
