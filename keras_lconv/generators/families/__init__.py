"""Families of generators: each stores matrices in its own way."""
