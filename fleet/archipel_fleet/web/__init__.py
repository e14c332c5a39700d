"""The fleet's web pages: rendered here, kept fresh by htmx and server-sent events, and complete without either."""
