"""Reads Ansible's YAML inventories: groups with `hosts`, `children` and `vars`."""

from collections.abc import Iterator

from multiall_cli.adapters.site.imports.ansible_groups import AnsibleInventory, AnsibleVariable
from multiall_cli.adapters.site.positions import YamlList, YamlMapping, YamlScalar, YamlValue, parse_yaml
from multiall_cli.domain.errors import Fault, InputFaults
from multiall_cli.planning.targets.ranges import shown

_META = "_meta"


def read_yaml(text: str, file: str, groups: AnsibleInventory) -> None:
    """Add the contents of the text to `groups`. Raises InputFaults if it is not YAML, or not an inventory."""
    written, faults = parse_yaml(text, file, tags=True)
    if faults:
        raise InputFaults(faults)
    if not isinstance(written, YamlMapping):
        if written is not None:
            raise InputFaults((Fault(written.origin, "is not an inventory", "use a file with groups and hosts"),))
        return
    listed = _META in written.entries  # as `ansible-inventory --list` prints it
    for name, group in written.entries.items():
        if name == _META:
            _host_variables(group, groups)
        elif listed:
            _listed(name, written, group, groups)
        else:
            _group(name, written, group, groups)


def _host_variables(meta: YamlValue, groups: AnsibleInventory) -> None:
    hosts = meta.entries.get("hostvars") if isinstance(meta, YamlMapping) else None
    if isinstance(hosts, YamlMapping):
        for name, variables in hosts.entries.items():
            groups.add_hosts(name, "ungrouped", list(_variables(variables)), hosts.keys[name])


def _listed(name: str, parent: YamlMapping, group: YamlValue, groups: AnsibleInventory) -> None:
    """Add a group whose hosts and children are lists of names."""
    entry = groups.group(name, parent.keys[name])
    if not isinstance(group, YamlMapping):
        return
    for key, section in group.entries.items():
        if key == "vars" and isinstance(section, YamlMapping):
            entry.variables += _variables(section)
        elif key in ("hosts", "children") and isinstance(section, YamlList):
            for each in section.items:
                if not isinstance(each, YamlScalar):
                    groups.skip(each.origin, f"one of the {key} of the group {shown(name)}, which is not a name")
                elif key == "hosts":
                    groups.add_hosts(each.text, name, [], each.origin)
                else:
                    entry.children[each.text] = None
                    groups.group(each.text, each.origin)
        else:
            groups.skip(group.keys[key], f"the key {shown(key)} of the group {shown(name)}")


def _group(name: str, parent: YamlMapping, group: YamlValue, groups: AnsibleInventory) -> None:
    entry = groups.group(name, parent.keys[name])
    if not isinstance(group, YamlMapping):
        return
    for key, section in group.entries.items():
        if key not in ("hosts", "children", "vars"):
            groups.skip(group.keys[key], f"the key {shown(key)} of the group {shown(name)}")
        elif not isinstance(section, YamlMapping):
            if not isinstance(section, YamlScalar) or section.value is not None:
                groups.skip(section.origin, f"the {key} of the group {shown(name)}, which are not a mapping")
        elif key == "hosts":
            for pattern, host in section.entries.items():
                groups.add_hosts(pattern, name, list(_variables(host)), section.keys[pattern])
        elif key == "children":
            for child, inner in section.entries.items():
                entry.children[child] = None
                _group(child, section, inner, groups)
        else:
            entry.variables += _variables(section)


def _variables(written: YamlValue) -> Iterator[AnsibleVariable]:
    if isinstance(written, YamlMapping):
        for name, value in written.entries.items():
            plain = isinstance(value, YamlScalar) and not value.tag and value.value is not None
            yield AnsibleVariable(
                name, value.text if isinstance(value, YamlScalar) and plain else None, written.keys[name]
            )
