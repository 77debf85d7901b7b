"""Whole runs whose solvers may be drawn for audits: what cheats make in them, and who is drawn."""
