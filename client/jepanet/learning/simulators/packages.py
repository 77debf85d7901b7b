"""What the simulators are made of, at the versions that they were measured with, each beside its reason.

The simulators' own package requires torchvision and a table store, which their environments never import, so
all of it is installed without requirements of its own: `jepanet simulator install`. What these need beside
each other is what this program needs as well.
"""

from __future__ import annotations

from collections.abc import Mapping

SIMULATOR = "stable-worldmodel"
PINNED: Mapping[str, str] = {
    SIMULATOR: "0.1.1",  # the environments
    "gymnasium": "1.4.0",  # their form
    "cloudpickle": "3.1.2",  # of gymnasium
    "farama-notifications": "0.0.6",  # of gymnasium
    "loguru": "0.7.3",  # what they log with
    "opencv-python-headless": "5.0.0.93",  # PushT's pictures
    "pygame-ce": "2.5.8",  # PushT's drawing
    "pymunk": "7.3.1",  # PushT's physics
    "shapely": "2.2.0",  # PushT's shapes
}
INSTALL = "run: jepanet simulator install"
"""What to do where one of them is missing or another version."""
