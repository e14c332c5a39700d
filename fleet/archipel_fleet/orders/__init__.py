"""Orders of the fleet to its nodes: who may give them, how they are signed, when they are sent.

The queue is in the store; what a device heeds is said in `archipel_contract.trust.orders`.
"""
