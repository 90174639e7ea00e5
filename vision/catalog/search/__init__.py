"""Search by picture: items by their vectors, in a folder that survives kills and is viewed rather than read.

    signature   32 bytes by which copies of a picture are told
    compact     vectors in int8, and how alike they are, exactly
    values      items, filters and hits
    names       many strings in few arrays: item ids, and the terms that filters ask for
    terms       categories and attributes as terms, and which items have which
    entry       an item as it is kept
    layer       what base and recent items have in common: the nearest of those a filter leaves
    graph       HNSW by usearch, which is met there alone
    recent      the items since the last checkpoint, in memory
    base        the items of a checkpoint, memory-mapped
    checkpoint  base and recent items written as the next base
    changes     puts and removals as the journal keeps them
    journal     what was promised since the last checkpoint
    folder      what lies in the folder, and how it is taken up again after a kill
    index       `ItemIndex`, which puts these together
    rebuild     an index made anew
    duplicates  which uploads are pictures that are here already

Law: no module imports one below it.
"""
