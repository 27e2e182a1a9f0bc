"""What one call may ask for; the protos say the same numbers beside each field, and a test compares them."""

from typing import Final

# Bytes of one request or one response, as encoded.
MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024

# Of those, what a response has for its call alone: the request id and the attribution token.
MAX_OWN_BYTES: Final = 2_048

# Bytes of one id, of an attribute's name and of an attribute's value in UTF-8.
MAX_ID_BYTES: Final = 256

# Items of a page when a request does not say, and the most of a page whatever it says.
DEFAULT_PAGE_SIZE: Final = 10
MAX_PAGE_SIZE: Final = 500

# Items from the first page to the end of the last: page n costs as much as ranking n pages.
MAX_PAGED_ITEMS: Final = 5_000
MAX_PAGE_TOKEN_CHARS: Final = 512

# Elements of the repeated fields.
MAX_EXCLUDED_ITEMS: Final = 10_000
MAX_CANDIDATE_ITEMS: Final = 10_000
MAX_SEED_ITEMS: Final = 100
MAX_NEGATIVE_ITEMS: Final = 100
MAX_SESSION_EVENTS: Final = 100
MAX_CONTEXT_ITEMS: Final = 100
MAX_SCORED_ITEMS: Final = 10_000
MAX_EXPLAINED_ITEMS: Final = 500
MAX_BATCH_USERS: Final = 1_000
MAX_MASK_PATHS: Final = 32

# People of one BatchGetProfiles.
MAX_BATCH_PROFILES: Final = 200

# Filters: how deep, how many in a request with those that they join, and the values of all their conditions.
MAX_FILTER_DEPTH: Final = 8
MAX_FILTERS: Final = 64
MAX_FILTER_VALUES: Final = 10_000

# Rules: how many, the items that one may name, and the weight of a boost or a session event, above 0 or below.
MAX_RULES: Final = 20
MAX_RULE_ITEMS: Final = 1_000
MAX_WEIGHT: Final = 1e6

# Reasons of one explained item.
MAX_REASONS: Final = 5

# Events of one call, and of a page of a user's export.
MAX_EVENTS: Final = 1_000
DEFAULT_EXPORTED_EVENTS: Final = 1_000
MAX_EXPORTED_EVENTS: Final = 5_000

# Of an event: bytes of its longer texts, characters of its type and of its attribution token, and how far its numbers go.
MAX_TEXT_BYTES: Final = 1_024
MAX_TYPE_CHARS: Final = 64
MAX_ATTRIBUTION_TOKEN_CHARS: Final = 1_024
MAX_TAGS: Final = 32
MAX_TAG_CHARS: Final = 64
MAX_QUANTITY: Final = 1_000_000_000
MAX_POSITION: Final = 1_000_000
MAX_DWELL_MS: Final = 86_400_000

MAX_COMMIT_TOKEN_CHARS: Final = 64

# Characters of a caller's own request id and of a placement.
MAX_REQUEST_ID_CHARS: Final = 64
MAX_PLACEMENT_CHARS: Final = 64

# Events and reports of one call of FraudService: 500 decisions with all their reasons are some 1.5 MB.
MAX_SCORED_EVENTS: Final = 500
MAX_OUTCOME_REPORTS: Final = 500
MAX_SOURCE_BYTES: Final = 64
MAX_RULES_BYTES: Final = 1_048_576
DEFAULT_RING_MEMBERS: Final = 100
MAX_RING_MEMBERS: Final = 1_000
MAX_RINGS: Final = 1_000

# The most that a batch of calls should take on the event loop: everything else there waits meanwhile. A thread that ranks
# takes the interpreter from the loop several times a batch; where a ranking takes tens of microseconds that costs more than the
# ranking.
BATCH_SECONDS: Final = 0.002
# A list that takes longer, one of several, belongs on a thread.
QUICK_SECONDS: Final = BATCH_SECONDS / 16
