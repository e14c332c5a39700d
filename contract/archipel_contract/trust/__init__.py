"""Trust: keys, what the fleet's offline root says of them, and the one place that decides whether something signed is
heeded.

Imported by whoever signs or verifies; a site without a fleet never loads it (nor the library behind it).
"""
