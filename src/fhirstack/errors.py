"""Every error of fhirstack, and the exit code that each one means.

Exit codes: 0 nothing to do, all well; 1 differences, or a check failed; 2 wrong usage or an
invalid site; 3 something could not be reached or could not be made.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command tells the shell."""

    OK = 0
    DIFFERENCES = 1
    USAGE = 2
    UNREACHABLE = 3
    INTERRUPTED = 130


class FhirstackError(Exception):
    """An error that a person can act on: what, where, and the remedy."""

    exit_code = ExitCode.UNREACHABLE

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.what}" if self.where else self.what]
        if self.remedy:
            lines.append(f"  {self.remedy}")
        return "\n".join(lines)


class UsageError(FhirstackError):
    """The command line cannot be carried out as it was written."""

    exit_code = ExitCode.USAGE


class SiteError(FhirstackError):
    """The site file is invalid. Holds every error of the file, not the first only."""

    exit_code = ExitCode.USAGE

    def __init__(self, errors: list[FhirstackError]) -> None:
        super().__init__(f"{len(errors)} error{'s' if len(errors) != 1 else ''} in the site file")
        self.errors = errors

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


class UnreachableError(FhirstackError):
    """A service, host or registry did not answer, or a program failed."""


class CheckFailedError(FhirstackError):
    """Something was looked at and is not as it must be."""

    exit_code = ExitCode.DIFFERENCES
