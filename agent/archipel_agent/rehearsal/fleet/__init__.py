"""The fleet rehearsal behind `archipel rehearse`: the real agent on many simulated sites, over a real broker.

`plan` says which sites there are, `node` is one of them with its agent and link, `process` plays a hundred of them,
`director` makes what the scenario says, `stage` keeps the processes and takes commands while it runs.
"""
