"""What people touch: command line, JSON-RPC, dashboard."""
