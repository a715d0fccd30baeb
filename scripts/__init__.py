"""Thin programs that put the reference package and the bench together; the Makefile calls them."""
