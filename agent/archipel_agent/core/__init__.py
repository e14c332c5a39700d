"""The agent as its API sees it: implements `service.AgentService`, a file for each part of what it is asked.

Works without a usable state database too: looking goes on, jobs are refused with the reason.
"""

from archipel_agent.core.agent import Core

__all__ = ["Core"]
