"""What is right: each operator in float64 numpy, one a file, knowing nothing of any machine or kernel."""
