"""An error as data: in the same formats as a result."""

from multiall_cli.cli.options import Format
from multiall_cli.cli.render.json_form import as_json, as_yaml, document
from multiall_cli.domain.errors import InputFaults, MultiAllError
from multiall_cli.domain.exits import Exit


def failure(output: Format, fault: MultiAllError, code: Exit) -> str:
    """The error as a document of the format, with every place in the site's files where there are several."""
    if output is Format.JUNIT or output is Format.GITHUB:
        return _for_pipelines(output, fault)
    faults = fault.faults if isinstance(fault, InputFaults) else ()
    places = [
        {"file": each.origin.file, "line": each.origin.line, "column": each.origin.column} | {"what": each.what}
        | {"todo": each.todo}
        for each in faults
    ]  # fmt: skip
    error = {"subject": fault.subject, "what": fault.what, "todo": fault.todo, "exit": int(code), "faults": places}
    told = document("error", {"error": error})
    if output is Format.YAML:
        return as_yaml(told)
    return as_json(told, indent=None if output is Format.NDJSON else 2)


def _for_pipelines(output: Format, fault: MultiAllError) -> str:
    from multiall_cli.cli.render.ci import github, junit
    from multiall_cli.cli.render.result import Case

    faults = fault.faults if isinstance(fault, InputFaults) else ()
    cases = [Case("site", str(each.origin), f"{each.what}; {each.todo}", each.origin) for each in faults]
    cases = cases or [Case("multiall", fault.subject, f"{fault.what}; {fault.todo}")]
    return junit("error", cases) if output is Format.JUNIT else github(cases)
