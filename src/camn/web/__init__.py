"""`camn serve`: a local page on which a video is opened, its objects marked, followed, corrected and exported.

`server` binds an address and runs `app`, the routes; `guard` lets no other site and no stranger in. `store` holds the
projects, each a folder (`project`), filled by `uploads` (and `zips`) and decoded by `decode`; `propagate` runs the
network over one and `exports` writes files of it, as jobs of `jobs`; what changes is told by `events`.
docs/reference/web-api.md is the contract with the page in `static/`, docs/guide/page.md the users' guide.
"""
