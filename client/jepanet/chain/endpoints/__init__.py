"""JSON-RPC endpoints: one, several as one chain, and what their answers say."""
