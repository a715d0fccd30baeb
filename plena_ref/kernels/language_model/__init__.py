"""One pass of a decoder through the machine: its tensors, the stream of weights, and the program."""
