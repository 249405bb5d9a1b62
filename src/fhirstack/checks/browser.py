"""A real browser for checks: headless Chromium that trusts the platform's authority.

Everything of it is thrown away afterwards. TLS is verified as for any visitor: the authority is in
an NSS database of the browser's own home, where Chromium looks for authorities that were added.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fhirstack.checks.check import FailedError, SkippedError
from fhirstack.checks.session import Session

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Error, Page

START_SECONDS = 120
STEP_SECONDS = 90
"""A page, a click or a wait takes no longer, on a busy machine too; the evidence names it."""

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--no-proxy-server",
)


@contextmanager
def browser(session: Session, *flags: str) -> Iterator["BrowserContext"]:
    """Open a browser with an empty profile. ``flags`` are further arguments of Chromium.

    Raises SkippedError where no browser can be opened, and FailedError for what goes wrong in it
    inside of the block.
    """
    try:
        from playwright.sync_api import Error, sync_playwright  # noqa: PLC0415 - it is optional
    except ImportError as error:
        raise SkippedError("the Python package playwright is not installed") from error
    program = _program()
    with tempfile.TemporaryDirectory(prefix="fhirstack-browser-") as home:
        environment = _environment(Path(home), session.authority)
        with sync_playwright() as playwright:
            try:
                opened = playwright.chromium.launch(
                    executable_path=program,
                    headless=True,
                    # Chromium's own sandbox cannot be made by root.
                    chromium_sandbox=os.geteuid() != 0,
                    args=[*_FLAGS, *flags],
                    env=dict(environment),
                    timeout=START_SECONDS * 1000,
                )
            except Error as error:
                raise SkippedError(f"Chromium does not start: {_first_line(error)}") from error
            try:
                context = opened.new_context()
                context.set_default_timeout(STEP_SECONDS * 1000)
                yield context
            except Error as error:
                raise FailedError(f"in the browser: {_first_line(error)}") from error
            finally:
                opened.close()


def _first_line(error: "Error") -> str:
    return str(error.message).partition("\n")[0]


def _program() -> str:
    for name in _PROGRAMS:
        if found := shutil.which(name):
            return found
    raise SkippedError("Chromium is not installed (Debian: apt-get install chromium)")


def _environment(home: Path, authority: Path | None) -> Mapping[str, str]:
    """Return the browser's environment, with a home in which the authority is trusted."""
    if authority is not None:
        tool = shutil.which("certutil")
        if tool is None:
            raise SkippedError("certutil is not installed (Debian: apt-get install libnss3-tools)")
        database = home / ".pki/nssdb"
        database.mkdir(parents=True)
        store = ["-d", f"sql:{database}"]
        # C: it may sign servers' certificates, and nothing else.
        add = ["-A", *store, "-n", "fhirstack", "-t", "C,,", "-i", str(authority)]
        for command in ([tool, "-N", *store, "--empty-password"], [tool, *add]):
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=STEP_SECONDS, check=False
            )
            if done.returncode:
                raise SkippedError(f"certutil: {done.stderr.strip()[:200]}")
    return {
        "HOME": str(home),
        "TMPDIR": str(home),
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "LANG": "C.UTF-8",
    }


def keep_picture(session: Session, page: "Page", name: str) -> str:
    """Keep a picture of a page in the stack's directory, for its owner only.

    Returns evidence: where it is; where the platform has no directory here, that none was kept.
    """
    if session.local_root is None:
        return "no picture kept"
    directory = session.local_root / "verify"
    directory.mkdir(mode=0o700, exist_ok=True)
    path = directory / f"{name}.png"
    content = page.screenshot()
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
    return f"picture: {path}"


def fill_login(page: "Page", username: str, password: str) -> None:
    """Fill Keycloak's login form and send it."""
    page.locator("#username").fill(username)
    page.locator("#password").fill(password)
    page.locator("#kc-login").click()
