"""Algorithms of both sides of a key exchange, and the missing one if they cannot agree."""

from collections.abc import Mapping, Sequence

import paramiko

from multiall_cli.domain.dataclass import dataclass

ADVISED = {
    "kex": ("key exchange", "KexAlgorithms", "curve25519-sha256@libssh.org"),
    "host_key": ("host key", "HostKeyAlgorithms", "ssh-ed25519"),
    "cipher": ("cipher", "Ciphers", "aes256-gcm@openssh.com"),
    "mac": ("MAC", "MACs", "hmac-sha2-256-etm@openssh.com"),
}
"""Name, keyword of sshd_config, and a safe algorithm that MultiAll supports."""

MOST_WORDS = 200  # letters of a server's offer in a message


@dataclass(slots=True)
class OfferedAlgorithms:
    """The algorithms that a server offers; empty until it has sent them."""

    lists: dict[str, Sequence[str]]

    def note(self, transport: paramiko.Transport, parsed: dict[str, list[str]]) -> dict[str, list[str]]:
        """Store the offer. AES-GCM uses no MAC, so a MAC that only we support must not end the key exchange."""
        self.lists = {
            "kex": tuple(name for name in parsed["kex_algo_list"] if not name.startswith(("ext-info-", "kex-strict-"))),
            "host_key": tuple(parsed["server_key_algo_list"]),
            "cipher": tuple(parsed["client_encrypt_algo_list"]),
            "mac": tuple(parsed["client_mac_algo_list"]),
        }
        for way in ("client", "server"):
            chosen = next(
                (each for each in supported(transport)["cipher"] if each in parsed[f"{way}_encrypt_algo_list"]), ""
            )
            if "gcm" in chosen:
                parsed[f"{way}_mac_algo_list"] = [*parsed[f"{way}_mac_algo_list"], *supported(transport)["mac"]]
        return parsed


def supported(transport: paramiko.Transport) -> Mapping[str, Sequence[str]]:
    options = transport.get_security_options()
    return {"kex": options.kex, "host_key": options.key_types, "cipher": options.ciphers, "mac": options.digests}


def watch(transport: paramiko.Transport) -> OfferedAlgorithms:
    """Record the server's offer; paramiko itself only logs it."""
    found = OfferedAlgorithms({})
    usual = transport._really_parse_kex_init  # type: ignore[attr-defined]

    def parse(message: paramiko.Message, *more: object, **named: object) -> dict[str, list[str]]:
        return found.note(transport, usual(message, *more, **named))

    transport._really_parse_kex_init = parse  # type: ignore[attr-defined]
    return found


def find_mismatch(offered: OfferedAlgorithms, supported_by_us: Mapping[str, Sequence[str]]) -> tuple[str, str]:
    """Return the algorithms that the server offers and we lack, and the line of sshd_config that helps; '' if none."""
    for name, theirs in offered.lists.items():
        if name == "mac" and any("gcm" in each for each in shared(offered, supported_by_us, "cipher")):
            continue
        if not shared(offered, supported_by_us, name):
            word, keyword, advised = ADVISED[name]
            offer = ", ".join(theirs) or "none"
            offer = offer if len(offer) <= MOST_WORDS else f"{offer[:MOST_WORDS]}…"
            return f"no common {word} algorithm: it offers {offer}", f"{keyword} +{advised}"
    return "", ""


def shared(offered: OfferedAlgorithms, supported_by_us: Mapping[str, Sequence[str]], name: str) -> list[str]:
    return [each for each in supported_by_us[name] if each in offered.lists.get(name, ())]
