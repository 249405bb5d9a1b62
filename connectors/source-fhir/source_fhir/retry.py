"""How long to wait before a request is made again."""

import random
from dataclasses import dataclass
from datetime import datetime

from . import times

RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Backoff:
    """Exponential with jitter: `base` seconds, doubled at each attempt, at most `limit` seconds."""

    base: float
    limit: float

    def delay(self, attempt: int, retry_after: float | None = None) -> float:
        """Seconds to wait after the failed `attempt` (from 1). The server's wish is a minimum."""
        window = min(self.limit, self.base * 2.0 ** (attempt - 1))
        own = window * (0.5 + random.random() / 2)  # noqa: S311 - jitter, not a secret
        return own if retry_after is None else min(self.limit, max(own, retry_after))


def retry_after(header: str | None, date: datetime | None) -> float | None:
    """Seconds of a `Retry-After` header (RFC 9110, 10.2.3), which is a number or a date.

    A date is compared with the server's own `date`, so that clocks may differ.
    """
    if header is None:
        return None
    if header.strip().isdigit():
        return float(header)
    moment = times.parse_http_date(header)
    return max(0.0, (moment - (date or times.now())).total_seconds()) if moment else None
