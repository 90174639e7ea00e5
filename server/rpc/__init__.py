"""The rim: messages in, one call to a service, messages out.

Law: gRPC is met here alone. Nothing here decides anything about a part.
"""
