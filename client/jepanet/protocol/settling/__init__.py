"""From scores to verdicts, pay and the sheet."""
