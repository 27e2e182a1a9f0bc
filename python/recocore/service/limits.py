"""What one call may ask for; the protos say the same numbers beside each field, and a test compares them."""

from typing import Final

# Bytes of one request or one response, as encoded.
MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024

# Bytes of one id in UTF-8.
MAX_ID_BYTES: Final = 256

# Items of a page when a request does not say, and the most of a page whatever it says.
DEFAULT_PAGE_SIZE: Final = 10
MAX_PAGE_SIZE: Final = 500

# Elements of the repeated fields.
MAX_EXCLUDED_ITEMS: Final = 10_000
MAX_CANDIDATE_ITEMS: Final = 10_000
MAX_SEED_ITEMS: Final = 100
MAX_SCORED_ITEMS: Final = 10_000
MAX_BATCH_USERS: Final = 1_000

# Nearest items of each seed that SimilarItems looks at.
MAX_NEIGHBOURS: Final = 1_000

# Reasons of one explained item.
MAX_REASONS: Final = 5

# Characters of a caller's own request id.
MAX_REQUEST_ID_CHARS: Final = 64
