"""The three OAuth2 clients, flag by flag, and token lifetimes."""

from collections import Counter

from fhirstack.model.site import Clients, Environment, Site
from fhirstack.page.checks.registry import Check, check
from fhirstack.page.requirements import ClientFlag, requirements
from fhirstack.page.results import Finding, failed, judge, ok

_MOST_ACCESS_MINUTES = 15


def _flag(wanted: ClientFlag) -> Check:
    def flag(_: Site, environment: Environment) -> Finding:
        client = getattr(environment.realm.clients, wanted.name)
        value: bool = getattr(client, wanted.flag)
        evidence = f"{client.id}: {wanted.flag} is {str(value).lower()}"
        return ok(evidence) if value is wanted.value else failed(evidence)

    return flag


for _requirement in requirements():
    if _requirement.client:
        check(_requirement.id)(_flag(_requirement.client))


@check("client.service-account-scope")
def service_account_scope(_: Site, environment: Environment) -> Finding:
    """Check that the pipelines' client has a service account, and no other client has."""
    clients = environment.realm.clients
    having = [name for name in Clients.model_fields if getattr(clients, name).service_account]
    problems = [] if having == ["pipelines"] else [f"on for: {', '.join(having) or 'none'}"]
    return judge(problems, f"on for {clients.pipelines.id} alone")


@check("client.separate")
def separate(_: Site, environment: Environment) -> Finding:
    """Check that the three clients have three ids."""
    clients = environment.realm.clients
    counted = Counter(getattr(clients, name).id for name in Clients.model_fields)
    problems = [f"{name} is of {count} clients" for name, count in counted.items() if count > 1]
    return judge(problems, ", ".join(counted))


@check("client.android.no-secret")
def no_secret(_: Site, environment: Environment) -> Finding:
    """Check that the app's client is public: it has no secret that an APK could hold."""
    client = environment.realm.clients.android
    if client.public and not client.service_account:
        return ok(f"{client.id} is public: there is no secret to store")
    return failed(f"{client.id} has a secret, which an APK would have to hold")


@check("tokens.access")
def access_tokens(_: Site, environment: Environment) -> Finding:
    """Check that access tokens expire soon after a user is dismissed."""
    minutes = environment.realm.tokens.access_minutes
    problems = (
        [f"{minutes} minutes, at most {_MOST_ACCESS_MINUTES} are advised"]
        if minutes > _MOST_ACCESS_MINUTES
        else []
    )
    return judge(problems, f"{minutes} minutes")


@check("tokens.sessions")
def sessions(_: Site, environment: Environment) -> Finding:
    """Check that a session's idle time fits into its whole time."""
    tokens = environment.realm.tokens
    idle, whole = tokens.session_idle_days, tokens.session_max_days
    problems = [f"idle {idle} days, but {whole} in all"] if idle > whole else []
    return judge(problems, f"idle {idle} days, {whole} in all")
