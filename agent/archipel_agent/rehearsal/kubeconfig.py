"""The administrator's kubeconfig that the simulated k3s writes: the fields of a real one, with keys that open nothing."""

import base64

_FIELDS = """\
apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: {ca}
    server: https://127.0.0.1:6443
  name: default
contexts:
- context:
    cluster: default
    user: default
  name: default
current-context: default
kind: Config
users:
- name: default
  user:
    client-certificate-data: {certificate}
    client-key-data: {key}
"""


def kubeconfig() -> str:
    """Return the file's text."""
    words = {name: f"rehearsal: no {name}\n" for name in ("ca", "certificate", "key")}
    return _FIELDS.format(**{name: base64.b64encode(text.encode()).decode() for name, text in words.items()})
