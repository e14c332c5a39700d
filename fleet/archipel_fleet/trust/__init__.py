"""The fleet's own keys: made, kept, renewed, and changed by versions of the trust document that the roots sign.

What a signature is worth is decided in the contract's `trust`; here lie the private halves. Imported by whoever starts the
controller and by the commands about keys.
"""
