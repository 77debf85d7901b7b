"""What counts as one address when connections are capped."""

from __future__ import annotations

import pytest

from jepanet.p2p.hardening.swarm import neighbourhood

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("a name", ""),
    ],
)
def test_hosts_and_networks(host: str, expected: str) -> None:
    assert neighbourhood((host, 1)) == expected


def test_a_connection_that_is_gone_shares_one_bucket() -> None:
    assert neighbourhood(None) == ""
