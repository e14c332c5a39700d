"""The pages, one module for each kind: they read the request, ask the store, and hand rows to the views."""
