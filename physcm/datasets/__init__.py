"""Data with a known ground truth."""
