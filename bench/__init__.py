"""Benchmarks, each a ratio against a named baseline: `uv run python -m bench`."""
