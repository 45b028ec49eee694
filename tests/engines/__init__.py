"""The Redis store on each server that is given: its contract, and what the server can do.

`make engines ENGINES="/opt/redis-7.2/redis-server /opt/keydb/keydb-server"` runs the tests of the
store against each binary, asks each what it can, and writes the table of docs/engines.md. A row of
a version that is not given stays as it is.
"""
