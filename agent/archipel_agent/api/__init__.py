"""The local API: HTTP/1.1 on a Unix socket, made from the table in `archipel_contract.api`.

`server.ApiServer` is all the daemon needs. asyncio lives here (and in the daemon) only; the agent's own work is done by
worker threads.
"""
