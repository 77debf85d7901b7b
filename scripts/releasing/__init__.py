"""`scripts/release`: makes and judges the files of a release."""
