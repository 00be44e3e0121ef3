"""The command line of a login."""

import pytest

from multiall_cli.domain.inventory import Server, Ssh
from multiall_cli.drivers.openssh import ssh_command

BASTION = Server("bastion", "2001:db8::1", ssh=Ssh(user="jo", port=22))


@pytest.mark.parametrize(
    ("ssh", "words"),
    [
        (Ssh(), []),
        (Ssh(user="deploy", port=2222, identity="/k"), ["-p", "2222", "-l", "deploy", "-i", "/k"]),
        (Ssh(jump="bastion"), ["-J", "jo@[2001:db8::1]:22"]),
        (Ssh(jump="alias"), ["-J", "alias"]),
    ],
)
def test_a_login_is_as_the_site_says(ssh: Ssh, words: list[str]) -> None:
    """The site's known hosts come first, in quotes: its folder may have a space."""
    argv = ssh_command(Server("web1", "192.0.2.1", ssh=ssh), {"bastion": BASTION}, "/my site/known_hosts")
    head = ["ssh", "-o", 'UserKnownHostsFile="/my site/known_hosts" ~/.ssh/known_hosts']
    assert argv == [*head, *words, "-o", "HostName=192.0.2.1", "--", "web1"]


def test_a_login_with_the_sites_own_config() -> None:
    """The name is looked up, so that blocks about it hold; what blocks about the address say comes as options."""
    argv = ssh_command(Server("web1", "web1"), {}, "/k", config="/site/ssh_config", options=["ProxyJump=gate"])
    assert argv[:3] == ["ssh", "-F", "/site/ssh_config"]
    assert argv[-4:] == ["-o", "ProxyJump=gate", "--", "web1"]
