"""The HTTP/JSON door: a process that answers JSON over HTTP by asking the gRPC service.

Every unary method of recocore.v1 has a URL, found in the descriptors. It needs `pip install 'recocore[http]'`.
"""

from recocore.service.door.config import HttpConfig
from recocore.service.door.process import open_port, reachable, run_door

__all__ = ["HttpConfig", "open_port", "reachable", "run_door"]
