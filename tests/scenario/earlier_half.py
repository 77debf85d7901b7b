"""The first half of `test_upgrade`: a round up to its commits, then kill -9 of every node.

    python -P earlier_half.py FOLDER DATASETS

Runs with the client and the `network` module of an earlier checkout (on PYTHONPATH), so it calls only what
every version of that module has. Its last line is a JSON object: what the second half needs to go on.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from network import Network, test_dataset


def main() -> None:
    folder, datasets = (Path(argument) for argument in sys.argv[1:])
    network = Network.build(folder, test_dataset(datasets), solvers=2)
    try:
        network.run_nodes()
        round_id = network.play(commits=2, gap_seconds=40)
        network.wait("both commits", lambda: len(network.round(round_id).commits) == 2)
        for node in network.nodes.values():
            node.kill()
        network.stop_chain()
    finally:
        network.close()
    left = {
        "round": int(round_id),
        "rounds": network.rounds,
        "chain_port": network.anvil.port,
        "port": network.port,
        "bootstrap": list(network.bootstrap),
        "confirmations": network.confirmations,
        "block_time": network.block_time,
        "nodes": {name: [list(node.roles), str(node.address)] for name, node in network.nodes.items()},
    }
    print(json.dumps(left))


if __name__ == "__main__":
    main()
