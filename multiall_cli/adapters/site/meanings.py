"""What each key of a site's files means: for editors, through the schemas, and for the reference."""

from collections.abc import Mapping

MEANINGS: Mapping[str, Mapping[str, str]] = {
    "InventoryShape": {
        "servers": "Servers by name or range of names.",
        "pools": "Pools by name.",
    },
    "ServerShape": {
        "address": "Where it is reached: a name or an IP address, or a range as long as the names'; else its name.",
        "transport": "`local` for the admin host itself; else `ssh`.",
        "ssh": "What differs from ~/.ssh/config.",
        "become": "Whose rights the work is done with; `none`: the login's own.",
        "labels": "Words to choose servers by, such as `rack: r1`.",
        "depends_on": "Servers without which it is not there, such as its hypervisor: their downtimes are its own.",
        "windows": "Times that come again, in which it may be away.",
        "rules": "What it says of baseline rules itself: rule, key, value; over what its pools say.",
        "without": "Baseline rules that it does not have.",
        "except": "Baseline rules that may fail on it for a time.",
    },
    "PackShape": {
        "rules": "The rules by name, each with its check and what that asks.",
        "tests": "Values on which `multiall baseline test` tries the rules.",
        "commands": "Whether its rules may run commands on servers (`check: command`); else they may not.",
    },
    "ExampleShape": {
        "good": "Values, as a rule writes them, with which all is well.",
        "bad": "What makes it bad, over the good values; a list of several such.",
    },
    "WaiverShape": {"until": "When it ends.", "because": "Why; it is shown."},
    "WindowShape": {
        "at": "When it begins, as cron has it: minute, hour, day, month, weekday.",
        "lasts": "For how long.",
        "zone": "Whose clock `at` is read on.",
        "because": "Why; it is shown.",
        "what": "`maintenance` (the default): no sync tries it; `drain`: it gets no clients, syncs go on.",
    },
    "SshShape": {
        "user": "Who logs in.",
        "port": "Where its sshd listens.",
        "jump": "The servers that the connection goes through.",
        "identity": "The private key.",
        "password": "Where the password is found, for servers that take no key.",
    },
    "BecomeShape": {
        "method": "How.",
        "user": "Whose rights; else root's.",
        "password": "Where the password is found; it goes over standard input only.",
    },
    "PoolShape": {
        "members": "Which servers: names, ranges and target expressions.",
        "priority": "Whose claim holds where two pools contradict each other: the higher one's; else 0.",
        "files": "The file trees that every member has.",
        "rollout": "In which batches the pool is changed.",
        "windows": "Times that come again, in which its members may be away.",
        "baseline": "Packs of baseline rules: files of rules/, of the site or shipped, without their `.yaml`.",
        "rules": "What it says of baseline rules itself: rule, key, value; over what its packs say.",
        "without": "Baseline rules that its members do not have.",
        "except": "Baseline rules that may fail on its members for a time.",
        "quorum": "How many members must be well enough for the pool not to be critical; else all.",
    },
    "FilesShape": {
        "path": "The tree on the members; `~/` is the home of the user whose rights the work is done with.",
        "source": "Where it comes from: a folder of the site (begins with ./, ../ or /) or a member's name.",
        "exclude": "Patterns, as in .gitignore, of what is neither sent nor deleted.",
        "delete": "What goes away on members: `false` nothing (the default), `true` all that the source lacks, "
        "`deployed` what an earlier sync put there and no one changed since.",
        "owner": "`user` or `user:group`, by name; `source`: as the source has them. Else not looked at.",
        "mode": "Modes for all files, all folders; else as the source has them.",
        "times": "Whether a time of change alone is a difference; else only where the source is a member.",
        "xattrs": "Whether extended attributes and ACLs are kept the same too.",
        "trash": "How long deleted files are kept beside the tree: `7d` (the default), `0` not at all.",
        "after": "What is done once on a member where something changed.",
    },
    "ModeShape": {"files": "Of files, such as '0644'.", "dirs": "Of folders, such as '0755'."},
    "AfterShape": {
        "reload": "The service to reload.",
        "restart": "The service to restart.",
        "run": "The command to run, as a list of words.",
        "watch": "Patterns of the paths that matter; else any change does.",
    },
    "RolloutShape": {
        "batch": "How many members at a time; of a list, the first is the canary and the last one repeats.",
        "gate": "Whether the baseline rules of a batch's members must be well before the next batch.",
        "max_fail": "How many members may fail or be away before no further batch is begun.",
    },
    "GateShape": {
        "stable": "How many looks in a row must be good; else 3.",
        "every": "How long between two looks; else 5 s.",
        "within": "After how long it stays closed, and the rollout stops; else 2 minutes.",
    },
    "SettingsShape": {
        "store": "The folder of journal, outbox and cache; else below $XDG_STATE_HOME.",
        "network": "The network namespace that sessions start from (Linux); else this process's own.",
        "parallel": "How many servers are worked on at once; else 32.",
        "connect_timeout": "How long each step of opening a session may take; else 10 s.",
        "timeout": "How long a server may be silent; else 60 s.",
        "topology": "How patient `multiall topology` is.",
        "baseline": "What holds for the health of all servers.",
    },
    "BaselineShape": {
        "longest": "What a waiver may last; else 90 days.",
        "keep": "How long the history of health is kept; else 90 days.",
        "stale": "The age from which a server's last look is not how it stands; else 6 hours.",
        "cool_down": "How long a remedy is not applied to a server again; else 15 minutes.",
    },
    "TopologyShape": {
        "every": "How often a scan is meant to run (cron); else 60 s.",
        "timeout": "How long one knock at a server may take; else 2 s.",
        "window": "The least silence before a server is down; else 22.5 s.",
        "denials": "How many brothers must deny a server as well; else 3. 0: our own word is enough.",
        "quorum": "The share of the servers last up that we must reach, else we suspect ourselves; else 50%.",
        "sentinels": "Addresses that answer as long as our own network is there: routers, name servers.",
        "publish": "The path at which servers are given the picture, signed, at each change; else they are not.",
        "ttl": "How long such a copy holds; it is given anew after half of that. Else 5 minutes.",
    },
}
"""Shape → key → words."""
