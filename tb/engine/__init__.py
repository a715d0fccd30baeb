"""Simulators: finding them, building models, running them."""
