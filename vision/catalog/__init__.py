"""The catalog: products placed in a shop's tree of categories, described in numbers, and found again by their pictures.

Law: numpy and what the core stands on. No torch, no sockets, no database; usearch is met in `search.graph` alone. What training and
serving must do alike (labels and paths of the tree, ids of titles and attributes, compact vectors) is done here once.
"""
