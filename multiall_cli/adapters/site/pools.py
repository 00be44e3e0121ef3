"""Converts validated site files to domain values: pools and their declarations."""

import re
from collections.abc import Container
from dataclasses import replace

from multiall_cli.adapters.site import schema as shapes
from multiall_cli.adapters.site.convert import (
    ReportError,
    items,
    origin_of,
    origins,
    resolve_path,
    seconds_in,
    text_of,
    texts_of,
    value_at,
    windows_of,
)
from multiall_cli.adapters.site.positions import YamlMapping, YamlScalar, YamlValue
from multiall_cli.domain.inventory import After, Delete, FilesDeclaration, Gate, Pool, Rollout
from multiall_cli.domain.values import Amount
from multiall_cli.planning.targets.ranges import is_name, shown
from multiall_cli.planning.targets.selection import SPECIAL

_MEMBER = "member:"


def pool_of(name: str, written: YamlMapping, root: str, servers: Container[str], report: ReportError) -> Pool | None:
    """Return one entry of `pools:`, members still unresolved; None if its name is invalid."""
    place, entry = written.keys[name], written.entries[name]
    if not is_name(name) or name in SPECIAL:
        report(place, f"{shown(name)} is not a valid pool name", "write such as web; @failed and @deferred are sets")
        return None
    priority = value_at(entry, "priority")
    return Pool(
        name=name,
        members=(),
        priority=priority.value if isinstance(priority, YamlScalar) and isinstance(priority.value, int) else 0,
        files=_trees(name, entry, root, servers, report),
        rollout=_rollout(entry, report),
        windows=windows_of(entry, report),
        quorum=amount_of(quorum, report) if (quorum := value_at(entry, "quorum")) else None,
        origin=place,
    )


def _trees(
    pool: str, entry: YamlValue, root: str, servers: Container[str], report: ReportError
) -> tuple[FilesDeclaration, ...]:
    trees: dict[str, FilesDeclaration] = {}
    for item in items(value_at(entry, "files")):
        tree = _tree(item, root, servers, report)
        if tree is None:
            continue
        if tree.path in trees:
            what = f"the path {shown(tree.path)} is declared twice (first at {trees[tree.path].origin})"
            report(tree.origin, what, "keep one of them")
        else:
            trees[tree.path] = replace(tree, pools=(pool,))
    return tuple(trees.values())


def _tree(item: YamlValue, root: str, servers: Container[str], report: ReportError) -> FilesDeclaration | None:
    path = _path(item, report)
    source = _source(item, root, servers, report)
    owner, group = _owner(item, report)
    file_mode, dir_mode = _mode(item, "files", report), _mode(item, "dirs", report)
    after = _after(item, report)
    if path is None or source is None:
        return None
    times = text_of(item, "times")
    return FilesDeclaration(
        path=path,
        source=source[0],
        from_member=source[1],
        exclude=texts_of(value_at(item, "exclude")),
        delete=Delete((text_of(item, "delete") or "false").lower()),
        owner=owner,
        group=group,
        file_mode=file_mode,
        dir_mode=dir_mode,
        times=source[1] if times is None else times.lower() == "true",
        xattrs=(text_of(item, "xattrs") or "").lower() == "true",
        trash=int((text_of(item, "trash") or "7").rstrip("d")),
        entries=int(text_of(item, "entries") or "0"),
        after=after,
        origin=item.origin,
        where=dict(origins(item)),
    )


def _path(item: YamlValue, report: ReportError) -> str | None:
    """Return the tree's path, normalised, so that one tree has one name."""
    text = text_of(item, "path") or ""
    path = text.rstrip("/")
    parts = path.split("/")[1:]
    if not parts:
        report(origin_of(item, "path"), f"'path' is {shown(text)}, a whole file system or home", "write a folder in it")
    elif any(part in ("", ".", "..") for part in parts):
        report(origin_of(item, "path"), f"'path' is {shown(text)}", "write it without '//', '.' and '..'")
    else:
        return path
    return None


def _source(item: YamlValue, root: str, servers: Container[str], report: ReportError) -> tuple[str, bool] | None:
    """Return the folder's absolute path or the member's name, and whether it is a member."""
    text = text_of(item, "source") or ""
    if text.startswith(("./", "../", "/")):
        return resolve_path(text, root), False
    name = text.removeprefix(_MEMBER)
    if name in servers:
        return name, True
    todo = f"write a folder as ./{name}, or the name of a server"
    report(origin_of(item, "source"), f"'source' is {shown(text)}, which is not a server", todo)
    return None


def _owner(item: YamlValue, report: ReportError) -> tuple[str | None, str | None]:
    text = text_of(item, "owner")
    if text is None:
        return None, None
    if not shapes.matches(text, shapes.Owner):
        report(origin_of(item, "owner"), f"'owner' is {shown(text)}", "write user or user:group")
        return None, None
    user, _, group = text.partition(":")
    return user, group or None


def _mode(item: YamlValue, key: str, report: ReportError) -> int | None:
    text = text_of(item, "mode", key)
    if text is None:
        return None
    if not shapes.matches(text, shapes.Mode):
        report(origin_of(item, "mode", key), f"{key!r} is {shown(text)}", "write an octal mode such as '0644'")
        return None
    return int(text, 8)


def _after(item: YamlValue, report: ReportError) -> tuple[After, ...]:
    actions: list[After] = []
    for action in items(value_at(item, "after")):
        keys = action.keys if isinstance(action, YamlMapping) else {}
        verbs = [verb for verb in ("reload", "restart", "run") if verb in keys]
        if len(verbs) != 1:
            report(action.origin, f"names {' and '.join(verbs) or 'no action'}", "write one of reload, restart and run")
            continue
        if value_at(action, verbs[0]) is None:
            continue  # reported by the validation
        service = text_of(action, verbs[0])
        arguments = texts_of(value_at(action, "run")) if service is None else (service,)
        actions.append(After(verbs[0], arguments, texts_of(value_at(action, "watch"))))
    return tuple(actions)


def _rollout(entry: YamlValue, report: ReportError) -> Rollout:
    written = value_at(entry, "rollout", "batch")
    batches = [amount_of(item, report) for item in items(written) or ((written,) if written else ())]
    max_fail = value_at(entry, "rollout", "max_fail")
    return Rollout(
        tuple(batch for batch in batches if batch) or Rollout().batch,
        amount_of(max_fail, report, least=0) if max_fail else None,
        _gate(entry, report),
        _drain(entry, report),
    )


def _drain(entry: YamlValue, report: ReportError) -> bool:
    drain = (text_of(entry, "rollout", "drain") or "").lower() == "true"
    if drain and not items(value_at(entry, "dns")):
        report(origin_of(entry, "rollout", "drain"), "drain needs a `dns:` in this pool", "add one, or remove `drain`")
    return drain


def _gate(entry: YamlValue, report: ReportError) -> Gate | None:
    written = value_at(entry, "rollout", "gate")
    if not isinstance(written, YamlMapping):
        return None
    said = {key: text_of(written, key) for key in ("stable", "every", "within")}
    default = Gate()
    gate = Gate(
        int(said["stable"] or default.stable),
        seconds_in(said["every"]) if said["every"] else default.every,
        seconds_in(said["within"]) if said["within"] else default.within,
    )
    if (gate.stable - 1) * gate.every >= gate.within:
        what = f"the gate never opens: {gate.stable} checks every {gate.every:g} s take longer than {gate.within:g} s"
        report(written.origin, what, "make `within` longer")
    return gate


def amount_of(written: YamlValue, report: ReportError, least: int = 1) -> Amount | None:
    """Return a number or share of members; None, reported, if it is neither."""
    text = text_of(written) or ""
    match = re.fullmatch(r"([0-9]{1,6})(%?)", text)
    number, percent = (int(match[1]), bool(match[2])) if match else (-1, False)
    if number < least or (percent and number > 100):
        report(written.origin, f"{shown(text)} is not a number or share of members", "write such as 3 or 25%")
        return None
    return Amount(number, percent)
