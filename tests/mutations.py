"""Requests that are almost good: what a broken app, a bad line or somebody who tries would send.

Pure: the same seed gives the same requests.
"""

import copy
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

JSON = "application/fhir+json"


@dataclass(frozen=True)
class Sent:
    """A body as bytes, the headers it is sent with, and what was done to it."""

    body: bytes
    change: str
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": JSON})


def mutated(document: dict[str, Any], foreign: dict[str, Any], seed: int) -> Sent:
    """Return a document with one to three changes.

    ``foreign`` is what somebody would put in to reach others' data: a tag, a reference that
    searches.
    """
    random = Random(seed)  # noqa: S311
    tree, foreign = copy.deepcopy((document, foreign))
    done = []
    for _ in range(random.choice((1, 1, 1, 3))):
        change = random.choice(TREE)
        nodes = list(_objects(tree))
        change(random.choice(nodes), random, foreign)
        done.append(change.__name__.strip("_"))
    text = json.dumps(tree, ensure_ascii=random.random() < 0.5)
    sent = Sent(text.encode("utf-8", "surrogatepass"), " ".join(done))
    if random.random() < 0.3:
        change = random.choice(BYTES)
        sent = change(sent, random)
    return sent


def _objects(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if node:
            yield node
        for value in node.values():
            yield from _objects(value)
    elif isinstance(node, list):
        for value in node:
            yield from _objects(value)


def _in_a_list(node: dict[str, Any], random: Random, foreign: dict[str, Any]) -> None:
    key = random.choice(list(node))
    node[key] = [node[key]] if random.random() < 0.7 else [[node[key]]]


def _out_of_its_list(node: dict[str, Any], random: Random, foreign: dict[str, Any]) -> None:
    lists = [key for key, value in node.items() if isinstance(value, list) and value]
    for key in lists[:1]:
        node[key] = node[key][0]


def _other_kind(node: dict[str, Any], random: Random, foreign: dict[str, Any]) -> None:
    values: list[Any] = [None, True, 5, "5", "", [], {}, -0.0, 1e300, "\u00a0 x \t", "2026-13-45"]
    values += [10**80, "x" * 5000, "\ud800", "\x00", "\x07", "🙂" * 300, "'; --", "${jndi:x}"]
    node[random.choice(list(node))] = random.choice(values)


def _other_letters(node: dict[str, Any], random: Random, foreign: dict[str, Any]) -> None:
    key = random.choice(list(node))
    node[random.choice((key.upper(), key.capitalize(), key + " ", key + "\u200b"))] = node.pop(key)


def _beside(node: dict[str, Any], random: Random, foreign: dict[str, Any]) -> None:
    key = random.choice(list(node))
    node[f"_{key}"] = random.choice(
        (
            copy.deepcopy(node[key]),
            {"id": "a"},
            [None, {"id": "a"}],
            {"extension": [{"url": "u"}]},
            "x",
        )
    )
    if random.random() < 0.5:
        del node[key]


def _itself_inside(node: dict[str, Any], random: Random, foreign: dict[str, Any]) -> None:
    key = random.choice(list(node))
    for _ in range(random.choice((1, 3, 150))):
        node[key] = {key: node[key]}


def _foreign_tag(node: dict[str, Any], random: Random, foreign: dict[str, Any]) -> None:
    tag = dict(foreign["tag"])
    tags = node.setdefault("meta", {})
    if isinstance(tags, dict):
        own = tags.get("tag", [])
        tags["tag"] = random.choice(
            (
                [own, [tag]],
                {**tag},
                [*own, {"system": [tag["system"]], "code": tag["code"]}] if own else tag,
                [*own, {"system": tag["system"], "code": [tag["code"]]}] if own else tag,
                [*own, {"system": tag["system"], "code": f" {tag['code']} "}] if own else tag,
            )
        )


def _foreign_reference(node: dict[str, Any], random: Random, foreign: dict[str, Any]) -> None:
    search = foreign["search"]
    value = random.choice((search, [search], [[search]], {"value": search}, f"http://x/{search}"))
    place = random.choice(("subject", "reference", "extension", "subjectResource", "contained"))
    node[place] = {
        "subject": {"reference": value},
        "reference": value,
        "extension": [{"url": "u", "valueReference": {"reference": value}}],
        "subjectResource": {"reference": value},
        "contained": [{"resourceType": "Group", "id": "g", "managingEntity": {"reference": value}}],
    }[place]


def _other_type(node: dict[str, Any], random: Random, foreign: dict[str, Any]) -> None:
    node["resourceType"] = random.choice(("Patient", "Bundle", "Binary", "Reference", "x", ["y"]))


def _without(node: dict[str, Any], random: Random, foreign: dict[str, Any]) -> None:
    del node[random.choice(list(node))]


def _a_number_that_is_none(sent: Sent, random: Random) -> Sent:
    number = random.choice(
        ("1e400", "1e2147483648", "-1e-400", "NaN", "Infinity", "01", "1" * 2000)
    )
    return Sent(_put_in(sent.body, f'"valueInteger":{number},'), f"{sent.change} {number[:12]}")


def _a_key_twice(sent: Sent, random: Random) -> Sent:
    return Sent(_put_in(sent.body, '"id":"a","i\\u0064":"b",'), f"{sent.change} twice")


def _a_comment(sent: Sent, random: Random) -> Sent:
    return Sent(_put_in(sent.body, random.choice(("/* */", "// x\n", "#\n"))), sent.change)


def _not_text(sent: Sent, random: Random) -> Sent:
    at = random.randrange(len(sent.body))
    wrong = random.choice((b"\xed\xa0\x80", b"\xff", b"\x00", b"\xc3", b"\xf5\x80\x80\x80"))
    return Sent(sent.body[:at] + wrong + sent.body[at:], f"{sent.change} bytes at {at}")


def _cut(sent: Sent, random: Random) -> Sent:
    return Sent(sent.body[: random.randrange(len(sent.body))], f"{sent.change} cut")


def _deep(sent: Sent, random: Random) -> Sent:
    depth = random.choice((150, 1100, 20_000))
    return Sent(_put_in(sent.body, '"extension":' + "[" * depth + "]" * depth + ","), "deep")


def _marked(sent: Sent, random: Random) -> Sent:
    return Sent(b"\xef\xbb\xbf" + sent.body, f"{sent.change} byte order mark")


def _packed(sent: Sent, random: Random) -> Sent:
    packed = gzip.compress(sent.body, mtime=0)
    whole = random.random() < 0.4
    body = packed if whole else packed[: random.randrange(1, len(packed))]
    headers = {"Content-Type": JSON, "Content-Encoding": "gzip"}
    return Sent(body, f"{sent.change} {'gzip' if whole else 'cut gzip'}", headers)


def _wrongly_named(sent: Sent, random: Random) -> Sent:
    headers = random.choice(
        (
            {"Content-Type": JSON, "Content-Encoding": "gzip"},
            {"Content-Type": JSON, "Content-Encoding": "br"},
            {"Content-Type": f"{JSON};charset=utf-16"},
            {"Content-Type": "application/fhir+xml"},
            {"Content-Type": "text/plain"},
        )
    )
    return Sent(sent.body, f"{sent.change} {headers}", headers)


def _put_in(body: bytes, text: str) -> bytes:
    """Put text behind the first brace."""
    at = body.find(b"{") + 1
    return body[:at] + text.encode() + body[at:]


TREE = (
    _in_a_list,
    _in_a_list,
    _out_of_its_list,
    _other_kind,
    _other_kind,
    _other_letters,
    _beside,
    _itself_inside,
    _foreign_tag,
    _foreign_reference,
    _foreign_reference,
    _other_type,
    _without,
)
BYTES = (
    _a_number_that_is_none,
    _a_key_twice,
    _a_comment,
    _not_text,
    _cut,
    _deep,
    _marked,
    _packed,
    _wrongly_named,
)
