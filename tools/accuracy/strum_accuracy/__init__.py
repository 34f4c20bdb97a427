"""Accuracy of real networks with weights stored in every way."""
