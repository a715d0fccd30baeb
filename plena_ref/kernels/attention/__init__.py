"""Attention: flash attention, its packed form for narrow heads, the decode step, and the plain form."""
