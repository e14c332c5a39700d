"""What travels between a node and its fleet: frame, envelope, topics, messages, deltas, and the one MQTT door.

Made for any carrier: nothing here but `mqtt` knows how an envelope gets from one end to the other. The protocol page
(`docs/reference/protocol.md`) is generated around these modules.
"""
