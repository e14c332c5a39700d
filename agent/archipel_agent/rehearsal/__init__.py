"""The rehearsal: a simulated machine and k3s behind the agent's own ports, for demos, training and tests.

What it says are recorded lines and answers of a real k3s; tests/agent/contract_k3s holds both to the same behaviour.
"""
