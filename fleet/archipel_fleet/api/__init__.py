"""The JSON API of the controller, and what its pages share with it: who asks, errors, headers."""
