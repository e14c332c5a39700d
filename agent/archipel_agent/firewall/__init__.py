"""The host's firewall: what is declared may come in, the rest may not, and nobody is locked out by a mistake."""
