"""The controller of a fleet of sites: link, store, API, web pages, commands."""
