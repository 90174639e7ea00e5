"""The command line: `loupe`, its tree, and the commands that need nothing but the core."""
