"""What the roundings and the hardware should make of a case: predicted errors and cycles."""
