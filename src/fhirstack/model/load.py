"""Read ``site.yaml`` and report everything that is wrong with it at once.

An invalid site (exit 2) is one whose meaning is unclear or that nobody may run. What is clear but
less than the page asks for is a requirement not met (exit 1), which ``check`` reports.
"""

from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from fhirstack.errors import FhirstackError, SiteError
from fhirstack.model import explain
from fhirstack.model.crossfield import crossfield_errors
from fhirstack.model.nodes import Node, merge, parse, show_path
from fhirstack.model.site import Environment, Kind, Site
from fhirstack.model.types import Name

TOP_KEYS = {
    "programme": "the programme's name, for people",
    "defaults": "anything of an environment that all of them share",
    "environments": "the environments by name; each lies over the defaults",
}
_MOST_BYTES = 1_000_000
_NAMES: TypeAdapter[str] = TypeAdapter(Name)


def load_site(path: Path) -> Site:
    """Load a site file. Raises SiteError with every error of it, or why it cannot be read."""
    return parse_site(_read(path), str(path))


def parse_site(text: str, file: str) -> Site:
    """Parse the text of a site file; ``file`` is its name in errors. Raises SiteError."""
    root = parse(text, file)
    if root is None:
        raise SiteError(
            [
                FhirstackError(
                    "the file is empty", where=file, remedy="`fhirstack init` writes a site to edit"
                )
            ]
        )
    if not isinstance(root.value, dict):
        remedy = "write `programme:` and `environments:` instead"
        raise SiteError(
            [explain.at(file, root.place, f"{explain.show(root)} is not a site", remedy)]
        )
    errors = _top_errors(root, file)
    merged = _environment_nodes(root, file, errors)
    environments = {name: _validate(name, node, file, errors) for name, node in merged.items()}
    errors += crossfield_errors(merged, file)
    if errors:
        raise SiteError(_in_order(errors))
    programme = root.get("programme")
    return Site(
        programme=programme.text or "" if programme else "",
        environments={name: item for name, item in environments.items() if item},
    )


def _read(path: Path) -> str:
    def refuse(what: str, remedy: str = "") -> SiteError:
        return SiteError([FhirstackError(what, where=str(path), remedy=remedy)])

    try:
        with path.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        raise refuse("no such file", "`fhirstack init` writes a site to edit") from None
    except IsADirectoryError:
        raise refuse("a directory", "name the site file instead") from None
    except OSError as error:
        raise refuse(f"cannot be read: {error.strerror}") from None
    if len(content) > _MOST_BYTES:
        raise refuse(f"larger than {_MOST_BYTES} bytes: not a site file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refuse(f"not UTF-8 text (byte {error.start + 1})", "save it as UTF-8") from None


def _top_errors(root: Node, file: str) -> list[FhirstackError]:
    errors = [
        explain.unknown_key(file, node, list(TOP_KEYS))
        for node in root.items()
        if node.path[-1] not in TOP_KEYS
    ]
    programme = root.get("programme")
    if programme is None:
        errors.append(
            explain.at(
                file, root.place, "`programme` is missing", "write it: `programme: Child health`"
            )
        )
    elif not programme.text:
        what = f"programme: {explain.show(programme)} is not a name"
        errors.append(explain.at(file, programme.place, what, "write text instead"))
    return errors


def _environment_nodes(root: Node, file: str, errors: list[FhirstackError]) -> dict[str, Node]:
    """Return each environment's tree with the defaults below it, and gather what is wrong."""
    defaults, environments = root.get("defaults"), root.get("environments")
    if environments is None or not isinstance(environments.value, dict) or not environments.value:
        place = environments.place if environments else root.place
        what = "`environments` is missing"
        if environments:
            empty = not environments.value
            is_not = "no environment" if empty else "not a section of keys and values"
            what = f"environments: {explain.show(environments)}, {is_not}"
        remedy = "write staging, preview and production below it: `fhirstack init` shows how"
        errors.append(explain.at(file, place, what, remedy))
        return {}
    if defaults and not isinstance(defaults.value, dict | None):
        remedy = "write keys of an environment below it instead"
        what = f"defaults: {explain.show(defaults)} is not a section of keys and values"
        errors.append(explain.at(file, defaults.place, what, remedy))
        defaults = None
    merged = {}
    for name, overlay in environments.value.items():
        if not isinstance(overlay.value, dict | None):
            what = f"{show_path(overlay.path)}: {explain.show(overlay)} is not an environment"
            remedy = "write keys and values, indented below, instead"
            errors.append(explain.at(file, overlay.place, what, remedy))
            continue
        node = Node(overlay.value or {}, overlay.path, overlay.place, overlay.key)
        merged[name] = merge(defaults, node) if defaults and defaults.value else node
    return merged


def _validate(name: str, node: Node, file: str, errors: list[FhirstackError]) -> Environment | None:
    plain = node.plain()
    given = node.get("name")
    if given:
        remedy = "remove it: an environment's name is its key"
        what = f"{show_path(given.path)}: unknown key"
        errors.append(explain.at(file, given.key, what, remedy))
    try:
        _NAMES.validate_python(name)
    except ValidationError as error:
        context = error.errors()[0].get("ctx", {})
        what = f'{show_path(node.path)}: "{name}" is not {context["kind"]}'
        errors.append(explain.at(file, node.key, what, f"write {context['write']}, instead"))
        name = "unnamed"
    values = dict(plain) if isinstance(plain, dict) else {}
    if name in set(Kind) - {Kind.LOCAL}:
        values.setdefault("kind", name)
    try:
        return Environment.model_validate({**values, "name": name})
    except ValidationError as invalid:
        errors += [
            explain.explain(error, node, file)
            for error in invalid.errors()
            if not _counts_the_invalid(error, node)
        ]
        return None


def _counts_the_invalid(error: ErrorDetails, node: Node) -> bool:
    """Whether pydantic calls a list too short because it did not count the invalid entries."""
    found = node.get(*error["loc"])
    return error["type"] == "too_short" and found is not None and any(found.items())


def _in_order(errors: list[FhirstackError]) -> list[FhirstackError]:
    """Sort by place; what the defaults bring into several environments is said once."""

    def place(error: FhirstackError) -> tuple[int, int]:
        line, column = error.where.rsplit(":", 2)[-2:]
        return int(line), int(column)

    return sorted({(str(error)): error for error in errors}.values(), key=place)
