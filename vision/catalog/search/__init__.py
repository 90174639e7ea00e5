"""Search by picture: items by their vectors, in a folder that survives kills and is viewed rather than read.

values      items, filters and hits
compact     vectors in int8, and how alike they are, exactly
names       many strings in few arrays: item ids, and the terms that filters ask for
terms       categories and attributes as terms, and which items have which
graph       HNSW by usearch, which is met there alone
layer       what base and recent items have in common: the nearest of those a filter leaves
recent      the items since the last checkpoint, in memory
base        the items of a checkpoint, memory-mapped
checkpoint  base and recent items written as the next base
journal     what was promised since the last checkpoint
folder      what lies in the folder, and how it is taken up again after a kill
index       `ItemIndex`, which puts these together
duplicates  which uploads are pictures that are here already
"""
