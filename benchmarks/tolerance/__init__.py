"""Parts of trainings done honestly and otherwise, for `tolerant_audits.py`."""
