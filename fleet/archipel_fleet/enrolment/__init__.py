"""Enrolment and renewal at the fleet: the rule, the service over registry and keys, the HTTPS listener for devices."""
