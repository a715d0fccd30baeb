"""The machine's shape, number formats and state, and the reference machine that runs programs on them."""
