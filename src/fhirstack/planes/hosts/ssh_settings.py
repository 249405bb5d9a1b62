"""Every setting of OpenSSH's client: whether it is ours, or the person's own holds.

OpenSSH takes the first value that it finds, so ours stand before the person's configuration is
included. A setting that ends a command, takes its input, hides what ssh says, or leads elsewhere
is ours; what a person's organisation decides (cryptography, proxies, agents) stays theirs. The two
tables name each keyword of ssh_config(5): a test compares them with the manual.
"""

import base64
import binascii
from pathlib import Path

OURS = {
    # How a session is: a command's, with its input and output, and nothing beside it.
    "RemoteCommand": "none",
    "SessionType": "default",
    "StdinNull": "no",
    "ForkAfterAuthentication": "no",
    "RequestTTY": "auto",
    "PermitLocalCommand": "no",
    "LocalCommand": "none",
    "EnableEscapeCommandline": "no",
    # No tunnels: one that cannot be made would end the command.
    "ClearAllForwardings": "yes",
    "ExitOnForwardFailure": "no",
    "Tunnel": "no",
    "TunnelDevice": "any:any",
    "GatewayPorts": "no",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "ForwardX11Trusted": "no",
    # What ssh says is read, and told.
    "LogLevel": "INFO",
    "LogVerbose": "none",
    "VisualHostKey": "no",
    "FingerprintHash": "sha256",
    # Which machine it is: by its key, in a file of the environment's own.
    "AddressFamily": "any",
    "CanonicalizeHostname": "no",
    "GlobalKnownHostsFile": "/dev/null",
    "KnownHostsCommand": "none",
    "StrictHostKeyChecking": "yes",
    "UpdateHostKeys": "no",
    "CheckHostIP": "no",
    "HashKnownHosts": "no",
    "VerifyHostKeyDNS": "no",
    "NoHostAuthenticationForLocalhost": "no",
    # A list that begins with "-" leaves the order to the keys that are known.
    "HostKeyAlgorithms": "-ssh-rsa,ssh-dss",
    # Who comes.
    "PubkeyAuthentication": "yes",
    "PreferredAuthentications": (
        "gssapi-with-mic,hostbased,publickey,keyboard-interactive,password"
    ),
    "AddKeysToAgent": "no",
    "BatchMode": "no",  # `-o BatchMode=yes` comes before the file.
    # How long is waited.
    "ConnectionAttempts": "1",
    "ServerAliveInterval": "10",
    "ServerAliveCountMax": "3",
    "TCPKeepAlive": "yes",
    "ControlMaster": "auto",
    "IgnoreUnknown": "*",  # Words of an older, newer or patched ssh, in whichever file.
}
"""The same for every machine."""

OF_A_MACHINE = frozenset(
    {"Host", "Hostname", "HostKeyAlias", "Port", "User", "ProxyJump", "UserKnownHostsFile"}
    | {"ControlPath", "ControlPersist", "ConnectTimeout", "IdentityFile", "IdentitiesOnly"}
    | {"Include"}
)
"""Ours too, from the site. ``ProxyJump`` keeps a ``ProxyCommand`` of the person's away from all
machines but the first on the way."""

THEIRS = frozenset(
    # The way to the first machine.
    {"ProxyCommand", "ProxyUseFdpass", "BindAddress", "BindInterface", "Match"}
    # Keys: where they are kept, and which are no longer trusted.
    | {"CertificateFile", "IdentityAgent", "PKCS11Provider", "SecurityKeyProvider"}
    | {"RevokedHostKeys", "EnableSSHKeysign", "HostbasedAuthentication"}
    | {"PasswordAuthentication", "NumberOfPasswordPrompts"}
    | {"KbdInteractiveAuthentication", "KbdInteractiveDevices"}
    | {"GSSAPIAuthentication", "GSSAPIClientIdentity", "GSSAPIDelegateCredentials"}
    | {"GSSAPIKeyExchange", "GSSAPIRenewalForcesRekey", "GSSAPIServerIdentity"}
    | {"GSSAPITrustDns", "GSSAPIKexAlgorithms"}
    # Cryptography that an organisation allows.
    | {"CASignatureAlgorithms", "Ciphers", "KexAlgorithms", "MACs", "RequiredRSASize"}
    | {"PubkeyAcceptedAlgorithms", "HostbasedAcceptedAlgorithms", "RekeyLimit"}
    # Nothing without a terminal, a tunnel, or what is switched off above.
    | {"EscapeChar", "ForwardX11Timeout", "XAuthLocation", "PermitRemoteOpen"}
    | {"LocalForward", "RemoteForward", "DynamicForward"}
    | {"StreamLocalBindMask", "StreamLocalBindUnlink"}
    | {"CanonicalDomains", "CanonicalizeFallbackLocal", "CanonicalizeMaxDots"}
    | {"CanonicalizePermittedCNAMEs"}
    # How bytes travel, and what the server may be told; a host of ours takes no variable.
    | {"Compression", "IPQoS", "SendEnv", "SetEnv", "SyslogFacility"}
    # Of newer releases: padding of what is typed, names for Match, idle channels, versions.
    | {"ObscureKeystrokeTiming", "Tag", "ChannelTimeout", "VersionAddendum", "WarnWeakCrypto"}
    | {"RefuseConnection"}
)


def lines() -> list[str]:
    """Return our settings as lines of a ``Host`` block. Unknown words are allowed first."""
    first = "IgnoreUnknown"
    return [
        f"  {first} {OURS[first]}",
        *(f"  {key} {value}" for key, value in OURS.items() if key != first),
    ]


def needs_agent(identity: Path) -> bool:
    """Return whether a key can be used by way of an agent alone, or may be.

    A public key stands for one that an agent, or a security key behind one, holds; a private key
    with a passphrase is asked of nobody here. Where a file tells neither, an agent may help.
    """
    try:
        text = identity.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return True
    body = "".join(line for line in text.splitlines() if line and not line.startswith("-----"))
    if text.startswith("-----BEGIN OPENSSH PRIVATE KEY-----"):
        # PROTOCOL.key: a name that ends with a zero, then the cipher's with its length before it.
        try:
            content = base64.b64decode(body, validate=True)
        except (ValueError, binascii.Error):
            return True
        return not content.startswith(b"openssh-key-v1\0\0\0\0\4none")
    return not text.startswith("-----BEGIN ") or "ENCRYPTED" in text
