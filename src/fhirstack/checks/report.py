"""Results as JUnit XML and JSON, for machines."""

import json
from collections import Counter
from collections.abc import Iterable
from xml.etree.ElementTree import Element, SubElement, tostring

from fhirstack.checks.check import Result
from fhirstack.page.results import Verdict


def as_json(results: Iterable[Result]) -> str:
    """Return the results as a JSON list."""
    return json.dumps([result.as_dict() for result in results], indent=2, ensure_ascii=False)


def as_junit(results: list[Result], environment: str) -> str:
    """Return the results as one JUnit test suite."""
    counts = count(results)
    suite = Element(
        "testsuite",
        name=f"fhirstack verify {environment}",
        tests=str(len(results)),
        failures=str(counts[Verdict.FAILED]),
        skipped=str(counts[Verdict.SKIPPED]),
        errors="0",
        time=f"{sum(result.seconds for result in results):.3f}",
    )
    for result in results:
        case = SubElement(
            suite,
            "testcase",
            classname=result.check.requirement,
            name=f"{result.check.id}: {result.check.title}",
            time=f"{result.seconds:.3f}",
        )
        if result.verdict is Verdict.FAILED:
            SubElement(case, "failure", message=_clean(result.evidence))
        elif result.verdict is Verdict.SKIPPED:
            SubElement(case, "skipped", message=_clean(result.evidence))
        else:
            SubElement(case, "system-out").text = _clean(result.evidence)
    return tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def count(results: Iterable[Result]) -> Counter[Verdict]:
    """Return how many results have each verdict."""
    return Counter(result.verdict for result in results)


def _clean(text: str) -> str:
    """Drop what XML 1.0 cannot hold."""
    return "".join(c for c in text if c in "\t\n" or ord(c) >= 32)
