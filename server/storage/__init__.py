"""What the server keeps: results, dispositions, tokens and an audit log in a database, pictures beside it.

Law: knows rows, bytes and times. No transport, no model; what an answer's bytes say is its writer's business.
"""
