"""`python -m jepanet`: the same as the command `jepanet`."""

from jepanet.interface.entry import main

main()
