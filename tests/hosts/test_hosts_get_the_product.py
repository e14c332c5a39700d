"""The product comes into a booted host the way a person without a network would bring it."""

import pytest

from tests.hosts.booted import BootedHost

pytestmark = [pytest.mark.real_process, pytest.mark.own_network, pytest.mark.booted]


def test_the_installed_command_answers_in_a_host_without_a_network(booted_host: BootedHost) -> None:
    booted_host.install_archipel().ok()
    shown = booted_host.run(["archipel", "--help"]).ok()
    assert "usage: archipel COMMAND" in shown.stdout
    assert booted_host.run(["/usr/local/bin/archipel", "--help"]).ok().stdout == shown.stdout
