"""Who may log in: passwords, sessions, limits on attempts. Called by the API, the pages and `serve`."""
