"""The devices of a station as `line.toml` describes them: a table a kind. Values only; `edge.drivers` makes the drivers."""
