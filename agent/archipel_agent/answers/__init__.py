"""The answer file `archipel.toml`: what a machine is told before anybody is there to ask.

Read, checked, decided upon, and what has to be written back beside it. `answering` looks for it and has it carried out; a
machine without one loads none of this.
"""
