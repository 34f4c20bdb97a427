"""Compares strum-opt, bit for bit, with the TOSA reference model on Arm's conformance tests and on whole networks."""
