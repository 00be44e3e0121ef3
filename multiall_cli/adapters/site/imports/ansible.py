"""Imports Ansible inventories, INI and YAML: groups become pools, host variables become labels."""

from pathlib import Path

from multiall_cli.adapters.site.imports.ansible_groups import AnsibleInventory, AnsibleVariable
from multiall_cli.adapters.site.imports.ansible_ini import read_ini
from multiall_cli.adapters.site.imports.ansible_yaml import read_yaml
from multiall_cli.adapters.site.imports.result import ImportResult, ServerDraft, refusal
from multiall_cli.adapters.site.positions import YamlMapping, YamlScalar, YamlValue, parse_yaml
from multiall_cli.adapters.site.read import read_text
from multiall_cli.domain.errors import Fault, InputFaults, Origin
from multiall_cli.domain.inventory import Pool
from multiall_cli.planning.targets.ranges import shown

_KEYS = {
    "ansible_host": "address",
    "ansible_ssh_host": "address",
    "ansible_port": "port",
    "ansible_ssh_port": "port",
    "ansible_user": "user",
    "ansible_ssh_user": "user",
    "ansible_ssh_private_key_file": "identity",
    "ansible_private_key_file": "identity",
    "ansible_become_user": "become_user",
    "ansible_become_method": "become",
}
_DECISIVE = (*_KEYS, "ansible_become", "ansible_connection")
"""Variables of login and privileges: without them, MultiAll would log in as another user or to another host."""
_SECRET = ("pass", "secret", "token", "key", "vault", "credential")
_COLLECTIONS = ("ansible.builtin.", "ansible.legacy.", "community.general.")
"""Collections: a plugin may be named with its collection."""
_YES = ("true", "yes", "1", "on", "y", "t")
_OF_ALL = ("all", "ungrouped")


def import_ansible(path: Path) -> ImportResult:
    """Import the hosts and groups of an Ansible inventory file: YAML, JSON (also of `ansible-inventory --list`) or INI.

    Templates, vaults, secrets, variables that are not plain values, group_vars/ and host_vars/ are dropped, never
    evaluated. Raises InputFaults if the file cannot be read.
    """
    text = read_text(path, str(path))
    if isinstance(text, Fault):
        raise InputFaults((text,))
    if text.startswith("#!"):
        fault = Fault(Origin(str(path), 1, 1), "is a program", "save what it prints as a YAML inventory")
        raise InputFaults((fault,))
    groups = AnsibleInventory()
    (read_yaml if _is_yaml(path, text) else read_ini)(text, str(path), groups)
    for folder in ("group_vars", "host_vars"):
        if (path.parent / folder).is_dir():
            groups.skip(Origin(str(path.parent / folder), 1, 1), f"the variables in {folder}/")
    return _import(groups)


def _is_yaml(path: Path, text: str) -> bool:
    """Decide as Ansible does: by the file's suffix; without one, YAML before INI if it is a mapping of groups."""
    if path.suffix:
        return path.suffix in (".yaml", ".yml", ".json")
    written, faults = parse_yaml(text, str(path), tags=True)
    return not faults and isinstance(written, YamlMapping) and all(map(_may_be_group, written.entries.values()))


def _may_be_group(written: YamlValue) -> bool:
    return isinstance(written, YamlMapping) or (isinstance(written, YamlScalar) and written.value is None)


def _import(groups: AnsibleInventory) -> ImportResult:
    hosts = {name: ServerDraft(name, origin) for name, origin in groups.hosts.items()}
    for name, variables in groups.variables().items():
        # Of `ansible_ssh_user` and `ansible_user` the first wins, in whichever group it is.
        for variable in sorted(variables, key=lambda each: not each.name.startswith("ansible_ssh_")):
            _take(hosts[name], variable, groups)
    wrong = {host.name for host in hosts.values() if _is_elsewhere(host, groups)}
    pools = []
    for name, group in groups.groups.items():
        members = tuple(member for member in groups.members_of(name) if member not in wrong)
        why = refusal("pool", name)
        if name in _OF_ALL:
            continue
        if why or not members:
            groups.skip(group.origin, why or f"the group {shown(name)}, which has no hosts")
        else:
            pools.append(Pool(name, members, origin=group.origin))
    servers = tuple(host.server() for host in hosts.values() if host.name not in wrong)
    return ImportResult(servers, tuple(pools), tuple(dict.fromkeys(groups.skipped)))


def _take(host: ServerDraft, variable: AnsibleVariable, groups: AnsibleInventory) -> None:
    """Import one variable of a host; the first one of a name wins. Values are never printed: any may be a secret."""
    if variable.name in host.seen:
        return
    host.seen.add(variable.name)
    key = _KEYS.get(variable.name)
    value = variable.value
    why = ""
    if value is None:
        why = "is not a plain value"
    elif "{{" in value or "{%" in value or value.startswith("@"):
        why = "is a template"
    elif variable.name == "ansible_become":
        host.put("become_wanted", str(value.lower() in _YES), variable.origin)
    elif variable.name == "ansible_connection":
        why = _connect(host, value, variable.origin)
    elif key is not None:
        why = _put(host, key, _without_collection(value) if key == "become" else value, variable.origin)
    else:
        why = _label(host, variable.name, value)
    if why:
        groups.skip(variable.origin, f"the variable {shown(variable.name)}, which {why}")
        if variable.name in _DECISIVE:
            host.missing.setdefault(_KEYS.get(variable.name, ""), variable.name)


def _connect(host: ServerDraft, value: str, origin: Origin) -> str:
    if value == "local":
        host.put("transport", "local", origin)
    return "" if value in ("local", "ssh", "smart", "paramiko", "ansible.builtin.ssh") else "selects another connection"


def _without_collection(method: str) -> str:
    return method.removeprefix(next((each for each in _COLLECTIONS if method.startswith(each)), ""))


def _put(host: ServerDraft, key: str, value: str, origin: Origin) -> str:
    if refusal(key, value):
        return f"is not a valid {key.replace('_', ' ')}"
    host.put(key, value, origin)
    return ""


def _label(host: ServerDraft, name: str, value: str) -> str:
    if name.startswith("ansible_"):
        return "has no counterpart"
    if any(word in name.lower() for word in _SECRET):
        return "may be a secret"
    if refusal("label_name", name) or refusal("label", value):
        return "is not a valid label"
    host.labels.setdefault(name, value)
    return ""


def _is_elsewhere(host: ServerDraft, groups: AnsibleInventory) -> bool:
    """Return whether the host must not be imported, because a variable of login or privileges was dropped.

    `ansible_become` says whether, `ansible_become_method` says how; sudo by default.
    """
    wanted = host.values.pop("become_wanted", None)
    if wanted is None or wanted[0] != "True":
        for key in ("become", "become_user"):
            host.values.pop(key, None)
            host.missing.pop(key, None)
    else:
        host.put("become", "sudo", wanted[1])
    if host.missing:
        groups.skip(
            host.origin, f"the host {shown(host.name)}, because {', '.join(host.missing.values())} was left out"
        )
    return bool(host.missing)
