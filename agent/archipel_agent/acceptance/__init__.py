"""The acceptance kit: measures a machine for a pilot, and signs what was found."""
