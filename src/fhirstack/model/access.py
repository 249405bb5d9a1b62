"""How the tool and people get in to the hosts: accounts and keys of SSH."""

import base64
import binascii
from typing import Annotated

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from fhirstack.model.base import Model
from fhirstack.model.types import AccountName, Port

KEY_TYPES = (
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "ssh-rsa",
)
LEAST_RSA_BITS = 2048
"""NIST SP 800-131A; sshd is told the same."""
_EXAMPLE = '"ssh-ed25519 AAAA… ann@laptop"'


def _public_key(value: str) -> str:
    """Return the key without its surrounding space. Options before the type are refused."""

    def refuse(kind: str) -> PydanticCustomError:
        context = {"kind": kind, "write": f"a line of a .pub file, such as {_EXAMPLE}"}
        return PydanticCustomError("form", "not {kind}: write {write}", context)

    words = value.split()
    if len(words) < 2 or len(value.splitlines()) != 1 or words[0] not in KEY_TYPES:
        raise refuse(f"a public key of a known type ({', '.join(KEY_TYPES)})")
    try:
        base64.b64decode(words[1], validate=True)
        key = load_ssh_public_key(f"{words[0]} {words[1]}".encode())
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        raise refuse("a whole public key") from None
    if isinstance(key, RSAPublicKey) and key.key_size < LEAST_RSA_BITS:
        raise refuse(f"an RSA key of {LEAST_RSA_BITS} bits or more")
    return " ".join(words)


PublicKey = Annotated[str, AfterValidator(_public_key)]


class Administrator(Model):
    """A person with an account of their own on every host, and sudo."""

    name: AccountName = Field(description="The account's name", examples=["ann"])
    keys: tuple[PublicKey, ...] = Field(
        min_length=1, description="Public keys of OpenSSH", examples=[f"[{_EXAMPLE}]"]
    )


class Access(Model):
    """How the tool gets in, and who else."""

    user: AccountName = Field(
        default="fhirstack", description="The account on every host; sudo without a password"
    )
    port: Port = Field(
        default=22, description="Where sshd listens on every host, from before the first apply on"
    )
    identity: str | None = Field(
        default=None,
        min_length=1,
        description="The private key for SSH, relative to the site file; none: the agent's",
        examples=["keys/site"],
    )
    ssh_config: str | None = Field(
        default=None,
        min_length=1,
        description="A further configuration of OpenSSH, relative to the site file",
        examples=["ssh_config"],
    )
    keys: tuple[PublicKey, ...] = Field(
        default=(), description="Public keys of `user`; none: those already there are kept"
    )
    administrators: tuple[Administrator, ...] = Field(
        default=(), description="People with an account of their own"
    )

    confirm_seconds: int = Field(
        default=60,
        ge=10,
        le=600,
        description="How long a host waits before it undoes a firewall that shuts the tool out",
    )

    @property
    def accounts(self) -> tuple[str, ...]:
        """Everyone who may log in, the tool's account first."""
        return (self.user, *(person.name for person in self.administrators))
