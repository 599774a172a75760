//! The demonstration, as somebody meets it who has just cloned the repository.

use std::time::{Duration, Instant};

use crate::support::{Process, session_reaper};

#[test]
fn the_demonstration_releases_and_narrates_and_ends_by_itself() {
    let began = Instant::now();
    let process = Process::start(session_reaper(["demo", "--for", "20s"]));
    let line = process.line_with("/metrics");
    let address = line.split_whitespace().find_map(|word| word.strip_prefix("http://")?.strip_suffix("/metrics")).expect("an address").to_owned();
    for path in ["/metrics", "/api/v1/sessions", "/api/v1/releases"] {
        let answer = get(&address, path);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
    }
    let told = process.line_with("released and confirmed");
    assert!(began.elapsed() < Duration::from_secs(30), "nothing was told for {:?}", began.elapsed());
    assert!(told.contains("of runtime saved"), "{told}");
    let mut process = process;
    assert_eq!(process.ended().code(), Some(0));
    process.line_with("That was ");
}

fn get(address: &str, path: &str) -> String {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address).expect("somebody listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}
