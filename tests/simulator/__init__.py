"""A stateful AWS with a virtual clock, reached over HTTP. It imports nothing of deploykit.

    with Simulator() as sim:
        ecs = boto3.client("ecs", endpoint_url=sim.url, …)
        sim.clock.advance(60)
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
