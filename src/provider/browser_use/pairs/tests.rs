use serde_json::json;

use super::*;
use crate::domain::activity::Sign;
use crate::domain::session::{Phase, Status};
use crate::domain::time::Timestamp;
use crate::provider::browser_use::items::Rejected;

fn at(minute: u32) -> Timestamp {
    format!("2026-11-20T12:{minute:02}:00Z").parse().expect("an instant")
}

fn browser(id: &str, agent: Option<&str>) -> Browser {
    Browser {
        id: id.into(),
        agent: agent.map(SessionId::from),
        status: Status::new("active", Phase::Running),
        started_at: at(5),
        expires_at: Some(at(59)),
        ended_at: None,
        proxy_bytes: Some(7),
        metadata: Metadata::from_json(Some(json!({ "on": id }))),
    }
}

fn agent(id: &str, word: &str, phase: Phase) -> Agent {
    Agent {
        id: id.into(),
        status: Status::new(word, phase),
        created_at: at(1),
        started_at: None,
        updated_at: Some(at(9)),
        finished_at: None,
        keep_alive: Some(true),
        proxy_bytes: Some(5),
        run: None,
        sign: Sign::Nothing,
    }
}

fn live(id: &str) -> Agent {
    agent(id, "running", Phase::Running)
}

fn over(id: &str) -> Agent {
    agent(id, "stopped", Phase::Completed)
}

fn conversation(id: &str, phase: Phase) -> Agent {
    Agent { run: Some(format!("r-{id}").as_str().into()), ..agent(id, "word", phase) }
}

fn whole<T>(rows: Vec<T>) -> Result<Read<T>, Fault> {
    Ok(Read { rows, rejected: Vec::new(), lack: None })
}

fn lacking<T>(rows: Vec<T>) -> Result<Read<T>, Fault> {
    Ok(Read { rows, rejected: Vec::new(), lack: Some(Fault::new(FaultKind::Unreadable, "does not add up")) })
}

fn with_rejected<T>(rows: Vec<T>, id: Option<&str>, owner: Owner) -> Result<Read<T>, Fault> {
    let rejected = vec![Rejected { id: id.map(SessionId::from), owner, why: "`status` is missing".to_owned() }];
    Ok(Read { rows, rejected, lack: None })
}

fn failed<T>(kind: FaultKind) -> Result<Read<T>, Fault> {
    Err(Fault::new(kind, kind.as_str()))
}

fn parts(own: bool, browser: Option<&str>, run: Option<&str>) -> Parts {
    Parts { own, browser: browser.map(SessionId::from), run: run.map(SessionId::from) }
}

fn pair(version: ApiVersion, browsers: Result<Read<Browser>, Fault>, agents: Result<Read<Agent>, Fault>) -> Joined {
    joined(version, browsers, agents).expect("something was read")
}

/// Every session, be it in what is sure or in the rest.
fn only(joined: &Joined) -> &Session {
    let sessions: Vec<&Session> = joined.sessions().collect();
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    sessions[0]
}

fn shown(rows: &Rows) -> Vec<(&str, Kind, Parts)> {
    rows.sessions.iter().map(|session| (session.id.as_str(), session.kind, session.parts.clone())).collect()
}

fn gone(joined: Joined, ids: &[(&str, Kind)]) -> Vec<SessionId> {
    let known: Vec<(SessionId, Kind)> = ids.iter().map(|(id, kind)| ((*id).into(), *kind)).collect();
    let known = known.iter().map(|(id, kind)| (id, *kind));
    match joined.listing() {
        Listing::Complete(complete) => complete.gone(known),
        Listing::Partial { whole, .. } => whole.map(|whole| whole.gone(known)).unwrap_or_default(),
    }
}

const ALL: [ApiVersion; 3] = [ApiVersion::V2, ApiVersion::V3, ApiVersion::V4];
const OLDER: [ApiVersion; 2] = [ApiVersion::V2, ApiVersion::V3];

#[test]
fn an_agent_session_and_its_browser_are_one_session_under_the_agents_id() {
    for version in OLDER {
        let joined = pair(version, whole(vec![browser("b", Some("a"))]), whole(vec![live("a")]));
        assert_eq!((joined.why.is_none(), shown(&joined.sure)), (true, vec![("a", Kind::Agent, parts(true, Some("b"), None))]));
        let session = only(&joined);
        assert_eq!((session.created_at, session.started_at, session.expires_at), (at(1), Some(at(5)), Some(at(59))));
        assert_eq!((session.status.clone(), session.ended_at), (Status::new("running", Phase::Running), None));
        assert_eq!((session.keep_alive, session.proxy_bytes, session.metadata.get("on")), (Some(true), Some(7), Some(&json!("b"))));
    }
}

#[test]
fn an_agent_session_counts_from_its_own_start_where_it_has_one() {
    let started = Agent { started_at: Some(at(1)), ..live("a") };
    assert_eq!(only(&pair(ApiVersion::V2, whole(vec![browser("b", Some("a"))]), whole(vec![started]))).since(), at(1));
}

#[test]
fn a_browser_alone_is_a_session_of_its_own_in_every_version() {
    for version in ALL {
        let joined = pair(version, whole(vec![browser("b", None)]), whole(Vec::new()));
        assert_eq!(shown(&joined.sure), [("b", Kind::Browser, Parts::default())]);
        assert_eq!(only(&joined).since(), at(5));
    }
}

#[test]
fn an_id_that_both_inventories_use_stands_once() {
    let joined = pair(ApiVersion::V2, whole(vec![browser("x", None)]), whole(vec![live("x")]));
    assert_eq!(shown(&joined.sure), [("x", Kind::Browser, Parts::default())]);
}

#[test]
fn an_id_that_can_be_read_in_neither_inventory_or_in_one_alone_stands_once_too() {
    let rejected = |id| with_rejected(Vec::new(), Some(id), Owner::None);
    let neither = pair(ApiVersion::V2, rejected("x"), with_rejected(Vec::new(), Some("x"), Owner::None));
    assert_eq!((refused(&neither.sure), neither.sure.sessions.len()), (vec!["x"], 0));
    let first = pair(ApiVersion::V2, whole(vec![browser("x", None)]), with_rejected(Vec::new(), Some("x"), Owner::None));
    assert_eq!((refused(&first.sure), first.sure.sessions.len()), (vec![], 1), "the browser has the first word");
    let second = pair(ApiVersion::V2, rejected("x"), whole(vec![live("x")]));
    assert_eq!((refused(&second.sure), second.sure.sessions.len()), (vec!["x"], 0));
}

#[test]
fn an_agent_session_alone_is_what_stands_under_its_id() {
    let metadata = [(ApiVersion::V2, Metadata::default()), (ApiVersion::V3, Metadata::NotKept)];
    for (version, metadata) in metadata {
        let joined = pair(version, whole(Vec::new()), whole(vec![live("a")]));
        assert_eq!(shown(&joined.sure), [("a", Kind::Agent, Parts::default())]);
        assert_eq!((&only(&joined).metadata, only(&joined).since()), (&metadata, at(1)));
    }
}

#[test]
fn a_browser_that_its_agent_session_left_behind_is_stopped_itself() {
    for agents in [Vec::new(), vec![over("a")], vec![agent("a", "error", Phase::Errored)]] {
        for version in OLDER {
            let joined = pair(version, whole(vec![browser("b", Some("a"))]), whole(agents.clone()));
            assert_eq!(shown(&joined.sure), [("a", Kind::Agent, parts(false, Some("b"), None))]);
            assert_eq!(only(&joined).status, Status::new("active", Phase::Running));
        }
    }
}

#[test]
fn a_conversation_is_its_browser_and_its_run_and_never_itself() {
    let with = |browsers: Vec<Browser>, phase| pair(ApiVersion::V4, whole(browsers), whole(vec![conversation("a", phase)]));
    let linked = || vec![browser("b", Some("a"))];
    for phase in [Phase::Pending, Phase::Running, Phase::Unknown] {
        assert_eq!(shown(&with(linked(), phase).sure), [("a", Kind::Agent, parts(false, Some("b"), Some("r-a")))], "{phase:?}");
        assert_eq!(shown(&with(Vec::new(), phase).sure), [("a", Kind::Agent, parts(false, None, Some("r-a")))], "{phase:?}");
    }
    for phase in [Phase::Completed, Phase::Errored] {
        assert_eq!(shown(&with(linked(), phase).sure), [("a", Kind::Agent, parts(false, Some("b"), None))], "{phase:?}");
        assert_eq!(shown(&with(Vec::new(), phase).sure), []);
    }
    assert_eq!(only(&with(Vec::new(), Phase::Pending)).metadata, Metadata::NotKept);
    let unlisted = pair(ApiVersion::V4, whole(linked()), whole(Vec::new()));
    assert_eq!(shown(&unlisted.sure), [("a", Kind::Agent, parts(false, Some("b"), None))]);
}

#[test]
fn what_waits_for_a_browser_runs_once_it_has_one() {
    let waiting = |browsers| pair(ApiVersion::V3, whole(browsers), whole(vec![agent("a", "created", Phase::Pending)]));
    assert_eq!(only(&waiting(Vec::new())).status, Status::new("created", Phase::Pending));
    assert_eq!(only(&waiting(vec![browser("b", Some("a"))])).status, Status::new("active", Phase::Running));
}

#[test]
fn a_pair_of_which_one_part_is_not_understood_is_not_understood() {
    let strange = Status::new("hibernating", Phase::Unknown);
    let joined = pair(ApiVersion::V3, whole(vec![browser("b", Some("a"))]), whole(vec![agent("a", "hibernating", Phase::Unknown)]));
    assert_eq!(only(&joined).status, strange);
    let browser = Browser { status: strange.clone(), ..browser("b", Some("a")) };
    assert_eq!(only(&pair(ApiVersion::V3, whole(vec![browser]), whole(vec![live("a")]))).status, strange);
}

#[test]
fn ended_rows_are_left_out_and_gone() {
    let stopped = |agent| Browser { status: Status::new("stopped", Phase::Completed), ..browser("b", agent) };
    for version in ALL {
        let joined = pair(version, whole(vec![stopped(None)]), whole(vec![over("a")]));
        assert_eq!(joined.sessions().count(), 0);
        assert_eq!(gone(joined, &[("a", Kind::Agent), ("b", Kind::Browser)]), ["a".into(), "b".into()]);
        assert_eq!(pair(version, whole(vec![stopped(Some("a"))]), whole(vec![over("a")])).sessions().count(), 0);
    }
}

#[test]
fn of_several_browsers_the_oldest_is_meant_and_all_their_tags_count() {
    let younger = Browser { started_at: at(7), ..browser("b1", Some("a")) };
    let oldest = Browser { started_at: at(3), ..browser("b2", Some("a")) };
    let tagged =
        Browser { started_at: at(8), metadata: Metadata::from_json(Some(json!({ "on": "x", "protect": "yes" }))), ..browser("b3", Some("a")) };
    let joined = pair(ApiVersion::V2, whole(vec![younger, oldest, tagged]), whole(vec![live("a")]));
    assert_eq!(shown(&joined.sure), [("a", Kind::Agent, parts(true, Some("b2"), None))]);
    let session = only(&joined);
    assert_eq!((session.metadata.get("on"), session.metadata.get("protect")), (Some(&json!("b2")), Some(&json!("yes"))));
    let unreadable = Browser { metadata: Metadata::Unreadable { found: "a text" }, ..browser("b4", Some("a")) };
    let joined = pair(ApiVersion::V2, whole(vec![browser("b", Some("a")), unreadable]), whole(vec![live("a")]));
    assert_eq!(only(&joined).metadata, Metadata::Unreadable { found: "a text" });
}

#[test]
fn a_browser_left_behind_with_others_gives_way_to_the_next_as_another_life() {
    let both = || vec![browser("b1", Some("a")), Browser { started_at: at(7), ..browser("b2", Some("a")) }];
    let life = |browsers| only(&pair(ApiVersion::V3, whole(browsers), whole(vec![over("a")]))).parts.life().cloned();
    assert_eq!(life(both()), Some("b1".into()));
    assert_eq!(life(both().split_off(1)), Some("b2".into()));
}

fn refused(rows: &Rows) -> Vec<&str> {
    rows.rejected.iter().filter_map(|row| row.id.as_ref()).map(SessionId::as_str).collect()
}

/// A key without the right to the agent sessions cannot stop them either, and one that is listed as over is over.
#[test]
fn without_the_agent_sessions_browsers_alone_are_all_known() {
    let browsers = || whole(vec![browser("b1", None), browser("b2", Some("a"))]);
    for (agents, own) in [(failed(FaultKind::Forbidden), false), (lacking(vec![over("a")]), false), (lacking(vec![live("a")]), true)] {
        let why = lack(&agents).cloned();
        let joined = pair(ApiVersion::V2, browsers(), agents);
        assert_eq!(joined.why, why);
        assert_eq!(shown(&joined.sure), [("b1", Kind::Browser, Parts::default())]);
        assert_eq!(shown(&joined.rest), [("a", Kind::Agent, parts(own, Some("b2"), None))], "{why:?}");
        assert_eq!(gone(joined, &[("x", Kind::Agent), ("y", Kind::Browser)]), ["y".into()]);
    }
}

/// It may be one with `keep_alive`, or one whose run opens the next browser.
#[test]
fn a_browser_whose_agent_session_may_not_have_been_read_is_there_and_not_judged() {
    let agents = || [failed(FaultKind::Unavailable), failed(FaultKind::Throttled), lacking(Vec::new()), lacking(vec![live("c")])];
    for (version, agents) in ALL.into_iter().flat_map(|version| agents().map(|agents| (version, agents))) {
        let joined = pair(version, whole(vec![browser("b1", None), browser("b2", Some("a"))]), agents);
        assert_eq!(shown(&joined.sure), [("b1", Kind::Browser, Parts::default())]);
        assert!(joined.sessions().all(|session| session.id.as_str() != "a"));
        assert_eq!(refused(&joined.rest), ["a"]);
    }
}

#[test]
fn without_the_right_to_the_browsers_nothing_is_all_known_and_no_tag_can_be_told_missing() {
    for (version, parts) in
        [(ApiVersion::V2, Parts::default()), (ApiVersion::V3, Parts::default()), (ApiVersion::V4, parts(false, None, Some("r-a")))]
    {
        let row = if version == ApiVersion::V4 { conversation("a", Phase::Running) } else { live("a") };
        let joined = pair(version, failed(FaultKind::Forbidden), whole(vec![row, over("c")]));
        assert_eq!((shown(&joined.sure), shown(&joined.rest)), (Vec::new(), vec![("a", Kind::Agent, parts)]));
        assert!(matches!(only(&joined).metadata, Metadata::Unlearnt { .. }));
        assert!(matches!(joined.listing(), Listing::Partial { whole: None, .. }));
    }
}

/// Its browser may be held by an operator, and is what its age counts from.
#[test]
fn an_agent_session_whose_browser_may_not_have_been_read_is_there_and_not_judged() {
    for version in ALL {
        for browsers in [failed(FaultKind::Unavailable), lacking(Vec::new()), lacking(vec![browser("b", Some("c"))])] {
            let joined = pair(version, browsers, whole(vec![conversation("a", Phase::Running), over("d")]));
            assert!(joined.sessions().all(|session| session.id.as_str() != "a"));
            assert_eq!(refused(&joined.rest), ["a"], "what is over is not there");
        }
    }
}

#[test]
fn browsers_that_do_not_add_up_are_known_to_be_there_and_their_pairs_to_be_pairs() {
    let joined = pair(ApiVersion::V2, lacking(vec![browser("b1", None), browser("b2", Some("a"))]), whole(vec![live("a")]));
    assert_eq!(shown(&joined.rest), [("b1", Kind::Browser, Parts::default()), ("a", Kind::Agent, parts(true, Some("b2"), None))]);
    assert_eq!(gone(joined, &[("x", Kind::Agent), ("y", Kind::Browser)]), []);
}

#[test]
fn where_both_fail_the_fault_is_the_first_unless_the_second_is_a_refusal() {
    let fault = |first, second| joined(ApiVersion::V2, failed(first), failed(second)).expect_err("a fault").kind;
    assert_eq!(fault(FaultKind::Unavailable, FaultKind::TimedOut), FaultKind::Unavailable);
    assert_eq!(fault(FaultKind::Unavailable, FaultKind::Forbidden), FaultKind::Forbidden);
    assert_eq!(fault(FaultKind::Unavailable, FaultKind::Throttled), FaultKind::Throttled);
    assert_eq!(fault(FaultKind::Forbidden, FaultKind::Unauthorized), FaultKind::Forbidden);
}

#[test]
fn a_partial_listing_says_that_the_key_is_to_be_silent_before_anything_else() {
    let joined = pair(ApiVersion::V2, lacking(Vec::new()), failed(FaultKind::Throttled));
    assert_eq!(joined.why.map(|why| why.kind), Some(FaultKind::Throttled));
}

#[test]
fn an_agent_session_whose_browser_cannot_be_read_is_rejected_with_it() {
    for version in ALL {
        let joined =
            pair(version, with_rejected(Vec::new(), Some("b"), Owner::Agent("a".into())), whole(vec![conversation("a", Phase::Running), live("c")]));
        assert_eq!(joined.sessions().map(|session| session.id.as_str()).collect::<Vec<_>>(), ["c"]);
        assert_eq!(joined.sure.rejected.iter().map(|row| row.id.clone()).collect::<Vec<_>>(), [Some("a".into())]);
        assert_eq!(gone(joined, &[("a", Kind::Agent), ("x", Kind::Agent)]), ["x".into()]);
    }
}

#[test]
fn a_browser_that_may_be_anybodys_leaves_nobody_gone_and_no_agent_session_without_doubt() {
    let joined = pair(ApiVersion::V2, with_rejected(Vec::new(), Some("b"), Owner::Unknown), whole(vec![live("a")]));
    assert_eq!((joined.sessions().count(), refused(&joined.sure)), (0, vec!["a"]));
    assert_eq!(gone(joined, &[("x", Kind::Agent), ("b", Kind::Browser)]), []);
}

#[test]
fn a_browser_alone_that_cannot_be_read_is_there_under_its_own_id() {
    let joined = pair(ApiVersion::V2, with_rejected(Vec::new(), Some("b"), Owner::None), failed(FaultKind::Forbidden));
    assert_eq!(gone(joined, &[("b", Kind::Browser), ("y", Kind::Browser)]), ["y".into()]);
}

#[test]
fn an_agent_session_that_cannot_be_read_is_not_judged_by_its_browser_alone() {
    let linked = || whole(vec![browser("b", Some("a"))]);
    let joined = pair(ApiVersion::V4, linked(), with_rejected(Vec::new(), Some("a"), Owner::None));
    assert_eq!((joined.sessions().count(), joined.sure.rejected.len()), (0, 1));
    let nameless = pair(ApiVersion::V3, linked(), with_rejected(Vec::new(), None, Owner::None));
    assert_eq!((nameless.sessions().count(), refused(&nameless.sure)), (0, vec!["a"]), "the one that cannot be read may be its agent session");
    assert_eq!(gone(nameless, &[("x", Kind::Agent)]), []);
}

/// Only v2 says whether an agent session is kept alive, and says so on its own row.
#[test]
fn without_the_right_to_the_agent_sessions_it_is_not_known_whether_one_is_kept_alive() {
    let unlearnt = |version, agents| {
        let joined = pair(version, whole(vec![browser("b1", None), browser("b2", Some("a"))]), agents);
        let flags: Vec<(String, bool)> = joined.sessions().map(|session| (session.id.to_string(), session.keep_alive_unlearnt)).collect();
        flags.into_iter().filter(|(_, unlearnt)| *unlearnt).map(|(id, _)| id).collect::<Vec<_>>()
    };
    assert_eq!(unlearnt(ApiVersion::V2, failed(FaultKind::Forbidden)), ["a"]);
    assert_eq!(unlearnt(ApiVersion::V3, failed(FaultKind::Forbidden)), [""; 0]);
    assert_eq!(unlearnt(ApiVersion::V2, whole(Vec::new())), [""; 0], "it is over");
}

#[test]
fn a_session_is_at_work_where_its_agent_is_be_there_a_browser_or_not() {
    let busy = |id: &str| Agent { sign: Sign::Busy, ..live(id) };
    let listing = joined(ApiVersion::V3, whole(vec![browser("b", Some("a")), browser("c", None)]), whole(vec![busy("a"), busy("d"), live("e")]));
    let signs: Vec<Sign> = listing.expect("a listing").sessions().map(|session| session.sign).collect();
    assert_eq!(signs, [Sign::Nothing, Sign::Busy, Sign::Busy, Sign::Nothing]);
}
