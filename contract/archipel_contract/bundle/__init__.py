"""Bundles: a signed set of files from which a machine becomes a site without any network.

`format` says what a bundle is, `tar` how it lies in one file, `reading` takes it apart without trusting a byte of it.
Nothing here opens a file or writes one: whoever reads hands in a function that returns a part of it.
"""
