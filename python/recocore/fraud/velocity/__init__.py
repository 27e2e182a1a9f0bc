"""Windowed counters of events by user, device, ip, address, payment, coupon, and pairs of them."""

from recocore.fraud.velocity.specs import VelocitySpec
from recocore.fraud.velocity.velocity import Velocity

__all__ = ["Velocity", "VelocitySpec"]
