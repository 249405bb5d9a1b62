"""Following the `next` links of a search or a history, one page ahead of its reader."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from . import links
from .ahead import Ahead
from .bundle import HistoryBundle, SearchBundle
from .client import Answer, FhirClient
from .errors import LinkError

B = TypeVar("B", SearchBundle, HistoryBundle)


class Pages:
    """Pages below one base URL."""

    def __init__(self, client: FhirClient, base: str) -> None:
        self._client, self._base = client, base

    def follow(
        self,
        path: str,
        query: str,
        parse: Callable[[bytes], B],
        *,
        limit: int,
        salvage: Callable[[bytes], B] | None = None,
    ) -> Iterator[Answer[B]]:
        """Each page in turn, beginning at `path?query` below the base.

        The next page is on its way while the present one is used. Raise LinkError where links
        lead in a circle or to another place, and what FhirClient.get raises.
        """

        def ask(url: str) -> Ahead[Answer[B]]:
            get = self._client.get
            return Ahead(lambda: get(url, parse, limit=limit, salvage=salvage))

        url = f"{self._base}/{path}?{query}"
        seen = {hash(url)}
        own_name: str | None = None
        ahead = ask(url)
        while True:
            answer = ahead.result()
            own_name = own_name or links.server_base(answer.value.url("self"), path)
            link = answer.value.url("next")
            if link is None:
                yield answer
                return
            problem: LinkError | None = None
            try:
                url = links.follow(link, self._base, own_name)
                if hash(url) in seen:
                    raise LinkError(
                        f"GET {links.shown(answer.url)}: the next page is one that was read "
                        f"before, {links.shown(url)}"
                    )
                seen.add(hash(url))
                ahead = ask(url)
            except LinkError as error:
                problem = error
            yield answer
            if problem:
                raise problem
