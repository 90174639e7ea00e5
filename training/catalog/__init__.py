"""The catalog task: one network with a head a level, and branches for titles and attributes beside the picture.

Stands on the same loop, manifests and bundles as inspection; what differs by task is here.
"""
