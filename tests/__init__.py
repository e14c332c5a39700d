"""The tests of Archipel. They mirror the packages; only here may agent and fleet be imported together."""
