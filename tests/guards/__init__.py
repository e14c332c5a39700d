"""Pytest plug-ins in which the wrong thing is a failure; each module says what it forbids and lets pass.

`tests/conftest.py` loads them all. Each has a test that shows it failing the wrong thing.
"""
