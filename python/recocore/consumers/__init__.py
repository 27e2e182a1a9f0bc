"""Events from message brokers into a state, each once."""

from recocore.consumers.consuming import Consumed, Sink
from recocore.consumers.kafka import KafkaSource
from recocore.consumers.sinks import OwnerSink

__all__ = ["Consumed", "KafkaSource", "OwnerSink", "Sink"]
