"""`archipel fleet`: the admin's commands. Imports of anything heavy wait until a command needs it."""
