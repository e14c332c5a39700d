"""Tests of remote hands."""
