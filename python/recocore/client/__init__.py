"""A client of the service: deadlines, retries, typed arguments and results. Needs no native code.

Example:
    from recocore.client import Client, In, Rule

    with Client("127.0.0.1:50051") as client:
        answer = client.recommend("ann", page_size=5, filter=In("brand", ["acme"]), rules=[Rule("pin", item_ids=["7"])])
        for item in answer.items:
            print(item.item_id, item.score, item.source)
"""

from recocore.client.arguments import Diversity, RankingOptions, Rule, SessionEvent
from recocore.client.client import Client
from recocore.client.errors import ClientClosedError, ServiceError, Violation
from recocore.client.event_buffer import BufferCounts, EventBuffer
from recocore.client.events import Consent, Event, EventError, Forgotten, Recorded, UserExport
from recocore.client.filters import All, Any, Exists, Filter, In, Not, Range
from recocore.client.fraud import FraudDecision, FraudReason, FraudReport, FraudRow, FraudRules, RecalledDecision
from recocore.client.profiles import Attribute, Merged, Profile, Profiles, ProfileTag, Updated
from recocore.client.results import BatchRow, Experiment, Item, Reason, Recommendations, Scores, SimilarItems

__all__ = [
    "All",
    "Any",
    "Attribute",
    "BatchRow",
    "BufferCounts",
    "Client",
    "ClientClosedError",
    "Consent",
    "Diversity",
    "Event",
    "EventBuffer",
    "EventError",
    "Exists",
    "Experiment",
    "Filter",
    "Forgotten",
    "FraudDecision",
    "FraudReason",
    "FraudReport",
    "FraudRow",
    "FraudRules",
    "In",
    "Item",
    "Merged",
    "Not",
    "Profile",
    "ProfileTag",
    "Profiles",
    "Range",
    "RankingOptions",
    "Reason",
    "RecalledDecision",
    "Recommendations",
    "Recorded",
    "Rule",
    "Scores",
    "ServiceError",
    "SessionEvent",
    "SimilarItems",
    "Updated",
    "UserExport",
    "Violation",
]
