"""The floor: the pages that source-fhir reads, asked for in its way and thrown away.

Runs with the connectors' Python. Prints resources, bytes and seconds; with ``--keep`` it also
keeps each page as a file, its links below ``--served-at``, for ``bench/sync_pages.py`` to serve.
"""

import argparse
import hashlib
import json
import re
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx

_NEXT = re.compile(rb'"relation":\s*"next",\s*"url":\s*"([^"]+)"')
_ENTRY = re.compile(rb'"fullUrl"')


def main() -> None:
    """Read every type of the source's configuration to its end."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--config", type=Path, required=True)
    options.add_argument("--keep", type=Path)
    options.add_argument("--served-at", default="")
    chosen = options.parse_args()
    config = json.loads(chosen.config.read_text())
    trust = ssl.create_default_context(cafile=config.get("ca_file"))
    headers = {"Accept": "application/fhir+json"}
    if config["auth"]["type"] == "oauth2":
        auth = config["auth"]
        form = {key: auth[key] for key in ("client_id", "client_secret")}
        answer = httpx.post(
            auth["token_url"], data={"grant_type": "client_credentials", **form}, verify=trust
        )
        headers["Authorization"] = f"Bearer {answer.raise_for_status().json()['access_token']}"
    base = config["base_url"]
    resources = size = 0
    with (
        httpx.Client(verify=trust, headers=headers, timeout=120) as client,
        ThreadPoolExecutor(config.get("parallel_streams", 2)) as pool,
    ):

        def read(kind: str) -> tuple[int, int]:
            count = config.get("page_sizes", {}).get(kind, 20 if kind == "Binary" else 1000)
            count = config.get("page_size", count) if kind != "Binary" else count
            query = f"_sort=_lastUpdated&_count={count}&_total=none&_pretty=false"
            url, seen, length = f"{base}/{kind}?{query}", 0, 0
            while url:
                page = client.get(url, headers={"Cache-Control": "no-cache"})
                body = page.raise_for_status().content
                seen += len(_ENTRY.findall(body))
                length += len(body)
                if chosen.keep:
                    served = body.replace(base.encode(), chosen.served_at.encode())
                    chosen.keep.joinpath(file_name(url)).write_bytes(served)
                following = _NEXT.search(body, 0, 4096)
                url = following[1].decode().replace("\\u0026", "&") if following else ""
            return seen, length

        if chosen.keep:
            statement = client.get(f"{base}/metadata").raise_for_status().content
            chosen.keep.joinpath(file_name(f"{base}/metadata")).write_bytes(statement)
        began = time.perf_counter()
        for seen, length in pool.map(read, config["resource_types"]):
            resources += seen
            size += length
    seconds = time.perf_counter() - began
    print(json.dumps({"resources": resources, "bytes": size, "seconds": seconds}))


def file_name(url: str) -> str:
    """Return the name of a kept page's file."""
    parts = urlsplit(url)
    return hashlib.sha256(f"{parts.path}?{parts.query}".encode()).hexdigest()


if __name__ == "__main__":
    main()
