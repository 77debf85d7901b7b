"""One module per command of `jepanet`; each exports `command`."""
