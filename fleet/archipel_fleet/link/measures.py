"""What the link counts and times, for Prometheus; in a registry of its own, so that tests can have several."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Measures:
    """The counters of one ingest."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.messages = Counter(
            "archipel_fleet_messages", "Messages committed, by type", ["type"], registry=registry
        )
        self.duplicates = Counter(
            "archipel_fleet_duplicates", "Messages that had been committed before", registry=registry
        )
        self.refused = Counter(
            "archipel_fleet_messages_refused", "Messages refused, by reason", ["reason"], registry=registry
        )
        self.answers = Counter("archipel_fleet_answers", "Messages to nodes", registry=registry)
        self.unanswered = Counter(
            "archipel_fleet_answers_dropped", "Answers that found the broker too slow", registry=registry
        )
        self.connects = Counter(
            "archipel_fleet_broker_connects", "Connections made to the broker", registry=registry
        )
        self.connected = Gauge(
            "archipel_fleet_broker_connected", "1 while connected to the broker", registry=registry
        )
        self.store_failures = Counter(
            "archipel_fleet_store_failures",
            "Batches the database refused, by code",
            ["code"],
            registry=registry,
        )
        self.batch = Histogram(
            "archipel_fleet_batch_messages",
            "Messages in a batch",
            buckets=(1, 5, 20, 50, 100, 250, 500, 1000),
            registry=registry,
        )
        self.commit = Histogram(
            "archipel_fleet_commit_seconds", "Seconds to commit a batch", buckets=_SECONDS, registry=registry
        )
