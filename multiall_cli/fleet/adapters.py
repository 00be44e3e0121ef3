"""Adapters of a site, each opened at its first use."""

import hashlib
import math
import os
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from multiall_cli.adapters.secrets import reveal, reveal_text
from multiall_cli.domain.inventory import Server, Settings, Site
from multiall_cli.fleet.options import VANTAGE, FleetOptions
from multiall_cli.ports.clock import Clock

if TYPE_CHECKING:
    from multiall_cli.adapters.dns.servers import DnsServers
    from multiall_cli.adapters.network_namespace import NetworkNamespace
    from multiall_cli.adapters.passwords import Passwords
    from multiall_cli.adapters.session_pool import PooledTransport
    from multiall_cli.adapters.signing_key import SigningKey
    from multiall_cli.adapters.ssh.prober import SshProber
    from multiall_cli.adapters.ssh.transport import SshTransport
    from multiall_cli.fleet.host_keys import SiteHostKeys
    from multiall_cli.ports.session import Session
    from multiall_cli.ports.store import Store
    from multiall_cli.ports.transport import Transport

PATIENCE = 3.0  # seconds that a name server may be silent


def state_folder(site: Site) -> Path:
    """Return the folder of a site's store: as `store:` says, otherwise below $XDG_STATE_HOME by the site's path."""
    if site.settings.store:
        return Path(site.settings.store)
    root = os.path.realpath(site.root)
    site_id = f"{Path(root).name}-{hashlib.sha256(os.fsencode(root)).hexdigest()[:8]}"
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "multiall" / site_id


def known_hosts(site: Site) -> Path:
    """Return the site's own known_hosts file."""
    return Path(site.root) / "known_hosts"


class SiteAdapters:
    """`Adapters` of a site. Many threads log in at once, so shared parts are made under a lock."""

    def __init__(self, site: Site, options: FleetOptions, clock: Clock) -> None:
        self._site, self._options, self._clock = site, options, clock
        self._store: Store | None = None
        self._clock_at = math.inf
        self._transport: Transport | None = None
        self._ssh: SshTransport | None = None
        self._network: NetworkNamespace | None = None
        self._prober: SshProber | None = None
        self._reading: PooledTransport | None = None
        self._name_servers: DnsServers | None = None
        self._passwords: Passwords | None = None
        self._warm = 0
        self._making = Lock()

    def close(self) -> None:
        try:
            for each in (self._prober, self._reading, self._ssh):
                if each is not None:
                    each.close()
        finally:
            if self._store is not None:
                self._store.close()
            if self._network is not None:
                self._network.close()

    @property
    def _settings(self) -> Settings:
        return self._site.settings

    @property
    def _timeout(self) -> float:
        return self._options.timeout or self._settings.timeout

    # --- the store ----------------------------------------------------------------------------------------------

    @property
    def store(self) -> "Store":
        """Return the site's store.

        Times in the future are corrected when the store is opened, and whenever the clock was set back.
        """
        if self._store is None:
            from multiall_cli.adapters.store.sqlite import SqliteStore

            self._store = SqliteStore(state_folder(self._site))
        now, before = self._clock.now(), self._clock_at
        if now < before:
            self._clock_at = now
            self._settle_clock(self._store, now)
        self._clock_at = now
        return self._store

    def _settle_clock(self, store: "Store", now: float) -> None:
        """Set times in the future to now, and report them once."""
        from multiall_cli.planning.ahead import report

        leads, late = store.settle_clock(now)
        if leads:
            self._options.warn(report(leads))
        for each in late:
            begins = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(each.begins))
            what = f"its {each.what.value} was said under that clock, and begins at {begins}"
            self._options.warn(f"{each.server}: {what}; say it again if you meant another time")

    @property
    def signer(self) -> "SigningKey":
        from multiall_cli.adapters.signing_key import SigningKey

        _ = self.store  # makes the folder, accessible to us only
        return SigningKey(state_folder(self._site) / "topology.key")

    # --- sessions -----------------------------------------------------------------------------------------------

    @property
    def transport(self) -> "Transport":
        if self._transport is None:
            from multiall_cli.adapters.local import LocalTransport
            from multiall_cli.adapters.router import RoutingTransport

            local = LocalTransport(self._timeout, passwords=self._shared_passwords())
            _ = self._entered_network()  # a missing network is reported once, not for every member
            self._transport = RoutingTransport(self.ssh, local)
        return self._transport

    @property
    def reading(self) -> "Transport":
        if not self._warm:
            return self.transport
        if self._reading is None:
            from multiall_cli.adapters.session_pool import PooledTransport

            self._reading = PooledTransport(self.transport, self._warm)
        return self._reading

    def ssh(self) -> "SshTransport":
        """Return the SSH transport; safe to call from many threads."""
        with self._making:
            return self._ssh or self._made_ssh()

    def _made_ssh(self) -> "SshTransport":
        from multiall_cli.adapters.ssh.transport import SshTransport
        from multiall_cli.fleet.ssh_config import config_files

        self._ssh = SshTransport(
            connect_timeout=self._settings.connect_timeout,
            timeout=self._timeout,
            known_hosts=[known_hosts(self._site)],
            servers=self._site.inventory.servers,
            cache=self.store.cache,
            reveal=reveal,
            config_files=config_files(self._settings),
            network=self.in_network,
            passwords=self._shared_passwords(),
            dead_after=self._options.dead_after,
        )
        return self._ssh

    def _shared_passwords(self) -> "Passwords":
        """Return one set of passwords per run: a password that one member refused is not tried on others."""
        from multiall_cli.adapters.passwords import Passwords

        if self._passwords is None:
            self._passwords = Passwords(reveal, self._options.become_password)
        return self._passwords

    @property
    def host_keys(self) -> "SiteHostKeys":
        from multiall_cli.fleet.host_keys import SiteHostKeys

        return SiteHostKeys(self.ssh(), known_hosts(self._site))

    # --- probes -------------------------------------------------------------------------------------------------

    @property
    def is_warm(self) -> bool:
        return self._warm > 0

    def keep_warm(self, most: int) -> None:
        if self._prober is not None:
            self._prober.close()
        self._warm, self._prober = most, None

    def is_hinted(self) -> bool:
        return self._prober is not None and self._prober.has_lost_connection()

    def open_session(self, server: Server) -> "Session | None":
        return self._prober.session(server) if self._prober is not None else None

    @property
    def prober(self) -> "SshProber":
        if self._prober is None:
            self._prober = self._made_prober(self._settings.topology.timeout)
        return self._prober

    def _made_prober(self, timeout: float) -> "SshProber":
        from multiall_cli.adapters.probes.icmp import IcmpProbe
        from multiall_cli.adapters.probes.tcp import TcpProbe
        from multiall_cli.adapters.ssh import config
        from multiall_cli.adapters.ssh.prober import SshProber
        from multiall_cli.fleet.ssh_config import config_files

        leads_astray = config.may_change_address(config.read(config_files(self._settings)))
        endpoint_of = self.ssh().endpoint_of if leads_astray else config.direct_endpoint
        return SshProber(
            VANTAGE,
            timeout,
            tcp=TcpProbe(VANTAGE, timeout, network=self.in_network),
            icmp=IcmpProbe(timeout, network=self.in_network),
            endpoint_of=endpoint_of,
            connect=lambda server: self.ssh().peer(server, endpoint_of, timeout),
            keep=self._warm,
        )

    # --- the network and its name servers -----------------------------------------------------------------------

    def in_network(self) -> AbstractContextManager[None]:
        network = self._entered_network()
        return network.entered() if network else nullcontext()

    def enter_network(self) -> None:
        """Enter the network for good: for a process that becomes another program."""
        if network := self._entered_network():
            network.enter()

    def _entered_network(self) -> "NetworkNamespace | None":
        """Return the network that sessions start from, if `network:` names one. Raises MultiAllError."""
        if self._network is None and self._settings.network:
            from multiall_cli.adapters.network_namespace import NetworkNamespace

            self._network = NetworkNamespace(self._settings.network)
        return self._network

    @property
    def name_servers(self) -> "DnsServers":
        """Return the name servers, made once: they cache the zones that they have read."""
        if self._name_servers is None:
            from multiall_cli.adapters.dns.servers import DnsServers

            self._name_servers = DnsServers(reveal_text, self.dns_timeout, self.in_network)
        return self._name_servers

    @property
    def dns_timeout(self) -> float:
        return min(self._options.timeout or PATIENCE, self._settings.timeout)
