"""The screens of the technician's interface; each draws with views and asks the agent through workers."""
