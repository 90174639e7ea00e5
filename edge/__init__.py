"""The runtime at the line.

Law: stands on `vision`, meets `server` and `training` on the wire and in bundles only, runs without torch and
without a network.
"""
