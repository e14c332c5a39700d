"""Bounded self-healing: `decide` says what to try and when to stop (pure), `healer` tries it as a job and remembers."""
