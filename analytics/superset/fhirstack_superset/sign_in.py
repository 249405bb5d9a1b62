"""Login by Keycloak alone: who has none of the mapped realm roles stays outside.

Authlib checks state, PKCE and nonce, and the ID token's signature, issuer and audience.
"""

import time
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import current_app, g, get_flashed_messages, redirect, session
from flask_appbuilder import expose
from flask_appbuilder.security.views import AuthOAuthView
from superset.security import SupersetSecurityManager
from werkzeug.wrappers import Response

from fhirstack_superset.accounts import person

PROVIDER = "keycloak"
_ID_TOKEN, _SIGNED_IN = "keycloak_id_token", "keycloak_signed_in"

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>No access</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{{font:16px/1.5 sans-serif;max-width:34em;margin:15vh auto;padding:0 1em;color:#222}}
a{{color:#1F6E9C}}</style></head>
<body><h1>No access to these dashboards</h1>
<p>{reason}</p>
<p><a href="/login/keycloak">Try again</a>, or <a href="/logout/">log out, or log in as somebody
else</a></p></body></html>
"""
_NO_ROLE = (
    "You are logged in, but your account has no role here. Ask your programme's administrator for "
    "the role SUPERSET_VIEWER, then log in again."
)
_INACTIVE = (
    "You are logged in, but your account here was switched off. Ask an administrator of these "
    "dashboards to make it active again."
)
_BROKEN_OFF = (
    "The log-in did not come to its end: it took too long, was begun in another window, or one of "
    "the servers did not answer. If it happens again, tell your programme's administrator when."
)


class KeycloakView(AuthOAuthView):
    """The login's way to Keycloak and back, and a log-out that ends Keycloak's session too."""

    @expose("/oauth-authorized/<provider>")
    def oauth_authorized(self, provider: str) -> Response:
        """Finish a login. Who does not get in is told why, and can leave."""
        response: Response = super().oauth_authorized(provider)
        if (
            urlsplit(response.location or "").path
            != urlsplit(self.appbuilder.get_url_for_login).path
        ):
            return response
        get_flashed_messages()
        page = _PAGE.format(reason=g.get("refused", _BROKEN_OFF))
        return Response(page, status=403, mimetype="text/html")

    @expose("/logout/")
    def logout(self) -> Response:
        """End this session, then Keycloak's: else the next visitor is logged in at once."""
        id_token = session.get(_ID_TOKEN)
        super().logout()
        session.clear()
        base = current_app.config["PUBLIC_BASE"] + "/"
        if not id_token:
            return redirect(base)
        remote = self.appbuilder.sm.oauth_remotes[PROVIDER]
        query = urlencode({"id_token_hint": id_token, "post_logout_redirect_uri": base})
        return redirect(f"{remote.load_server_metadata()['end_session_endpoint']}?{query}")


class KeycloakSecurityManager(SupersetSecurityManager):
    """Superset's security manager with one way in, and no SQL of those who only look."""

    authoauthview = KeycloakView
    register_superset_registeruser_view = False

    def register_views(self) -> None:
        """Leave out the forms by which people would register themselves without a login."""
        registration = current_app.config["AUTH_USER_REGISTRATION"]
        current_app.config["AUTH_USER_REGISTRATION"] = False
        try:
            super().register_views()
        finally:
            current_app.config["AUTH_USER_REGISTRATION"] = registration

    def set_oauth_session(self, provider: str, oauth_response: dict[str, Any]) -> None:
        """Keep what the log-out needs, and no token that opens anything; in a new session."""
        current_app.session_interface.regenerate(session)
        session[_ID_TOKEN] = oauth_response["id_token"]
        session[_SIGNED_IN] = int(time.time())

    def get_oauth_user_info(self, provider: str, resp: dict[str, Any]) -> dict[str, Any]:
        """Return the person that the verified ID token names. Raises ValueError for another."""
        remote = self.oauth_remotes[provider]
        claims = remote.userinfo(token=resp)
        if claims["sub"] != resp["userinfo"]["sub"]:
            raise ValueError("userinfo is of another person than the ID token")
        return person(claims, current_app.config["KEYCLOAK_ROLES_CLAIM"])

    def auth_user_oauth(self, userinfo: dict[str, Any]) -> Any:
        """Return the user, or None where no role is mapped; an account then keeps none either."""
        user = self.find_user(username=userinfo["username"])
        if not self.get_roles_from_keys(userinfo["role_keys"]):
            g.refused = _NO_ROLE
            if user:
                user.roles = []
                self.update_user(user)
            return None
        if user and not user.is_active:
            g.refused = _INACTIVE
            return None
        if user:
            user.first_name, user.last_name = userinfo["first_name"], userinfo["last_name"]
        # Another window of the same person may have made the account meanwhile.
        return super().auth_user_oauth(userinfo) or super().auth_user_oauth(userinfo)

    def load_user(self, pk: int) -> Any:
        """Return the session's user until its working day is over. No other token counts."""
        lifetime = current_app.config["PERMANENT_SESSION_LIFETIME"].total_seconds()
        if time.time() - session.get(_SIGNED_IN, 0) > lifetime:
            return None
        return super().load_user(pk)

    def auth_user_db(self, username: str, password: str) -> None:
        """Refuse passwords: an administrator could set one for an account."""

    def raise_for_access(self, **asked: Any) -> None:
        """Hold those who may not explore to the SQL of stored charts."""
        super().raise_for_access(**asked)
        found = {name: asked.get(name) for name in ("query", "sql", "viz", "query_context")}
        if any(one is not None for one in found.values()):
            from fhirstack_superset import viewing  # noqa: PLC0415 - it needs the application

            if not self.can_access(*viewing.EXPLORE):
                viewing.need_stored(found.pop("query_context"), *found.values())
