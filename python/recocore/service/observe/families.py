"""The metrics that there are: names, kinds, what they mean, and the buckets of histograms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# From 0.25 ms to 10 s, fine where calls usually end; the same in every process, so that they can be added up.
DURATION_BUCKETS = (
    *(0.00025, 0.0005, 0.00075, 0.001, 0.0015, 0.002, 0.003, 0.004, 0.005, 0.0075),
    *(0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
# A decision on fraud takes 0.1 ms.
DECISION_BUCKETS = (0.00005, 0.000075, 0.0001, 0.00015, 0.0002, *DURATION_BUCKETS)
LOAD_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
BATCH_BUCKETS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
OVERLAP_BUCKETS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)

# The mildest first, as pages show them.
FRAUD_OUTCOMES = ("approve", "challenge", "review", "decline")

# Statuses that are the server's fault, as OpenTelemetry's conventions for gRPC servers have it.
FAULTS = frozenset({"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"})


@dataclass(frozen=True, slots=True)
class Family:
    """One metric.

    Attributes:
        kind: counter, gauge or histogram.
        text: what it counts or measures.
        buckets: upper bounds of a histogram's buckets, without the infinite one.
    """

    kind: Literal["counter", "gauge", "histogram"]
    text: str
    buckets: tuple[float, ...] = ()


CALLS = "recocore_calls_total"
CALL_SECONDS = "recocore_call_duration_seconds"
IN_FLIGHT = "recocore_calls_in_flight"
QUEUED = "recocore_calls_queued"
SHED = "recocore_calls_shed_total"
DENIED = "recocore_calls_denied_total"
MODEL_CALLS = "recocore_model_calls_total"
CACHE = "recocore_cache_lookups_total"
BATCH = "recocore_batch_calls"
LOAD_SECONDS = "recocore_model_load_seconds"
LOAD_FAILURES = "recocore_model_load_failures_total"
SWAPS = "recocore_model_swaps_total"
OVERLAP = "recocore_shadow_overlap"
EVENTS = "recocore_events_total"
EVENTS_WAITING = "recocore_events_waiting"
COMMIT_SECONDS = "recocore_event_commit_seconds"
PROFILES = "recocore_profiles_total"
FORGOTTEN = "recocore_users_forgotten_total"
FRAUD_DECISIONS = "recocore_fraud_decisions_total"
FRAUD_RULES = "recocore_fraud_rules_total"
FRAUD_SECONDS = "recocore_fraud_decision_seconds"
FRAUD_RULE_SET = "recocore_fraud_rule_set_info"
SHADOW_FAILURES = "recocore_shadow_failures_total"

# What workers and the supervisor count on their boards; labels are in the text.
COUNTED: dict[str, Family] = {
    CALLS: Family("counter", "Calls that ended, by method and gRPC status."),
    CALL_SECONDS: Family("histogram", "Time from a call's arrival to its answer, by method.", DURATION_BUCKETS),
    IN_FLIGHT: Family("gauge", "Calls that came in and have not ended."),
    QUEUED: Family("gauge", "Admitted calls that wait for a thread."),
    SHED: Family("counter", "Calls turned away to be sent again later, by reason."),
    DENIED: Family("counter", "Calls without leave, by reason: no_credential, bad_credential or no_role."),
    MODEL_CALLS: Family("counter", "Calls answered by a model, by alias, experiment, variant and gRPC status."),
    CACHE: Family("counter", "Look-ups in the cache of responses, by result: hit or miss."),
    BATCH: Family("histogram", "Calls that were ranked together.", BATCH_BUCKETS),
    LOAD_SECONDS: Family("histogram", "Time to load and warm up a version of the model, in each worker.", LOAD_BUCKETS),
    LOAD_FAILURES: Family("counter", "Versions of the model that were refused."),
    SWAPS: Family("counter", "Times that an alias changed its version."),
    OVERLAP: Family(
        "histogram", "Share of items that a shadow model's list has in common with the one served.", OVERLAP_BUCKETS
    ),
    SHADOW_FAILURES: Family("counter", "Shadow rankings that failed; the calls themselves did not."),
    EVENTS: Family("counter", "Events of RecordEvents by result: recorded, duplicate or refused."),
    EVENTS_WAITING: Family("gauge", "Events that the owner of the state has not acknowledged yet."),
    COMMIT_SECONDS: Family(
        "histogram", "Time from handing a call's events to the owner of the state to its word.", DURATION_BUCKETS
    ),
    FRAUD_DECISIONS: Family(
        "counter",
        "Decisions on fraud by outcome: approve, challenge, review or decline; events sent again are not counted.",
    ),
    FRAUD_RULES: Family("counter", "How rules went for decided events, by rule and result: hit, no_hit or error."),
    FRAUD_SECONDS: Family(
        "histogram", "Time to count an event and decide on it, without waiting for the disk.", DECISION_BUCKETS
    ),
    FRAUD_RULE_SET: Family("gauge", "1 for the rule set that decides, with its version."),
    PROFILES: Family("counter", "Profiles that were given, by result: made for the call, or kept from one before."),
    FORGOTTEN: Family("counter", "Calls of ForgetUser that were carried out."),
    "recocore_metrics_overflow_total": Family("counter", "Counts that found no room on a worker's board; expected 0."),
}

# What the metrics port adds from the supervisor's word and from the system.
OBSERVED: dict[str, Family] = {
    "recocore_build_info": Family("gauge", "1, with the version of recocore."),
    "recocore_up_seconds": Family("gauge", "Time since the service started."),
    "recocore_workers": Family("gauge", "Workers by state."),
    "recocore_worker_restarts_total": Family(
        "counter", "Workers that ended before the service did, and were replaced."
    ),
    "recocore_state_owner_up": Family("gauge", "Whether the owner of the state lives; absent without a state."),
    "recocore_state_owner_restarts_total": Family(
        "counter", "Owners of the state that ended before the service did, and were replaced; absent without a state."
    ),
    "recocore_fraud_owner_up": Family("gauge", "Whether the process that decides on fraud lives; absent without one."),
    "recocore_fraud_owner_restarts_total": Family(
        "counter",
        "Processes that decide on fraud that ended before the service did, and were replaced; absent without one.",
    ),
    "recocore_model_info": Family("gauge", "1 for each alias, with its version and model."),
    "recocore_model_age_seconds": Family("gauge", "Time since the served version was built, by alias."),
    "recocore_model_loaded_timestamp_seconds": Family("gauge", "When the alias began to serve its version."),
    "recocore_process_resident_memory_bytes": Family("gauge", "Resident memory, mapped files included, by process."),
    "recocore_process_private_memory_bytes": Family(
        "gauge", "Resident memory that is not mapped from files, by process."
    ),
    "recocore_process_cpu_seconds_total": Family("counter", "Processor time, by process."),
    "recocore_process_threads": Family("gauge", "Threads, by process."),
    "recocore_process_open_files": Family("gauge", "Open file descriptors, by process."),
}
