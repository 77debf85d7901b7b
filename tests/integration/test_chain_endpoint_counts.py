"""An endpoint keeps count of its requests, for whoever watches it from outside."""

from __future__ import annotations

import pytest

from jepanet.chain.devchain.anvil import free_port
from jepanet.chain.endpoints.endpoint import Endpoint, EndpointDown

pytestmark = pytest.mark.integration


async def test_an_endpoint_counts_its_requests_what_fails_and_how_long_all_took() -> None:
    endpoint = Endpoint(f"http://127.0.0.1:{free_port()}", timeout=1.0, max_response=1000)
    for _ in range(2):
        with pytest.raises(EndpointDown):
            await endpoint.ask("eth_chainId", [])
    await endpoint.disconnect()
    assert (endpoint.counts.requests, endpoint.counts.failures) == (2, 2)
    assert endpoint.counts.seconds > 0
