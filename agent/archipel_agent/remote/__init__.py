"""Remote hands: orders of the fleet judged, kept, executed once, and answered. Given to the link as its identity.

Imported only where a fleet is set; a site without one never loads it.
"""
