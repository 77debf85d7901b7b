"""Everything that touches an EVM chain."""

from __future__ import annotations

import sys

from jepanet.chain.pairings import defer

defer()
import eth_keyfile  # noqa: E402, F401  # for what its import does, which is undone below

# It imports py_ecc, which raises the interpreter's recursion limit to 100,000. With that limit a few
# kilobytes of nested brackets, sent by any endpoint or peer, make json.loads overflow the C stack: the
# process dies instead of raising RecursionError.
_PYTHON_DEFAULT = 1000
if sys.getrecursionlimit() > 10 * _PYTHON_DEFAULT:
    sys.setrecursionlimit(_PYTHON_DEFAULT)
