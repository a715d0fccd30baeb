"""From a verdict to its cause: names for addresses, differences by tensor, the first wrong instruction."""
