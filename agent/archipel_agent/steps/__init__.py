"""The steps of every job, one file each; `story` lists them in order and reads as what happens."""
