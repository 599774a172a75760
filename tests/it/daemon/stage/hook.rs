//! Somebody who is told, and who behaves as badly as a test wants.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use crate::support::eventually;

/// How requests are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::daemon) enum Manner {
    Takes,
    Answers(u16),
    /// 429, and how many seconds to wait.
    Throttles(u32),
    /// Reads everything, and answers after so many milliseconds.
    TakesAfter(u64),
    /// Reads everything and says nothing for as long as the connection lives.
    Hangs,
    /// Closes the connection at once.
    HangsUp,
}

/// One request, and whether it was answered with 200.
#[derive(Clone, Debug)]
pub(in crate::daemon) struct Told {
    pub(in crate::daemon) headers: Vec<(String, String)>,
    pub(in crate::daemon) text: String,
    pub(in crate::daemon) body: Value,
    pub(in crate::daemon) taken: bool,
    pub(in crate::daemon) at: std::time::Instant,
}

impl Told {
    pub(in crate::daemon) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    pub(in crate::daemon) fn events(&self) -> Vec<Value> {
        self.body["events"].as_array().cloned().unwrap_or_default()
    }
}

pub(in crate::daemon) struct Hook {
    port: u16,
    manner: Arc<Mutex<Manner>>,
    told: Arc<Mutex<Vec<Told>>>,
    open: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Hook {
    pub(in crate::daemon) fn that(manner: Manner) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
        let port = listener.local_addr().expect("an address").port();
        let (manner, told, open) = (Arc::new(Mutex::new(manner)), Arc::default(), Arc::new(AtomicBool::new(true)));
        let shared = (Arc::clone(&manner), Arc::clone(&told), Arc::clone(&open));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok).take_while(|_| shared.2.load(Ordering::SeqCst)) {
                let (manner, told) = (Arc::clone(&shared.0), Arc::clone(&shared.1));
                std::thread::spawn(move || attend(stream, &manner, &told));
            }
        });
        Self { port, manner, told, open, thread: Some(thread) }
    }

    /// With a part that nobody else may know.
    pub(in crate::daemon) fn address(&self) -> String {
        format!("http://127.0.0.1:{}/hook-secret?token=hook-secret", self.port)
    }

    pub(in crate::daemon) fn becomes(&self, manner: Manner) {
        *self.manner.lock().expect("no thread panics") = manner;
    }

    pub(in crate::daemon) fn told(&self) -> Vec<Told> {
        self.told.lock().expect("no thread panics").clone()
    }

    /// What was taken of this kind, in order.
    pub(in crate::daemon) fn taken(&self, kind: &str) -> Vec<Value> {
        self.told().iter().filter(|told| told.taken).flat_map(Told::events).filter(|event| event["type"] == kind).collect()
    }

    /// Waits until so many of this kind were taken; gives them.
    pub(in crate::daemon) fn takes(&self, count: usize, kind: &str) -> Vec<Value> {
        eventually(&format!("{count} notifications of {kind} are taken"), || Some(self.taken(kind)).filter(|taken| taken.len() >= count))
    }

    /// Waits until so many requests came, taken or not.
    pub(in crate::daemon) fn hears(&self, count: usize) -> Vec<Told> {
        eventually(&format!("{count} requests come"), || Some(self.told()).filter(|told| told.len() >= count))
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.open.store(false, Ordering::SeqCst);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a receiver that is slow is slow")]
fn attend(stream: TcpStream, manner: &Mutex<Manner>, told: &Mutex<Vec<Told>>) {
    let mut reader = BufReader::new(stream);
    loop {
        let now = *manner.lock().expect("no thread panics");
        if now == Manner::HangsUp {
            return;
        }
        let Some((headers, text)) = read(&mut reader) else { return };
        let now = *manner.lock().expect("no thread panics");
        let taken = matches!(now, Manner::Takes | Manner::TakesAfter(_));
        let body = serde_json::from_str(&text).unwrap_or_default();
        let heard = Told { headers, text, body, taken, at: std::time::Instant::now() };
        if let Manner::TakesAfter(millis) = now {
            std::thread::sleep(Duration::from_millis(millis));
        }
        told.lock().expect("no thread panics").push(heard);
        let answer = match now {
            Manner::Takes | Manner::TakesAfter(_) => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_owned(),
            Manner::Answers(status) => format!("HTTP/1.1 {status} No\r\ncontent-length: 0\r\n\r\n"),
            Manner::Throttles(seconds) => format!("HTTP/1.1 429 Later\r\nretry-after: {seconds}\r\ncontent-length: 0\r\n\r\n"),
            // Until the other side goes away.
            Manner::Hangs => {
                drop(reader.read_to_end(&mut Vec::new()));
                return;
            }
            Manner::HangsUp => return,
        };
        if reader.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// Headers and body of one request; nothing where the connection ends.
fn read(reader: &mut BufReader<TcpStream>) -> Option<(Vec<(String, String)>, String)> {
    let mut headers = Vec::new();
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) => headers.push((name.to_lowercase(), value.to_owned())),
            None => break,
        }
    }
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((headers, String::from_utf8(body).ok()?))
}
