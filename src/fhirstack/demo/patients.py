"""The demo's patients, as one transaction for each household."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from fhirstack.demo import synthea
from fhirstack.demo.fhir import Bundle, Progress, silent, transaction
from fhirstack.demo.households import household, household_sizes
from fhirstack.demo.places import Team, teams
from fhirstack.demo.tagging import read_bundle
from fhirstack.errors import UnreachableError

DEFAULT_SEED = 20260101


def patients(
    n: int,
    seed: int = DEFAULT_SEED,
    *,
    options: synthea.Options = synthea.DEFAULT_OPTIONS,
    progress: Progress = silent,
) -> Iterator[Bundle]:
    """Yield the transactions of exactly ``n`` living patients, one household at a time.

    Synthea runs when the first bundle is asked for, unless its patients are in the cache. No
    more than one household is in memory. Raises what ``synthea.population`` raises.
    """
    files = synthea.population(n, seed, options, progress)
    yield from households(files, seed, teams())


def bundle_count(n: int, seed: int = DEFAULT_SEED) -> int:
    """Return how many transactions ``patients`` yields."""
    return sum(1 for _ in household_sizes(n, seed))


def households(files: Sequence[Path], seed: int, teams: Sequence[Team]) -> Iterator[Bundle]:
    """Yield a transaction for each household made of these Synthea files, in their order."""
    start = 0
    for index, size in enumerate(household_sizes(len(files), seed)):
        members = [_read(file) for file in files[start : start + size]]
        start += size
        resources = household(members, index=index, seed=seed, teams=teams)
        yield transaction(resources, name=f"household-{seed}-{index}")


def _read(file: Path) -> Bundle:
    try:
        return read_bundle(file.read_bytes())
    except (OSError, ValueError) as error:
        raise UnreachableError(
            f"cannot be read: {error}", where=str(file), remedy=f"Delete {file.parent}."
        ) from error
