"""The installer on a real Debian under systemd: one command and the agent serves; one command and nothing is left."""

import pytest

from tests.hosts.booted import BootedHost
from tests.hosts.offers import INSTALLER, WHEELS

pytestmark = pytest.mark.booted

# What keeps changing by itself, and where the test puts its own files.
MOVING = ("/root", "/run", "/tmp", "/var/log", "/var/tmp", "/var/lib/systemd", "/proc", "/sys", "/dev", "/var/cache",
          "/etc/group-", "/etc/gshadow-", "/etc/.pwd.lock", "/etc/machine-id")  # fmt: skip
SHOWN = [
    "systemctl",
    "show",
    "archipel-agent.service",
    "-p",
    "ActiveState,NRestarts,UnitFileState",
    "--value",
]


def agent(host: BootedHost) -> list[str]:
    return [line for line in host.run(SHOWN).stdout.split() if line]


def test_one_command_installs_the_agent_and_one_removes_every_file_of_it(booted_host: BootedHost) -> None:
    before = booted_host.snapshot_files(MOVING)
    done = booted_host.install_archipel()
    assert done.rc == 0 and "sudo archipel up" in done.stdout, done.stdout + done.stderr
    assert sorted(agent(booted_host)) == sorted(["active", "0", "enabled"])
    assert booted_host.run(["archipel", "status"], timeout=30).rc in (0, 1)
    groups = booted_host.run(["getent", "group", "archipel", "archipel-technician"]).ok().stdout
    assert len(groups.splitlines()) == 2
    socket = booted_host.run(["stat", "-c", "%A %G", "/run/archipel/agent.sock"]).ok().stdout.strip()
    assert socket == "srw-rw---- archipel"

    booted_host.run(["sh", INSTALLER, "--remove"], timeout=60).ok()
    after = booted_host.snapshot_files(MOVING)
    assert sorted(set(after) - set(before)) == [] and sorted(set(before) - set(after)) == []
    content = {path for path, seen in before.items() if seen.kind == "file" and seen != after[path]}
    # Taken out again, a group leaves the file with the same lines and a newer time.
    assert content <= {"/etc/group", "/etc/gshadow"}


def test_a_version_whose_agent_does_not_start_gives_way_to_the_one_before(booted_host: BootedHost) -> None:
    booted_host.install_archipel().ok()
    good = booted_host.run(["readlink", "/opt/archipel/current"]).ok().stdout
    # The same wheel with a launcher that ends at once when it is asked to be the agent.
    breaks = """
import sys, zipfile, glob, shutil
old = glob.glob(sys.argv[1] + "/archipel-*.whl")[0]
new = old.replace("archipel-0", "archipel-9", 1)
with zipfile.ZipFile(old) as source, zipfile.ZipFile(new, "w") as target:
    for name in source.namelist():
        data = source.read(name)
        if name.endswith("contract/launcher.py"):
            data = b"import sys\\ndef main():\\n    sys.exit('agent' in sys.argv)\\n"
        number = old.split("/")[-1].split("-")[1]
        name = name.replace("archipel-" + number, "archipel-9" + number[1:])
        if name.endswith("RECORD"):
            continue
        if name.endswith("METADATA"):
            data = data.replace(("Version: " + number).encode(), ("Version: 9" + number[1:]).encode())
        target.writestr(name, data)
    target.writestr("archipel-9" + number[1:] + ".dist-info/RECORD", "")
"""
    booted_host.run(["python3", "-c", breaks, WHEELS]).ok()
    done = booted_host.run(["sh", INSTALLER, "--wheels", WHEELS], timeout=200)
    assert done.rc == 4 and "does not start with version 9" in done.stderr and "stays in use" in done.stderr
    assert booted_host.run(["readlink", "/opt/archipel/current"]).ok().stdout == good
    assert agent(booted_host)[0] == "active" or "active" in agent(booted_host)


def test_the_agent_comes_back_when_it_dies_and_after_a_reboot(booted_host: BootedHost) -> None:
    booted_host.install_archipel().ok()
    booted_host.run(["systemctl", "kill", "-s", "KILL", "archipel-agent.service"]).ok()
    wait = "for n in $(seq 100); do archipel status >/dev/null 2>&1; [ $? -le 1 ] && exit 0; sleep 0.1; done; exit 1"
    booted_host.run(["sh", "-c", wait], timeout=60).ok()
    booted_host.reboot()
    booted_host.run(["sh", "-c", wait], timeout=60).ok()


def test_inside_its_sandbox_the_agent_sees_and_writes_what_it_needs_and_no_more(
    booted_host: BootedHost,
) -> None:
    booted_host.install_archipel().ok()
    unit = booted_host.run(["cat", "/etc/systemd/system/archipel-agent.service"]).ok().stdout
    probe = "\n".join(
        line for line in unit.splitlines() if not line.startswith(("Exec", "Type", "Watchdog", "Restart"))
    )
    script = """
touch /etc/rancher/a /var/lib/rancher/a /var/lib/archipel/a /run/archipel/a && echo own places: yes
touch /etc/a 2>/dev/null || echo etc: no
touch /usr/local/bin/a 2>/dev/null || echo programs: no
mount -t tmpfs none /mnt 2>/dev/null || echo mount: no
sysctl -qw kernel.panic=3 2>/dev/null || echo sysctl: no
unshare -n true 2>/dev/null || echo namespaces: no
cd /home && cat pi/k3s >/dev/null && echo files of people: yes
systemctl show k3s.service -p LoadState && journalctl -n 1 >/dev/null && echo systemd and journal: yes
systemd-run --wait --pipe --quiet touch /etc/b && echo transient unit: yes
/opt/archipel/current/bin/python -c '
from archipel_agent.host import kernel, network
print("port 7777:", [one.process for one in network.listeners() or () if one.port == 7777])
print("clock asked:", kernel.clock_synchronized() is not None)'
chgrp archipel /run/archipel/a && echo group: yes
"""
    probe = probe.replace("[Install]", "Type=oneshot\nExecStartPre=+/bin/mkdir -p /etc/rancher /var/lib/rancher\n"
                          "ExecStart=/bin/sh /root/probe.sh\n[Install]")  # fmt: skip
    booted_host.run(
        ["sh", "-c", "cd /home && mkdir -m 700 -p pi && echo technician >pi/k3s && chown -R 1000 pi"]
    ).ok()
    holds = "import socket, time; s = socket.create_server(('127.0.0.1', 7777)); time.sleep(600)"
    booted_host.run(["systemd-run", "--quiet", "python3", "-c", holds]).ok()
    booted_host.put(script.encode(), "/root/probe.sh")
    booted_host.put(probe.encode(), "/etc/systemd/system/probe.service")
    booted_host.run(["sh", "-c", "systemctl daemon-reload; systemctl start probe"], timeout=60)
    said = booted_host.run(["journalctl", "-u", "probe.service", "-o", "cat", "--no-pager"]).ok().stdout
    wanted = ["own places: yes", "etc: no", "programs: no", "mount: no", "sysctl: no", "namespaces: no",
              "files of people: yes", "systemd and journal: yes", "transient unit: yes",
              "port 7777: ['python3']", "clock asked: True", "group: yes"]  # fmt: skip
    assert [line for line in wanted if line not in said] == [], said
