"""The fleet's conclusions: contact, health, time, spans, sequences."""
