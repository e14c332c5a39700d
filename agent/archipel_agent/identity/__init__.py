"""The device's identity towards its fleet: its key and certificate, whom it trusts, and how it gets and renews them.

Imported only where a fleet is set or somebody enrols this machine; a site without a fleet never loads it.
"""
