"""Lives sessions through on a simulated Browser Use with the official client, in each of its three API versions.

The client makes a typed object of every answer and raises where one does not fit: a field that is missing, a status that it does not know, a time
without its offset. It does not mind what it does not know.
"""

import sys
from importlib.metadata import version

from browser_use_sdk import BrowserUseError, v2, v3, v4

from checks import check, eventually, refusal

NOBODYS = "00000000-0000-4000-8000-000000000000"


def client(api, base_url, key):
    """A client of this version that asks once: what is refused is refused at once."""
    return api.BrowserUse(api_key=key, base_url=f"{base_url}/api/{api.__name__[-2:]}", max_retries=0)


def refused(status, call):
    """A call must be refused with this status, in words that the client can show."""
    error = refusal(BrowserUseError, call)
    check(error.status_code == status, f"{status} was expected instead of {error}")
    check(error.detail["detail"], f"a refusal with {status} says why")


def ids(rows):
    return [row.id for row in rows]


def leaf_through(listing, size, total):
    """All rows of a listing with numbered pages, which must be full but the last and add up."""
    rows = []
    for number in range(1, -(-total // size) + 1):
        page = listing(page_size=size, page_number=number)
        check((page.page_size, page.page_number, page.total_items) == (size, number, total), "a page says which it is, and of how many")
        check(len(page.items) == min(size, total - len(rows)), "a page is full unless it is the last")
        rows += page.items
    check(listing(page_size=size, page_number=number + 1).items == [], "after the last page there is nothing")
    check(len(set(ids(rows))) == total, "no row is on two pages")
    return rows


def follow(listing, rows_of, size):
    """All rows of a listing with cursors, which must be full but the last."""
    page = listing(limit=size)
    rows = list(rows_of(page))
    while page.has_more:
        check(page.next_cursor and len(rows_of(page)) == size, "a page with more behind it is full and says where to go on")
        page = listing(limit=size, cursor=page.next_cursor)
        rows += rows_of(page)
    check(page.next_cursor is None, "the last page has no cursor")
    return rows


def active(bu, **filters):
    return set(ids(bu.browsers.list(filter_by="active", page_size=100, **filters).items))


def stopped(read, what):
    """What this reads, once it is stopped."""
    status = lambda thing: thing if thing.status.value == "stopped" else None
    return eventually(lambda: status(read()), f"{what} that was stopped reads as stopped")


def create_browsers(bu):
    ci = bu.browsers.create(metadata={"env": "ci", "team": "growth"}, timeout=30)
    check(ci.status.value == "active" and ci.agent_session_id is None and ci.finished_at is None, "a browser of its own is active at once")
    check((ci.timeout_at - ci.started_at).total_seconds() == 30 * 60, "its hard end is where it was asked for, in minutes")
    check(ci.cdp_url and ci.live_url, "its creator is told how to drive it")
    check(ci.metadata == {"env": "ci", "team": "growth"}, "metadata comes back as it was given")
    production = bu.browsers.create(metadata={"env": "production"})
    check((production.timeout_at - production.started_at).total_seconds() == 60 * 60, "an hour is the default")
    return ci, production, bu.browsers.create()


def list_browsers(bu, ci, production, plain):
    rows = leaf_through(bu.browsers.list, 2, 3)
    check(set(ids(rows)) == {ci.id, production.id, plain.id}, "every browser is on some page")
    check(all(row.recording_url is None for row in rows), "a listing holds no recording")
    check(bu.browsers.list().page_size == 10, "ten is the default")
    check(active(bu) == set(ids(rows)), "all are active")
    check(bu.browsers.list(filter_by="stopped").items == [], "none is stopped")
    check(active(bu, metadata=["env=ci"]) == {ci.id}, "a label and its value are found")
    check(active(bu, metadata=["env"]) == {ci.id, production.id}, "a label is found, whatever its value")
    check(active(bu, metadata=["env", "team=growth"]) == {ci.id}, "every label must fit")


def stop_browser(bu, ci):
    check(bu.browsers.get(ci.id).metadata == ci.metadata, "a browser is found by its id")
    bu.browsers.stop(ci.id)
    browser = stopped(lambda: bu.browsers.get(ci.id), "a browser")
    check(ci.started_at < browser.finished_at < browser.timeout_at, "it ended before its hard end")
    check(browser.cdp_url is None and browser.live_url is None, "a stopped browser cannot be driven")
    check(ci.id not in active(bu), "a stopped browser leaves the listing of the active")
    check(ids(bu.browsers.list(filter_by="stopped").items) == [ci.id], "it is listed as stopped")
    check(bu.browsers.stop(ci.id).finished_at == browser.finished_at, "stopping it again changes nothing")


def refuse_browsers(bu, stranger):
    refused(401, lambda: stranger.browsers.list())
    refused(401, lambda: stranger.sessions.list())
    refused(404, lambda: bu.browsers.get(NOBODYS))
    refused(404, lambda: bu.browsers.stop(NOBODYS))
    refused(404, lambda: bu.sessions.get(NOBODYS))
    refused(422, lambda: bu.browsers.list(filter_by="sleeping"))
    refused(422, lambda: bu.browsers.list(page_size=101))
    refused(403, lambda: bu.browsers.create(timeout=241))


def browser_of(bu, session):
    """The browser that an agent session has opened."""
    mine = lambda: bu.browsers.list(filter_by="active", agent_session_id=str(session)).items
    browser = eventually(mine, "an agent session opens a browser")[0]
    check(browser.agent_session_id == session, "a browser names its agent session")
    return browser


def agents_v2(bu):
    idle = bu.sessions.create()
    check(idle.status.value == "active" and idle.keep_alive and idle.persist_memory, "a session is active at once, and stays")
    created = bu.tasks.create("look around", session_id=str(idle.id), metadata={"env": "ci"})
    check(created.session_id == idle.id, "a task runs where it is told to")
    own = bu.tasks.create("look around").session_id
    check(not bu.sessions.get(own).keep_alive, "a task without a session opens one that ends with it")
    third = bu.sessions.create(keep_alive=False)
    check(set(ids(leaf_through(bu.sessions.list, 2, 3))) == {idle.id, own, third.id}, "every session is on some page")
    tasks = leaf_through(bu.tasks.list, 1, 2)
    check({task.session_id for task in tasks} == {idle.id, own}, "every task is on some page")
    check([task.metadata for task in bu.tasks.list(session_id=str(idle.id)).items] == [{"env": "ci"}], "a session's tasks are found, with their metadata")
    check(bu.tasks.list(after=max(task.created_at for task in tasks).replace(year=2100).isoformat()).items == [], "tasks are found by their time")
    check(ids(bu.sessions.get(idle.id).tasks) == [created.id], "a session shows its tasks")
    browser = browser_of(bu, idle.id)
    bu.sessions.stop(idle.id)
    session = stopped(lambda: bu.sessions.get(idle.id), "a session")
    check(session.finished_at > session.started_at, "it says when it ended")
    check([task.status.value for task in session.tasks] == ["stopped"], "its tasks are stopped with it")
    stopped(lambda: bu.browsers.get(browser.id), "the browser of a session")
    listed = lambda status: set(ids(bu.sessions.list(filter_by=status).items))
    check(idle.id not in listed("active") and third.id in listed("active"), "a stopped session leaves the listing of the active, and no other does")
    check(idle.id in listed("stopped"), "it is listed as stopped")
    refused(404, lambda: bu.sessions.stop(NOBODYS))
    refused(422, lambda: bu.sessions.update(third.id, action="sleep"))


def agents_v3(bu):
    kept = bu.sessions.create("look around", keep_alive=True)
    check(kept.status.value in {"created", "idle", "running"}, "a session begins")
    others = [bu.sessions.create("look around", keep_alive=True), bu.sessions.create(keep_alive=True)]
    pages = [bu.sessions.list(page=number, page_size=2) for number in (1, 2, 3)]
    check([len(page.sessions) for page in pages] == [2, 1, 0], "pages are full but the last")
    check([(page.total, page.page, page.page_size) for page in pages] == [(3, 1, 2), (3, 2, 2), (3, 3, 2)], "a page says which it is, and of how many")
    listed = [row.id for page in pages for row in page.sessions]
    check(sorted(listed) == sorted([kept.id, *ids(others)]), "every session is on exactly one page")
    check(bu.sessions.list().page_size == 20, "twenty is the default")
    check(bu.sessions.get(kept.id).created_at == kept.created_at, "a session is found by its id")
    browser = browser_of(bu, kept.id)
    bu.sessions.stop(kept.id, strategy="session")
    session = stopped(lambda: bu.sessions.get(kept.id), "a session")
    check(session.updated_at > kept.created_at, "it says when it changed")
    stopped(lambda: bu.browsers.get(browser.id), "the browser of a session")
    check(browser.id not in active(bu), "its browser leaves the listing of the active")
    check(any(row.id == kept.id and row.status.value == "stopped" for row in bu.sessions.list().sessions), "the listing keeps it, as stopped")
    check(bu.sessions.get(others[0].id).status.value != "stopped", "no other session is stopped")
    refused(404, lambda: bu.sessions.stop(NOBODYS))
    refused(422, lambda: bu.sessions.stop(kept.id, strategy="sleep"))
    refused(422, lambda: bu.sessions.list(page_size=101))


def agents_v4(bu):
    run = bu.runs.create("look around", keep_alive=600)
    check(run.status.value in {"queued", "dispatching", "running"}, "a run begins")
    others = [bu.runs.create("look around", keep_alive=600) for _ in range(2)]
    sessions = follow(bu.sessions.list, lambda page: page.sessions, 2)
    check({row.session_id: row.latest_run_id for row in sessions} == {run.session_id: run.id for run in [run, *others]}, "every run has its session")
    check(len(sessions) == 3, "no session is on two pages")
    check(sorted(ids(follow(bu.runs.list, lambda page: page.runs, 2))) == sorted(ids([run, *others])), "every run is on exactly one page")
    check(ids(bu.runs.list(session_id=run.session_id).runs) == [run.id], "a session's runs are found")
    check(bu.sessions.get(run.session_id).latest_run_id == run.id, "a session is found by its id")
    check(bu.runs.get(run.id).session_id == run.session_id, "a run is found by its id")
    browser = browser_of(bu, run.session_id)
    bu.runs.cancel(run.id)
    cancelled = lambda: bu.runs.status(run.id).status.value == "cancelled"
    eventually(cancelled, "a run that was cancelled reads as cancelled")
    check(bu.sessions.get(run.session_id).status.value == "cancelled", "so does its session")
    bu.runs.cancel(run.id)
    bu.browsers.stop(browser.id)
    stopped(lambda: bu.browsers.get(browser.id), "the browser of a session")
    check(browser.id not in active(bu), "its browser leaves the listing of the active")
    check(bu.runs.status(others[0].id).status.value != "cancelled", "no other run is cancelled")
    renamed = bu.sessions.update(others[0].session_id, title="mine", action="stop")
    check(renamed.title == "mine" and renamed.status.value != "cancelled", "an update renames and stops nothing")
    refused(404, lambda: bu.runs.cancel(NOBODYS))
    refused(422, lambda: bu.sessions.list(limit=101))


def live_through(api, agents, base_url):
    check(active(client(api, base_url, "bu_demo")), "the world behind bu_demo is alive")
    bu = client(api, base_url, f"bu_demo_python_{api.__name__[-2:]}")
    check(bu.browsers.list().total_items == 0, "the world behind another key starts empty")
    mine = create_browsers(bu)
    list_browsers(bu, *mine)
    stop_browser(bu, mine[0])
    refuse_browsers(bu, client(api, base_url, "bu_live_other"))
    agents(bu)
    print(f"browser-use-sdk {version('browser-use-sdk')} {api.__name__[-2:]}: every call answered as promised")


def main(base_url):
    for api, agents in ((v2, agents_v2), (v3, agents_v3), (v4, agents_v4)):
        live_through(api, agents, base_url)


if __name__ == "__main__":
    main(sys.argv[1])
