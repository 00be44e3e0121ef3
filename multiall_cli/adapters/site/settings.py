"""Converts validated site files to domain values: settings and guards."""

from msgspec import UNSET, UnsetType

from multiall_cli.adapters.site import schema as shapes
from multiall_cli.adapters.site.convert import resolve_path, seconds_in
from multiall_cli.domain.health import DAY, BaselineSettings
from multiall_cli.domain.inventory import GuardLimit, Settings, TopologySettings


def settings_of(shape: shapes.SettingsShape, root: str) -> Settings:
    """Return the settings of multiall.yaml, with defaults for missing ones."""
    default = Settings()
    return Settings(
        store=resolve_path(shape.store, root) if isinstance(shape.store, str) else default.store,
        network=resolve_path(shape.network, root) if isinstance(shape.network, str) else default.network,
        ssh_config=resolve_path(shape.ssh_config, root) if isinstance(shape.ssh_config, str) else default.ssh_config,
        parallel=shape.parallel if isinstance(shape.parallel, int) else default.parallel,
        connect_timeout=_seconds(shape.connect_timeout, default.connect_timeout),
        timeout=_seconds(shape.timeout, default.timeout),
        topology=_topology(shape.topology),
        baseline=_baseline(shape.baseline),
    )


def _baseline(shape: shapes.BaselineShape | UnsetType | None) -> BaselineSettings:
    default = BaselineSettings()
    if not isinstance(shape, shapes.BaselineShape):
        return default
    return BaselineSettings(
        _days(shape.longest, default.longest),
        _days(shape.keep, default.keep),
        _seconds(shape.stale, default.stale),
        _seconds(shape.cool_down, default.cool_down),
    )


def _days(value: str | UnsetType, default: float) -> float:
    return int(value.rstrip("d")) * DAY if isinstance(value, str) else default


def _topology(shape: shapes.TopologyShape | UnsetType | None) -> TopologySettings:
    default = TopologySettings()
    if not isinstance(shape, shapes.TopologyShape):
        return default
    return TopologySettings(
        every=_seconds(shape.every, default.every),
        timeout=_seconds(shape.timeout, default.timeout),
        window=_seconds(shape.confirm_after, default.window),
        denials=default.denials if isinstance(shape.confirmations, UnsetType) else shape.confirmations,
        quorum=int(shape.quorum.rstrip("%")) / 100 if isinstance(shape.quorum, str) else default.quorum,
        sentinels=tuple(shape.sentinels or ()) if isinstance(shape.sentinels, list) else default.sentinels,
        publish=shape.publish if isinstance(shape.publish, str) else None,
        ttl=_seconds(shape.ttl, default.ttl),
    )


def guards_of(shape: shapes.RulesShape, defaults: dict[str, GuardLimit]) -> dict[str, GuardLimit]:
    """Return the guards' limits: those of a file, else the defaults."""
    limits = dict(defaults)
    if not isinstance(shape.guards, shapes.GuardsShape):
        return limits
    for name in shape.guards.__struct_fields__:
        guard = getattr(shape.guards, name)
        if isinstance(guard, shapes.GuardShape):
            before = limits.get(name, GuardLimit(share=1.0, at_least=1))
            share = before.share if guard.share is UNSET else int(guard.share.rstrip("%")) / 100
            limits[name] = GuardLimit(share, before.at_least if guard.at_least is UNSET else guard.at_least)
    return limits


def _seconds(value: float | str | UnsetType, default: float) -> float:
    if isinstance(value, str):
        return seconds_in(value)
    return default if isinstance(value, UnsetType) else float(value)
