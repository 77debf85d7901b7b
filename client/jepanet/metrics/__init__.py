"""Figures of a running node as Prometheus reads them."""
