"""Lives sessions through on a simulated Browserbase with the official client, which checks every answer against its own types."""

import sys

import browserbase
from browserbase import Browserbase

from checks import check, eventually, refusal


def client(base_url, key):
    """A client that raises where an answer is not what its types promise, instead of passing it on."""
    return Browserbase(api_key=key, base_url=base_url, max_retries=0, _strict_response_validation=True)


def ids(sessions):
    return {session.id for session in sessions}


def create(bb):
    kept = bb.sessions.create(
        project_id=bb.projects.list()[0].id,
        keep_alive=True,
        api_timeout=3600,
        region="eu-central-1",
        proxies=True,
        user_metadata={"env": "ci", "owner": {"team": "growth"}, "attempt": 3},
    )
    check(kept.status == "RUNNING" and kept.keep_alive and kept.region == "eu-central-1", "a session is created as asked")
    check(kept.connect_url and kept.selenium_remote_url and kept.signing_key, "its creator is told how to drive it")
    check((kept.expires_at - kept.created_at).total_seconds() == 3600, "its hard end is where it was asked for")
    return kept, bb.sessions.create(user_metadata={"env": "production"})


def filter_listings(bb, kept, other):
    check(ids(bb.sessions.list()) == {kept.id, other.id}, "every session is listed")
    check(ids(bb.sessions.list(status="RUNNING")) == {kept.id, other.id}, "both run")
    check(bb.sessions.list(status="COMPLETED") == [], "none has ended")
    check(ids(bb.sessions.list(q="user_metadata['env']:'ci'")) == {kept.id}, "q finds by a tag")
    check(ids(bb.sessions.list(q="user_metadata['owner']['team']:'growth'")) == {kept.id}, "q finds by a nested tag")
    check(bb.sessions.list(q="user_metadata['attempt']:'3'") == [], "q compares texts only")
    refusal(browserbase.BadRequestError, lambda: bb.sessions.list(status="SLEEPING"))
    for row in bb.sessions.list():
        check(not {"connectUrl", "connect_url", "signingKey", "signing_key"} & set(row.to_dict()), "a listing holds no credential")


def retrieve(bb, kept):
    session = bb.sessions.retrieve(kept.id)
    check(session.connect_url == kept.connect_url, "a running session shows how to drive it")
    check(session.user_metadata == {"env": "ci", "owner": {"team": "growth"}, "attempt": 3}, "metadata comes back as it was given")
    check(session.ended_at is None, "a running session has no end")


def activity(bb, kept):
    check(bb.sessions.logs.list(kept.id) == [], "nobody has used the session")
    pages = bb.sessions.debug(kept.id).pages
    for act in ["command", "page", "bytes"]:
        bb.post(f"/v1/sessions/{kept.id}/simulate", body={"act": act}, cast_to=object)
    logs = bb.sessions.logs.list(kept.id)
    check([log.session_id for log in logs] == [kept.id] and logs[0].request.timestamp, "a command is in the log, with its instant")
    opened = bb.sessions.debug(kept.id).pages
    check(len(pages) == 1 and opened[:1] == pages and len(opened) == 2, "a page that is opened is shown beside the others")
    check(bb.sessions.retrieve(kept.id).proxy_bytes == 1000, "bytes are counted")
    mute = bb.sessions.create(browser_settings={"log_session": False})
    bb.post(f"/v1/sessions/{mute.id}/simulate", body={"act": "command"}, cast_to=object)
    check(bb.sessions.logs.list(mute.id) == [], "a session without a log has none")
    bb.sessions.update(mute.id, status="REQUEST_RELEASE")
    eventually(lambda: bb.sessions.retrieve(mute.id).status == "COMPLETED", "it ends")


def release(bb, kept, other):
    accepted = bb.sessions.update(kept.id, status="REQUEST_RELEASE")
    check(accepted.id == kept.id and accepted.status == "RUNNING", "a release is accepted before it happens")
    ended = lambda session: session if session.status != "RUNNING" else None
    session = eventually(lambda: ended(bb.sessions.retrieve(kept.id)), "a released session ends")
    check(session.status == "COMPLETED", "a released session is completed")
    check(accepted.created_at < session.ended_at < session.expires_at, "it ended before its hard end")
    check(session.connect_url is None, "an ended session shows no credential")
    check(ids(bb.sessions.list(status="RUNNING")) == {other.id}, "only the other one still runs")
    check(ids(bb.sessions.list(status="COMPLETED")) == {kept.id}, "it is listed as completed")
    again = bb.sessions.update(kept.id, status="REQUEST_RELEASE")
    check(again.ended_at == session.ended_at, "releasing it again changes nothing")


def projects(bb):
    project = bb.projects.list()[0]
    check(bb.projects.retrieve(project.id) == project, "a project is found by its id")
    check(bb.projects.usage(project.id).browser_minutes >= 2, "each session counts a minute at least")
    refusal(browserbase.NotFoundError, lambda: bb.projects.retrieve("nobody's"))


def refusals(bb, base_url):
    denied = refusal(browserbase.AuthenticationError, lambda: client(base_url, "bb_live_other").sessions.list())
    check(denied.body["error"] == "Unauthorized", "a foreign key is refused")
    refusal(browserbase.NotFoundError, lambda: bb.sessions.retrieve("00000000-0000-4000-8000-000000000000"))
    refusal(browserbase.NotFoundError, lambda: bb.sessions.update("00000000-0000-4000-8000-000000000000", status="REQUEST_RELEASE"))
    refusal(browserbase.BadRequestError, lambda: bb.sessions.create(api_timeout=10))
    refusal(browserbase.BadRequestError, lambda: bb.sessions.create(user_metadata={"note": "x" * 512}))


def main(base_url):
    live = client(base_url, "bb_demo").sessions.list(status="RUNNING")
    check(len(live) > 0, "the world behind bb_demo is alive")
    bb = client(base_url, "bb_demo_python")
    check(bb.sessions.list() == [], "the world behind another key starts empty")
    kept, other = create(bb)
    filter_listings(bb, kept, other)
    retrieve(bb, kept)
    release(bb, kept, other)
    activity(bb, other)
    projects(bb)
    refusals(bb, base_url)
    print(f"browserbase {browserbase.__version__}: every call answered as promised")


if __name__ == "__main__":
    main(sys.argv[1])
