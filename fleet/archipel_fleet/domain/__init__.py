"""What the fleet concludes, as pure functions: contact, health, time, spans, sequences. No clock, no database, no words."""
