"""Groups of accounts that share devices, addresses, payments or coupons."""

from recocore.fraud.rings.components import Component, connected_components
from recocore.fraud.rings.dense import Ring, find_rings
from recocore.fraud.rings.watch import RingFlag, RingWatch

__all__ = ["Component", "Ring", "RingFlag", "RingWatch", "connected_components", "find_rings"]
