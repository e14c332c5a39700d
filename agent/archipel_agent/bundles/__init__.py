"""Bundles on this machine: opened and verified, brought in blob by blob, kept, and built on an administrator's machine.

Called by the steps `bundle_import` and `bundle_files` and by `archipel bundle`. Loaded by nobody at rest.
"""
