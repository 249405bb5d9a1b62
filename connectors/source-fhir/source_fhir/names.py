"""Names: a FHIR type and its stream."""

import re

RESOURCE_IDS = "resource_ids"
_TYPE = re.compile(r"[A-Z][A-Za-z]{1,63}\Z")
_STREAM = re.compile(r"[a-z]+(?:_[a-z]+)*\Z")


def stream_of(resource_type: str) -> str:
    """`QuestionnaireResponse` gives `questionnaire_response`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", resource_type).lower()


def type_of(stream: str) -> str | None:
    """`questionnaire_response` gives `QuestionnaireResponse`; None if it is no stream's name."""
    if stream == RESOURCE_IDS or not _STREAM.match(stream):
        return None
    return "".join(word.capitalize() for word in stream.split("_"))


def is_type(name: str) -> bool:
    """Whether `name` looks like a FHIR resource type, and so is safe in a URL."""
    return bool(_TYPE.match(name))
