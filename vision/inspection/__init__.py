"""Judging parts: a frame goes in, a verdict with its reason and its evidence comes out."""
