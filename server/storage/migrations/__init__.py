"""How a database comes to the tables of `server.storage.tables`, revision by revision; run by `open_database`."""
