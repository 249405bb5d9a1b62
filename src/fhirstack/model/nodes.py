"""YAML text as a tree in which every value knows its line and column.

Numbers stay as they are written (``version: 26.04`` is the text ``26.04``, not a float): the
site's types say what each value is. Anchors and merge keys work; tags of one's own do not.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from fhirstack.errors import FhirstackError, SiteError

_CORE = "tag:yaml.org,2002:"
_TEXT_TAGS = {_CORE + tag for tag in ("str", "int", "float", "timestamp", "value")}
_MOST_NODES = 50_000
"""Far above any site; anchors that multiply each other end here."""

Key = str | int
Plain = str | bool | None | list["Plain"] | dict[str, "Plain"]


@dataclass(frozen=True, slots=True)
class Place:
    """Line and column in the file, both from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the file: what it is, its path as written, where it and its key stand."""

    value: "str | bool | list[Node] | dict[str, Node] | None"
    path: tuple[Key, ...]
    place: Place
    key: Place

    def get(self, *keys: Key) -> "Node | None":
        """Return the node below, or None where the file has no such value."""
        node: Node | None = self
        for key in keys:
            match node.value if node else None, key:
                case dict() as mapping, str():
                    node = mapping.get(key)
                case list() as items, int() if key < len(items):
                    node = items[key]
                case _:
                    return None
        return node

    def items(self) -> Iterator["Node"]:
        """Iterate over the values of a list or mapping; over nothing for anything else."""
        match self.value:
            case dict() as mapping:
                yield from mapping.values()
            case list() as items:
                yield from items

    @property
    def text(self) -> str | None:
        """The text of a scalar, None for anything else."""
        return self.value if isinstance(self.value, str) else None

    def plain(self) -> Plain:
        """Return the value without places."""
        match self.value:
            case dict() as mapping:
                return {key: node.plain() for key, node in mapping.items()}
            case list() as items:
                return [node.plain() for node in items]
            case value:
                return value


def show_path(path: tuple[Key, ...]) -> str:
    """Write a path as people do: ``environments.staging.hosts[0].memory``."""
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text


def merge(default: Node, overlay: Node) -> Node:
    """Lay one tree over another: mappings merge key by key, all else is replaced."""
    if not isinstance(default.value, dict) or not isinstance(overlay.value, dict):
        return overlay
    merged = dict(default.value)
    for key, node in overlay.value.items():
        merged[key] = merge(merged[key], node) if key in merged else node
    return Node(merged, overlay.path, overlay.place, overlay.key)


def parse(text: str, file: str) -> Node | None:
    """Parse YAML; None for a document without content.

    Raises SiteError: one error for bad syntax, all of them for duplicate keys and tags.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise SiteError([_syntax_error(error, file)]) from None
    except yaml.YAMLError as error:
        reason = str(error).splitlines()[0]
        raise SiteError(
            [FhirstackError(f"not YAML: {reason}", where=file, remedy="write a text file instead")]
        ) from None
    except RecursionError:
        raise SiteError([FhirstackError("nested too deeply", where=file)]) from None
    if root is None:
        return None
    reader = _Reader(file)
    place = _place(root)
    tree = reader.node(root, (), place, ())
    if reader.errors:
        raise SiteError(reader.errors)
    return tree


def _place(node: yaml.Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


def _syntax_error(error: yaml.MarkedYAMLError, file: str) -> FhirstackError:
    mark = error.problem_mark or error.context_mark
    where = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else file
    problem = error.problem or "not YAML"
    if "'\\t'" in problem:
        return FhirstackError(
            "a tab, which YAML does not allow here",
            where=where,
            remedy="write spaces instead",
        )
    context = f"{error.context}, " if error.context else ""
    return FhirstackError(
        f"not YAML: {context}{problem}", where=where, remedy="mend it here or on the line above"
    )


class _Reader:
    """Turns PyYAML's nodes into ours and gathers what is wrong on the way."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.errors: list[FhirstackError] = []
        self.count = 0

    def error(self, node: yaml.Node, what: str, remedy: str) -> None:
        place = _place(node)
        self.errors.append(
            FhirstackError(what, where=f"{self.file}:{place.line}:{place.column}", remedy=remedy)
        )

    def node(
        self, node: yaml.Node, path: tuple[Key, ...], key: Place, above: tuple[yaml.Node, ...]
    ) -> Node:
        """Return the tree under ``node``; ``above`` are the nodes that it stands in."""
        self.count += 1
        place = _place(node)
        if node in above:
            self.error(node, "an alias that contains itself", "write the value out instead")
            return Node(None, path, place, key)
        if self.count > _MOST_NODES:
            if self.count == _MOST_NODES + 1:
                self.error(node, f"more than {_MOST_NODES} values", "write fewer aliases instead")
            return Node(None, path, place, key)
        above = (*above, node)
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_CORE}map":
            return Node(self.mapping(node, path, above), path, place, key)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_CORE}seq":
            items = [
                self.node(item, (*path, index), _place(item), above)
                for index, item in enumerate(node.value)
            ]
            return Node(items, path, place, key)
        return Node(self.scalar(node), path, place, key)

    def mapping(
        self, node: yaml.MappingNode, path: tuple[Key, ...], above: tuple[yaml.Node, ...]
    ) -> dict[str, Node]:
        own: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == f"{_CORE}null":
                self.error(key, "a key must be text", "write a name instead")
            elif key.tag == f"{_CORE}merge":
                sources = value.value if isinstance(value, yaml.SequenceNode) else [value]
                for source in sources:
                    if not isinstance(source, yaml.MappingNode):
                        self.error(source, "`<<` takes keys and values", "write an alias instead")
                        continue
                    found = self.node(source, path, _place(key), above).value
                    merged = {**(found if isinstance(found, dict) else {}), **merged}
            elif key.value in own:
                first = own[key.value].key
                self.error(
                    key,
                    f"{show_path((*path, key.value))}: the key stands twice",
                    f"remove one of them; the first is at line {first.line}",
                )
            else:
                own[key.value] = self.node(value, (*path, key.value), _place(key), above)
        return {**merged, **own}

    def scalar(self, node: yaml.Node) -> str | bool | None:
        value: str = node.value if isinstance(node, yaml.ScalarNode) else ""
        if node.tag == f"{_CORE}null":
            return None
        if node.tag == f"{_CORE}bool":
            return value.lower() in {"yes", "true", "on"}
        if node.tag not in _TEXT_TAGS or not isinstance(node, yaml.ScalarNode):
            tag = node.tag.replace(_CORE, "!!")
            self.error(node, f"the tag {tag} is not known", "write the value without a tag instead")
        return value
