"""Ansible's inventories, INI and YAML, as data: groups become pools, variables of hosts become their labels."""

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
"""Who logs in where, and with whose rights: without them a host would be reached as somebody else, or another one."""
_SECRET = ("pass", "secret", "token", "key", "vault", "credential")
_COLLECTIONS = ("ansible.builtin.", "ansible.legacy.", "community.general.")
"""A plugin may be named with its collection."""
_YES = ("true", "yes", "1", "on", "y", "t")
_OF_ALL = ("all", "ungrouped")


def import_ansible(path: Path) -> ImportResult:
    """The hosts and groups of an Ansible inventory file: YAML, JSON (also of `ansible-inventory --list`) or INI.

    Templates, vaults, secrets and variables that are no plain value are dropped, never evaluated; so are
    group_vars/ and host_vars/. Errors: InputFaults where the file cannot be read.
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
            groups.drop(Origin(str(path.parent / folder), 1, 1), f"the variables in {folder}/")
    return _imported(groups)


def _is_yaml(path: Path, text: str) -> bool:
    """As Ansible decides: by the file's ending; without one, YAML goes before INI where it is a table of groups."""
    if path.suffix:
        return path.suffix in (".yaml", ".yml", ".json")
    written, faults = parse_yaml(text, str(path), tags=True)
    return not faults and isinstance(written, YamlMapping) and all(map(_may_be_group, written.entries.values()))


def _may_be_group(written: YamlValue) -> bool:
    return isinstance(written, YamlMapping) or (isinstance(written, YamlScalar) and written.value is None)


def _imported(groups: AnsibleInventory) -> ImportResult:
    hosts = {name: ServerDraft(name, origin) for name, origin in groups.hosts.items()}
    for name, variables in groups.variables().items():
        # Of `ansible_ssh_user` and `ansible_user` the first holds, whichever group says it.
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
            groups.drop(group.origin, why or f"the group {shown(name)}, which has no hosts")
        else:
            pools.append(Pool(name, members, origin=group.origin))
    servers = tuple(host.server() for host in hosts.values() if host.name not in wrong)
    return ImportResult(servers, tuple(pools), tuple(dict.fromkeys(groups.dropped)))


def _take(host: ServerDraft, variable: AnsibleVariable, groups: AnsibleInventory) -> None:
    """One variable of a host; the first one of a name holds. Values are never told: any may be a secret."""
    if variable.name in host.seen:
        return
    host.seen.add(variable.name)
    key = _KEYS.get(variable.name)
    value = variable.value
    why = ""
    if value is None:
        why = "is no plain value"
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
        groups.drop(variable.origin, f"the variable {shown(variable.name)}, which {why}")
        if variable.name in _DECISIVE:
            host.missing.setdefault(_KEYS.get(variable.name, ""), variable.name)


def _connect(host: ServerDraft, value: str, origin: Origin) -> str:
    if value == "local":
        host.put("transport", "local", origin)
    return "" if value in ("local", "ssh", "smart", "paramiko", "ansible.builtin.ssh") else "names another connection"


def _without_collection(method: str) -> str:
    return method.removeprefix(next((each for each in _COLLECTIONS if method.startswith(each)), ""))


def _put(host: ServerDraft, key: str, value: str, origin: Origin) -> str:
    if refusal(key, value):
        return f"is not taken as {key.replace('_', ' ')}"
    host.put(key, value, origin)
    return ""


def _label(host: ServerDraft, name: str, value: str) -> str:
    if name.startswith("ansible_"):
        return "has no counterpart"
    if any(word in name.lower() for word in _SECRET):
        return "may be a secret"
    if refusal("label_name", name) or refusal("label", value):
        return "does not fit a label"
    host.labels.setdefault(name, value)
    return ""


def _is_elsewhere(host: ServerDraft, groups: AnsibleInventory) -> bool:
    """Whether the host cannot be imported, since what decides who logs in where was not taken over.

    `ansible_become` says whether, `ansible_become_method` says how; sudo where nothing is said.
    """
    wanted = host.values.pop("become_wanted", None)
    if wanted is None or wanted[0] != "True":
        for key in ("become", "become_user"):
            host.values.pop(key, None)
            host.missing.pop(key, None)
    else:
        host.put("become", "sudo", wanted[1])
    if host.missing:
        groups.drop(host.origin, f"the host {shown(host.name)}, since {', '.join(host.missing.values())} was left out")
    return bool(host.missing)
