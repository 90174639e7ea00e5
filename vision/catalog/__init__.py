"""The shop's catalog: where a product belongs, and which others are like it.

Law: numpy and the standard library. No transport, no database; usearch is met in `search.graph` alone.
"""
