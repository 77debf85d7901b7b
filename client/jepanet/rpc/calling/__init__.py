"""A typed client of a node's JSON-RPC: one method for each that a node offers."""
