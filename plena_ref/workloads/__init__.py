"""What can be run: cases, their data, and how each becomes a program with its images and golden."""
