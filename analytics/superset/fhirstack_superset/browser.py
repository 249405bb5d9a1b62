"""Two things that Superset's built frontend does on its own, and that help nobody here."""

import re
from pathlib import Path

from flask import Flask, Response, jsonify, request

_PIXEL = b"https://apachesuperset.gateway.scarf.sh/pixel/"
_NOTHING = b"data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==#"
_COLORS = re.compile(r"/api/v1/dashboard/\d+/colors")


def quieten(app: Flask) -> None:
    """Keep both away from people's browsers."""
    _remove_pixel(app)
    app.after_request(_colors_of_labels)


def _remove_pixel(app: Flask) -> None:
    """Serve every script that names the tracking pixel with an image of nothing in its place.

    The frontend asks a host on the internet for it on every page, and has no switch for it. The
    policy of what a browser may load stops that, but with an error on each page's console.
    """
    for path in sorted(Path(str(app.static_folder), "assets").glob("*.js")):
        content = path.read_bytes()
        if _PIXEL in content:
            _serve(app, path.name, content.replace(_PIXEL, _NOTHING))


def _serve(app: Flask, name: str, content: bytes) -> None:
    def view() -> Response:
        response = Response(content, mimetype="text/javascript")
        response.cache_control.public = True
        response.cache_control.max_age = int(app.config["SEND_FILE_MAX_AGE_DEFAULT"])
        return response

    # An address with no variable part goes before the one of all static files.
    app.add_url_rule(f"/static/assets/{name}", f"without_pixel_{name}", view)


def _colors_of_labels(response: Response) -> Response:
    """Answer quietly where a browser may not store the colours that it gave to new labels.

    The frontend tries when anybody leaves a dashboard; the refusal would be an uncaught error.
    """
    refused = request.method == "PUT" and response.status_code == 403
    return jsonify(result={}) if refused and _COLORS.fullmatch(request.path) else response
