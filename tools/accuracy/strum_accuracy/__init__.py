"""Accuracy of real networks in every weight format."""
