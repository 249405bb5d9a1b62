"""What others made on hosts, and the site knows of: told no more."""

from pydantic import Field

from fhirstack.model.base import Model


class Acceptance(Model):
    """Something that is only told (``report``) of hosts, and is known, with the reason."""

    what: str = Field(
        min_length=1,
        description="Its address, as `drift` shows it; * and ? stand for others",
        examples=["file:/etc/cron.d/backup"],
    )
    hosts: tuple[str, ...] = Field(
        default=(),
        description="Names or roles of the hosts where it is known; all where none is given",
        examples=["[database]"],
    )
    reason: str = Field(
        min_length=10,
        description="Why it may stay; shown with `--all`",
        examples=["the data centre's own backup, agreed with them"],
    )
