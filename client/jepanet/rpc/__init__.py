"""JSON-RPC 2.0 of a running node, over HTTP."""
