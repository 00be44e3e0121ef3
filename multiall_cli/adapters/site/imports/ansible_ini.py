"""Reads Ansible's INI inventories: `[web]`, `[web:children]`, `[web:vars]` and lines of hosts."""

import re
import shlex

from multiall_cli.adapters.site.imports.ansible_groups import AnsibleInventory, AnsibleVariable
from multiall_cli.domain.errors import Origin
from multiall_cli.planning.targets.ranges import shown

_SECTION = re.compile(r"\[([^:\]]+)(?::(\w+))?\]\s*(?:[#;].*)?")
_PORT = re.compile(r"(?P<host>[^:\[\]]*(?:\[[^\]]*\][^:\[\]]*)*):(?P<port>[0-9]{1,5})")


def read_ini(text: str, file: str, groups: AnsibleInventory) -> None:
    """Add the contents of the text to `groups`."""
    group, kind = "ungrouped", "hosts"
    for number, line in enumerate(text.split("\n"), 1):
        content = line.strip()
        if not content or content[0] in "#;":
            continue
        origin = Origin(file, number, len(line) - len(line.lstrip()) + 1)
        section = _SECTION.fullmatch(content)
        if section:
            group, kind = section[1], section[2] or "hosts"
            if kind in ("hosts", "children", "vars"):
                groups.group(group, origin)
            else:
                groups.skip(origin, f"the section {shown(content)}")
        elif kind == "children":
            child = content.split()[0]
            groups.group(group, origin).children[child] = None
            groups.group(child, origin)
        elif kind == "vars":
            name, _, value = content.partition("=")
            groups.group(group, origin).variables.append(AnsibleVariable(name.strip(), _unquoted(value), origin))
        elif kind == "hosts":
            _host(content, group, origin, groups)


def _host(content: str, group: str, origin: Origin, groups: AnsibleInventory) -> None:
    try:
        pattern, *words = shlex.split(content, comments=True)
    except ValueError:
        # The line is not printed: it may contain a password.
        return groups.skip(origin, "a line with an unmatched quote")
    variables = []
    for word in words:
        name, equals, value = word.partition("=")
        if equals:
            variables.append(AnsibleVariable(name, value, origin))
        else:
            groups.skip(origin, "a word after a host that is not a variable")
    port = _PORT.fullmatch(pattern)
    if port:
        pattern = port["host"]
        variables.append(AnsibleVariable("ansible_port", port["port"], origin))
    return groups.add_hosts(pattern, group, variables, origin)


def _unquoted(value: str) -> str:
    text = value.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text
