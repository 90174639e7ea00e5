"""The gRPC service.

Law: stands on `vision`, meets `edge` and `training` on the wire and in bundles only, runs without torch.
"""
