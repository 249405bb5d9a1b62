"""Names of tables: snake_case, at most 63 bytes, and nothing in them that needs escaping."""

import hashlib
import re

LONGEST = 63
_DIGEST = 8
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_OTHER = re.compile(r"[^a-z0-9_]+")


def table_name(stream: str) -> str:
    """Return the table of a stream: ``QuestionnaireResponse`` → ``questionnaire_response``.

    PostgreSQL cuts longer names silently, so two of them could meet in one table: a long name is
    cut here and ends with a digest of the whole. Raises ValueError when nothing usable is left.
    """
    name = _OTHER.sub("_", _HUMP.sub("_", stream).lower())
    if not name.strip("_"):
        raise ValueError(f"the stream name {stream!r} has no letter or digit to name a table by")
    if len(name) > LONGEST:
        digest = hashlib.sha256(stream.encode(errors="replace")).hexdigest()[:_DIGEST]
        name = f"{name[: LONGEST - _DIGEST - 1]}_{digest}"
    return name
