"""Benchmark networks, and the peers to compare with."""
