"""What both sides of a key exchange can do, and what is missing where they cannot agree."""

from collections.abc import Mapping, Sequence

import paramiko

from multiall_cli.domain.dataclass import dataclass

ADVISED = {
    "kex": ("key exchange", "KexAlgorithms", "curve25519-sha256@libssh.org"),
    "host_key": ("host key", "HostKeyAlgorithms", "ssh-ed25519"),
    "cipher": ("cipher", "Ciphers", "aes256-gcm@openssh.com"),
    "mac": ("MAC", "MACs", "hmac-sha2-256-etm@openssh.com"),
}
"""What it is called, the line of sshd_config that is about it, and one that we have and that is safe."""

MOST_WORDS = 200  # letters of what a server says it offers


@dataclass(slots=True)
class OfferedAlgorithms:
    """The algorithms that a server offers, in its own words; empty until it has said so."""

    lists: dict[str, Sequence[str]]

    def note(self, transport: paramiko.Transport, parsed: dict[str, list[str]]) -> dict[str, list[str]]:
        """Remember what was parsed. With AES-GCM no MAC is used, so one that only we have must not end it."""
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
    """Have what the server offers noted; paramiko itself tells it to its log only."""
    found = OfferedAlgorithms({})
    usual = transport._really_parse_kex_init  # type: ignore[attr-defined]

    def parse(message: paramiko.Message, *more: object, **named: object) -> dict[str, list[str]]:
        return found.note(transport, usual(message, *more, **named))

    transport._really_parse_kex_init = parse  # type: ignore[attr-defined]
    return found


def find_mismatch(offered: OfferedAlgorithms, have: Mapping[str, Sequence[str]]) -> tuple[str, str]:
    """What the server offers and we lack, and the line of its sshd_config that helps; '' where nothing is missing."""
    for name, theirs in offered.lists.items():
        if name == "mac" and any("gcm" in each for each in shared(offered, have, "cipher")):
            continue
        if not shared(offered, have, name):
            word, keyword, advised = ADVISED[name]
            said = ", ".join(theirs) or "none"
            said = said if len(said) <= MOST_WORDS else f"{said[:MOST_WORDS]}…"
            return f"of its {word} algorithms we have none: it offers {said}", f"{keyword} +{advised}"
    return "", ""


def shared(offered: OfferedAlgorithms, have: Mapping[str, Sequence[str]], name: str) -> list[str]:
    return [each for each in have[name] if each in offered.lists.get(name, ())]
