"""The firewall of the host: switch it on for a minute, keep it once somebody has seen that it lets them in, switch it off.

Used by the job `firewall`. `on` loads rules that the kernel itself drops after a minute; nothing is written that a reboot
would bring back. `keep` (after `archipel firewall confirm`) loads them for good and makes a unit that loads them at boot.
"""

from archipel_agent.firewall import rules
from archipel_agent.firewall.asking import CLUSTER_NETWORKS
from archipel_agent.firewall.declared import DEFAULT, DeclarationInvalid, Opening, parse, text_of
from archipel_agent.firewall.files import BOOT_UNIT, boot_file, boot_links, declaration, unit_text
from archipel_agent.ports import CommandFailed
from archipel_agent.steps.base import Context, Step, StepFailed
from archipel_agent.steps.options import FIREWALLS
from archipel_contract.catalogue import finding
from archipel_contract.facts import InitSystem

ON, KEEP, OFF = FIREWALLS


def openings(context: Context) -> tuple[Opening, ...]:
    """Return what the site declares, the default where it declares nothing; raise StepFailed."""
    path = declaration(context.paths)
    try:
        return parse(context.ports.disk.read(path).decode())
    except FileNotFoundError:
        return DEFAULT
    except (DeclarationInvalid, UnicodeDecodeError, OSError) as error:
        found = finding("firewall-declaration-invalid", file=str(path), problem=str(error))
        raise StepFailed(found, refused=True) from error


def check_declared(context: Context) -> str:
    """See that the declaration can be understood and that the kernel would take it; write it where there is none."""
    wanted = openings(context)
    if context.ports.runner.find("nft") is None and not context.ports.rehearsed:
        raise StepFailed(finding("firewall-tool-missing"), refused=True)
    path = declaration(context.paths)
    if not context.ports.disk.exists(path):
        context.ports.disk.write(path, text_of(wanted).encode())
    return f"{len(wanted)} openings: {', '.join(map(str, wanted))}"


def _networks(context: Context) -> tuple[str, ...]:
    site = context.store.site()
    return (site.network.cluster_cidr, site.network.service_cidr) if site else CLUSTER_NETWORKS


def _load(context: Context, text: str) -> None:
    try:
        context.ports.privileged.call("firewall", rules=text)
    except (CommandFailed, OSError) as error:
        raise StepFailed(finding("firewall-refused", problem=str(error))) from error


def is_kept(context: Context) -> bool:
    """Whether rules are in force for good."""
    return context.ports.disk.exists(boot_file(context.paths))


def apply(context: Context) -> str:
    """Do what was asked for."""
    what = context.options.what
    if what == OFF:
        return take_away(context)
    wanted, networks = openings(context), _networks(context)
    if what == ON:
        _load(context, rules.ruleset(wanted, networks, rules.CONFIRM_SECONDS))
        return f"on for {rules.CONFIRM_SECONDS} s; it stays on once it is confirmed"
    text = rules.ruleset(wanted, networks)
    _load(context, text)  # before it is written: what the kernel refuses is never loaded at boot
    context.ports.disk.write(boot_file(context.paths), text.encode(), 0o600)
    if context.ports.machine.facts().init is not InitSystem.SYSTEMD or context.ports.rehearsed:
        return "on until the next start of the machine, which has no systemd to load it again"
    _at_boot(context)
    return "on, and loaded at every start before the network is up"


def _at_boot(context: Context) -> None:
    disk, paths = context.ports.disk, context.paths
    unit = paths.units / BOOT_UNIT
    try:
        disk.write(unit, unit_text(paths).encode())
        for link in boot_links(paths):
            disk.link(unit, link)
        context.ports.runner.run(["systemctl", "daemon-reload"])
        context.ports.runner.run(["systemctl", "restart", BOOT_UNIT])
    except (CommandFailed, OSError) as error:
        raise StepFailed(finding("job-failed", step="firewall", problem=str(error))) from error


def take_away(context: Context) -> str:
    """Remove the rules from the kernel and from what is loaded at boot; what is declared stays."""
    disk, paths = context.ports.disk, context.paths
    was_kept = is_kept(context)
    for path in (*boot_links(paths), paths.units / BOOT_UNIT, boot_file(paths)):
        if disk.exists(path):
            disk.remove(path)
    if was_kept or context.options.what == OFF:
        _load(context, rules.REMOVE)
    return "off; everything that listens can be reached again" if was_kept else "off"


def undo(context: Context) -> None:
    """Go back to the rules that were kept before, or to none."""
    if context.options.what == OFF:
        return
    if is_kept(context):
        _load(context, context.ports.disk.read(boot_file(context.paths)).decode())
    else:
        _load(context, rules.REMOVE)


def _none_kept(context: Context) -> str | None:
    return None if is_kept(context) else "there is none"


DECLARED = Step(slug="declared", title="Read what may come in", run=check_declared, changes=False)
APPLY = Step(slug="firewall", title="Tell the kernel what may come in", run=apply, undo=undo)
AWAY = Step(slug="firewall-away", title="Take the firewall away", check=_none_kept, run=take_away)
