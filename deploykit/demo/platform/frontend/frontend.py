"""The site: four pages, and its own health."""

from __future__ import annotations

import json
import os
from pathlib import Path
from string import Template

from serving import Answer, release, serve

HERE = Path(__file__).parent
PAGES = {"/": "home", "/about": "about", "/projects": "projects", "/contact": "contact"}
TITLES = {"home": "Small things, released often", "about": "About", "projects": "Projects", "contact": "Contact"}


def main() -> None:
    serve(int(os.environ.get("PORT", "3000")), answer)


def answer(path: str) -> Answer:
    marked = {"X-Release": release()}
    if path == "/health":
        body = json.dumps({"status": "ok", "version": release()}).encode() + b"\n"
        return Answer(200, "application/json", body, {**marked, "Cache-Control": "no-store"})
    if path == "/style.css":
        return Answer(200, "text/css; charset=utf-8", (HERE / "style.css").read_bytes(), marked)
    if path not in PAGES:
        return Answer(404, "text/html; charset=utf-8", page("lost", "Nothing here"), marked)
    name = PAGES[path]  # no Cache-Control: the CDN caches a page for a day, or until the next release
    return Answer(200, "text/html; charset=utf-8", page(name, TITLES[name]), marked)


def page(name: str, title: str) -> bytes:
    """``pages/NAME.html`` inside the frame that all pages share."""
    main_part = (HERE / "pages" / f"{name}.html").read_text(encoding="utf-8")
    frame = Template((HERE / "pages" / "frame.html").read_text(encoding="utf-8"))
    return frame.substitute(title=title, main=main_part, release=release(), short=release()[:7]).encode()


if __name__ == "__main__":
    main()
