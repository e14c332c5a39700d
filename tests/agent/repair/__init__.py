"""Repairs of k3s: what they decide, and what they bring about step by step."""
