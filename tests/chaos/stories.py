"""The jobs that are crashed at every instant: each verb, way to get a k3s and kind of removal, and a stop at each step."""

from archipel_contract.jobs import Verb
from tests.chaos.crashes import DOWN, RESTART, UP, Story, request

VERSION = "v1.36.2+k3s1"


def stopped(step: str) -> Story:
    """An `up` that is asked to stop when this step begins."""
    return Story(name=f"up stopped at {step}", request=UP, stop_at=step)


STORIES = (
    Story(name="up from a file", request=UP),
    Story(name="up with the k3s on PATH", request=request(Verb.UP)),
    Story(name="up from the release page", request=request(Verb.UP, k3s=VERSION)),
    Story(name="up again", request=request(Verb.UP), before=(UP,)),
    Story(
        name="up with other options", request=request(Verb.UP, name="x", components=["coredns"]), before=(UP,)
    ),
    Story(name="up with another k3s", request=request(Verb.UP, k3s=VERSION), before=(UP,)),
    Story(name="down", request=request(Verb.DOWN), before=(UP,)),
    Story(name="restart", request=RESTART, before=(UP,)),
    Story(name="up after down", request=request(Verb.UP), before=(UP, DOWN)),
    Story(name="remove after down", request=request(Verb.REMOVE, what="everything"), before=(UP, DOWN)),
    Story(name="remove the agent only", request=request(Verb.REMOVE, what="agent-only"), before=(UP,)),
    Story(name="remove but keep data", request=request(Verb.REMOVE, what="keep-data"), before=(UP,)),
    Story(name="remove everything", request=request(Verb.REMOVE, what="everything"), before=(UP,)),
    Story(
        name="a repaired kernel setting",
        request=request(Verb.FIX, code="kernel-setting-wrong"),
        before=(UP,),
        trouble="kernel-setting-broken",
    ),
    stopped("get-k3s"),
    stopped("kernel"),
    stopped("write-config"),
    stopped("service"),
    stopped("start"),
    stopped("wait-api"),
    stopped("wait-node"),
    stopped("wait-pods"),
    stopped("identity"),
    Story(name="down stopped at the pods", request=request(Verb.DOWN), before=(UP,), stop_at="stop-pods"),
    Story(
        name="up with another k3s stopped at the start",
        request=request(Verb.UP, k3s=VERSION),
        before=(UP,),
        stop_at="start",
    ),
)
