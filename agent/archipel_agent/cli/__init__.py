"""The commands of `archipel` on a node, one module each; what they share is in `command`, `output`, `follow` and `reader`.

Each command module offers `parser()` and `main(arguments) -> int`. They are clients of the agent's socket: nothing heavy
(pydantic, psutil, asyncio) is imported on the way to an answer.
"""
