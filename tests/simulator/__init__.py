"""A stateful AWS with a virtual clock, reached over HTTP. It imports nothing of deploykit.

``with Simulator() as sim`` gives ``sim.url`` for boto3's endpoint_url; ``sim.clock.advance(60)`` lets a minute pass.
"""

from tests.simulator.clock import EPOCH, VirtualClock, WallClock
from tests.simulator.ecs_state import Behaviour
from tests.simulator.protocol import Request, Response
from tests.simulator.setup import Served, clients, serve
from tests.simulator.simulator import Call, Simulator

__all__ = [
    "EPOCH",
    "Behaviour",
    "Call",
    "Request",
    "Response",
    "Served",
    "Simulator",
    "VirtualClock",
    "WallClock",
    "clients",
    "serve",
]
