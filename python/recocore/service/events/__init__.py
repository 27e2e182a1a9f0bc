"""The service's side of a state: it takes events and what people ask, and reads each user's record for Recommend."""
