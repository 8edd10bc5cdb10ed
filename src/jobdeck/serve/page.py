"""The HTML pages: the terminal, and messages. Nothing in them comes from outside."""

from html import escape
from importlib.resources import files
from importlib.resources.abc import Traversable

FILES = {
    "textual.js": ("js/textual.js", "text/javascript"),
    "xterm.css": ("css/xterm.css", "text/css"),
    "mono.ttf": ("fonts/RobotoMono-VariableFont_wght.ttf", "font/ttf"),
    "mono-italic.ttf": ("fonts/RobotoMono-Italic-VariableFont_wght.ttf", "font/ttf"),
}
"""The files of textual-serve that the page loads: the terminal (xterm.js) and a font."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; img-src data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "jobdeck",
}
"""Sent with every response. xterm.js adds styles, hence 'unsafe-inline' for styles only."""

STYLE = """\
@font-face { font-family: "Roboto Mono"; src: url("mono.ttf"); font-weight: 100 700; }
@font-face { font-family: "Roboto Mono"; src: url("mono-italic.ttf"); font-weight: 100 700; font-style: italic; }
html, body { margin: 0; height: 100%; background: #0f1317; color: #c9d1d9; overflow: hidden; }
body { font: 16px/1.5 "Roboto Mono", monospace; }
body > .textual-terminal { position: absolute; inset: 8px; width: auto; height: auto; }
.said { position: absolute; inset: 0; display: flex; align-items: center; justify-content: center; }
.said p { max-width: 36em; padding: 2em; background: #171c22; }
.said a { color: #6cb0f2; }
#ended { display: none; background: #0f1317d0; }
body.-closed #ended { display: flex; }
"""


SCRIPT = """\
addEventListener("load", () => {
  const focus = () => document.querySelector(".xterm-helper-textarea")?.focus();
  focus();
  document.fonts.load('15px "Roboto Mono"').then(() => dispatchEvent(new Event("resize")));
  addEventListener("focus", focus);
});
"""
"""Focuses the terminal without a click."""

STATIC = {"page.css": (STYLE, "text/css"), "page.js": (SCRIPT, "text/javascript")}


def terminal_page(socket_url: str) -> str:
    """Return the page with the terminal, which connects to `socket_url`."""
    return _page(
        '<link rel="stylesheet" href="/static/xterm.css"><link rel="stylesheet" href="/static/page.css">'
        # The terminal measures the font available when it opens.
        '<link rel="preload" as="font" type="font/ttf" href="/static/mono.ttf" crossorigin>'
        '<script src="/static/textual.js"></script><script src="/static/page.js"></script>',
        f'<div class="textual-terminal" data-session-websocket-url="{escape(socket_url)}" data-font-size="15"></div>'
        '<div id="ended" class="said"><p>This view has closed. <a href="/">Reconnect</a></p></div>',
    )


def message_page(message: str) -> str:
    """Return a page with a message."""
    return _page("", f'<p style="max-width: 36em; padding: 2em; font: 16px/1.5 monospace">{escape(message)}</p>')


def asset(name: str) -> Traversable:
    """Return a file that the page loads; raises ModuleNotFoundError without the extra `serve`."""
    return files("textual_serve").joinpath("static").joinpath(FILES[name][0])


def _page(head: str, body: str) -> str:
    head = f'<meta charset="utf-8"><title>jobdeck</title>{head}'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>'
