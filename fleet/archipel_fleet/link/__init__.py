"""How the controller hears its nodes: the ingest from broker to store, what it refuses, and the embedded broker.

Knows nothing of pages, accounts or SQL; `serve` puts it together.
"""
