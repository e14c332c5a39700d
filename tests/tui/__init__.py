"""Tests of the technician's terminal UI."""
