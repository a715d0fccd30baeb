"""The door for PLENA's own tools: their build directories, their settings, their command line."""
