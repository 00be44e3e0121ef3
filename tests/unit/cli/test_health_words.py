"""What is said of a check that has found nothing, or not all."""

from multiall_cli.cli.render.baseline import checked
from multiall_cli.cli.render.health_exports import markdown
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.health import Health


def test_nothing_is_never_well() -> None:
    """Not one member had been looked at when it was interrupted."""
    view = checked(Health(()), ("web1", "web2"), 2)
    told = [str(each) for each in view.human(False)]
    assert told == ["interrupted before all members were looked at; not looked at: web[1-2]"]
    assert view.urgent is not None
    assert [str(each) for each in view.urgent()] == told
    assert (view.exit, view.well) == (Exit.INTERRUPTED, False)
    assert "the worst: ok" not in markdown(Health((), left=("web1",)))
