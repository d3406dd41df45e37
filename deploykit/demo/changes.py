"""The commits of the story: name, message, and the edits since the previous commit."""

from __future__ import annotations

from deploykit.demo.repository import Edit

_BETTER_HOME = Edit(
    "frontend/pages/home.html",
    "A website and its API, two containers each",
    "Harbour is a website and its API, two containers each",
)
_ONE_MORE_PROJECT = Edit(
    "api/projects.py",
    "FIRST = (\n",
    'FIRST = (\n    ("anchor", "Anchor", "Holds the last good release, so that there is always a way back."),\n',
)
_NEEDS_A_SETTING = Edit("api/api.py", 'SETTINGS = ("DB_HOST"', 'SETTINGS = ("PAYMENTS_URL", "DB_HOST"')
_WRONG_ANSWER = Edit(
    "api/api.py", '{"status": "ok", "database": "connected"', '{"status": "degraded", "database": "pool exhausted"'
)
_NEWS = Edit("frontend/pages/home.html", "<p><a", "<p>New this week: the edge is kept warm.</p>\n<p><a")

CRASH_WORDS = "api: the setting PAYMENTS_URL is missing"

CHANGES: dict[str, tuple[str, tuple[Edit, ...]]] = {
    "first": ("Start with a site and its API", ()),
    "second": ("Describe the platform; add a project", (_BETTER_HOME, _ONE_MORE_PROJECT)),
    "crash": ("Take payments", (_NEEDS_A_SETTING,)),
    "wrong": ("Remove payments; report the connection pool", (_NEEDS_A_SETTING.back, _WRONG_ANSWER)),
    "news": ("Report health as before; add news to the home page", (_WRONG_ANSWER.back, _NEWS)),
}
