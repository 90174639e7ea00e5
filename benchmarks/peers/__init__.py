"""Other servers, each in an environment of its own, doing the same work: same file, same decoding, same threads, batches of up to 8.

`*_server.py` run inside those environments, where `benchmarks.peers.work` and the few modules of `vision` that it imports are all of
Loupe that there is; the rest runs in ours.
"""
