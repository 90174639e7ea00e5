"""Many products at once: rows of a table in, a table of answers out, through kills.

Law: takes whoever answers (`products.Categorizes`), a model here or a server; knows no command line. pyarrow, of the extra `parquet`, is
loaded where such a file is read or written.
"""
