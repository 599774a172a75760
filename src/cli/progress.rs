//! How far long work has come: one line at the foot of a terminal, gone again when the work is done. Where standard error is no terminal there is none,
//! so that no log and no pipe ever gets a byte of it; and none for what is done in no time.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::cli::table::visible;

/// Work that is done by then was no long work.
const PATIENCE: Duration = Duration::from_millis(500);
const REDRAWN_EVERY: Duration = Duration::from_millis(200);
/// Back to the beginning of the line, and nothing in it.
const CLEARED: &str = "\r\u{1b}[K";
/// Of a terminal that does not say how wide it is.
const USUAL_WIDTH: usize = 80;

/// Drawn for as long as it lives.
#[derive(Debug)]
pub struct Progress {
    count: Arc<Count>,
    artist: Option<(Sender<()>, JoinHandle<()>)>,
}

#[derive(Debug, Default)]
struct Count {
    done: AtomicU64,
    of: AtomicU64,
}

impl Progress {
    /// `what` is being done: `reading the books`.
    pub fn of(what: &str) -> Self {
        let count = Arc::new(Count::default());
        let knows_how = std::env::var_os("TERM").is_none_or(|terminal| terminal != "dumb");
        let artist = (std::io::stderr().is_terminal() && knows_how).then(|| draw(visible(what), count.clone())).flatten();
        Self { count, artist }
    }

    /// So much is done of so much.
    pub fn at(&self, done: u64, of: u64) {
        self.count.of.store(of, Ordering::Relaxed);
        self.count.done.store(done, Ordering::Relaxed);
    }

    /// One more is done, of what [`Self::at`] said.
    pub fn step(&self) {
        self.count.done.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((end, artist)) = self.artist.take() {
            drop(end);
            drop(artist.join());
        }
    }
}

/// Nothing where no thread can be had: the work is what matters.
fn draw(what: String, count: Arc<Count>) -> Option<(Sender<()>, JoinHandle<()>)> {
    let (end, ended) = channel();
    let artist = std::thread::Builder::new().name("progress".to_owned()).spawn(move || keep_drawing(&what, &count, &ended)).ok()?;
    Some((end, artist))
}

fn keep_drawing(what: &str, count: &Count, ended: &Receiver<()>) {
    let mut passed = PATIENCE;
    if ended.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Timeout) {
        return;
    }
    loop {
        let (done, of) = (count.done.load(Ordering::Relaxed), count.of.load(Ordering::Relaxed));
        put(&format!("{CLEARED}{}", line(what, done, of, passed, width())));
        if ended.recv_timeout(REDRAWN_EVERY) != Err(RecvTimeoutError::Timeout) {
            return put(CLEARED);
        }
        passed += REDRAWN_EVERY;
    }
}

fn put(text: &str) {
    let mut out = std::io::stderr().lock();
    // Whoever cannot be shown it does without.
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

fn width() -> usize {
    terminal_size::terminal_size_of(std::io::stderr()).map_or(USUAL_WIDTH, |(width, _)| usize::from(width.0))
}

/// One column is left free: a full line would wrap, and could not be taken back.
fn line(what: &str, done: u64, of: u64, passed: Duration, width: usize) -> String {
    let mut text = what.to_owned();
    if let Some(percent) = done.min(of).saturating_mul(100).checked_div(of) {
        _ = write!(text, ": {} of {} ({percent}%)", grouped(done), grouped(of));
    }
    _ = write!(text, ", {}s", passed.as_secs());
    text.chars().take(width.saturating_sub(1)).collect()
}

/// `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let comma = |place: usize| place > 0 && (digits.len() - place).is_multiple_of(3);
    digits.chars().enumerate().flat_map(|(place, digit)| comma(place).then_some(',').into_iter().chain([digit])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_much_of_how_much_and_how_long_it_has_taken() {
        let passed = Duration::from_millis(12_700);
        assert_eq!(line("reading the books", 450_000, 1_800_000, passed, 80), "reading the books: 450,000 of 1,800,000 (25%), 12s");
        assert_eq!(line("opening the store", 0, 0, passed, 80), "opening the store, 12s");
        assert_eq!(line("reading the books", 12, 10, passed, 80), "reading the books: 12 of 10 (100%), 12s");
    }

    #[test]
    fn a_line_never_wraps() {
        assert_eq!(line("reading the books", 1, 2, PATIENCE, 10), "reading t");
        assert_eq!(line("reading the books", 1, 2, PATIENCE, 0), "");
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345, "12,345"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }
}
