"""FHIR instants, kept to the millisecond, which is what searches are asked in."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

MILLISECOND = timedelta(milliseconds=1)


def parse(text: str | None) -> datetime | None:
    """Return the moment of a FHIR instant, which has a time and a zone; None if it is not one."""
    if not text or len(text) < 20:
        return None
    try:
        moment = datetime.fromisoformat(text)
        # Near the ends of time there is none in UTC.
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def parse_http_date(text: str | None) -> datetime | None:
    """Return the moment of an HTTP `Date` or `Retry-After` header; None if it is not one."""
    if not text:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def text(moment: datetime) -> str:
    """As `2026-11-23T14:00:00.123Z`, cut (not rounded) to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def just_after(moment: datetime) -> datetime:
    """Return the first millisecond that is later than the one `moment` lies in."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000) + MILLISECOND


def now() -> datetime:
    """Return this machine's time, in UTC."""
    return datetime.now(UTC)
