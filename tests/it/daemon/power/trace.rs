//! What a program did to its disk and what it sent, in the order in which the kernel was asked: read from strace's own record.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use session_reaper::domain::name::SessionId;

/// The calls that change a disk, make it durable, or send.
pub(super) const CALLS: &str = "trace=openat,creat,write,pwrite64,writev,pwritev,ftruncate,fallocate,rename,renameat,renameat2,unlink,unlinkat,link,linkat,fsync,fdatasync,sendto,sendmsg";

/// One thing that was asked of the kernel. A change may be on its way from the moment it is asked for; a sync holds once it has returned.
pub(super) enum Act {
    /// The name is there from now on, if it was not before.
    Created(PathBuf),
    Removed(PathBuf),
    Wrote {
        file: PathBuf,
        at: usize,
        bytes: Vec<u8>,
    },
    Cut {
        file: PathBuf,
        length: usize,
    },
    /// What was asked for before this is on the disk once it is `Synced`.
    Syncing(PathBuf),
    Synced(PathBuf),
    /// The bytes of a release are about to leave.
    Requested(SessionId),
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created(name) => write!(f, "{} created", name.display()),
            Self::Removed(name) => write!(f, "{} removed", name.display()),
            Self::Wrote { file, at, bytes } => write!(f, "{} bytes written to {} at {at}", bytes.len(), file.display()),
            Self::Cut { file, length } => write!(f, "{} cut to {length}", file.display()),
            Self::Syncing(file) => write!(f, "{} being synced", file.display()),
            Self::Synced(file) => write!(f, "{} synced", file.display()),
            Self::Requested(id) => write!(f, "the release of {id} leaving"),
        }
    }
}

/// What a record of strace with `-f -yy -xx` holds of the files under `folder` whose names begin with `name`, of that folder, and of releases.
pub(super) fn read(record: &str, folder: &Path, name: &str) -> Vec<Act> {
    let mut reader = Reader { store: folder.join(name), folder: folder.to_owned(), unfinished: HashMap::new(), acts: Vec::new() };
    record.lines().for_each(|line| reader.line(line));
    reader.acts
}

struct Reader {
    store: PathBuf,
    folder: PathBuf,
    /// The first half of each thread's call that another thread's has come between.
    unfinished: HashMap<String, String>,
    acts: Vec<Act>,
}

impl Reader {
    fn line(&mut self, line: &str) {
        let (thread, rest) = line.split_once(' ').expect("a thread's number");
        let rest = rest.trim_start();
        if let Some(begun) = rest.strip_suffix(" <unfinished ...>") {
            self.begins(begun);
            self.unfinished.insert(thread.to_owned(), begun.to_owned());
        } else if rest.starts_with("<... ") {
            let begun = self.unfinished.remove(thread).unwrap_or_default();
            self.ends(&begun, rest);
        } else if !rest.starts_with("--- ") && !rest.starts_with("+++ ") {
            self.begins(rest);
            self.ends(rest, rest);
        }
    }

    fn begins(&mut self, call: &str) {
        let (name, arguments) = call.split_once('(').expect("a call");
        let file = || path_of(arguments).filter(|path| self.is_ours(path));
        match name {
            "pwrite64" => {
                if let Some(file) = file() {
                    let bytes = strings(arguments).concat();
                    let at = last_number(arguments, &bytes);
                    self.acts.push(Act::Wrote { file, at, bytes });
                }
            }
            "ftruncate" => {
                if let Some(file) = file() {
                    let length = number(arguments.rsplit(", ").next().expect("a length"));
                    self.acts.push(Act::Cut { file, length });
                }
            }
            "fsync" | "fdatasync" => self.acts.extend(file().map(Act::Syncing)),
            "unlink" => self.acts.extend(strings(arguments).first().map(|bytes| path(bytes)).filter(|path| self.is_ours(path)).map(Act::Removed)),
            "write" | "writev" | "sendto" | "sendmsg" if arguments.contains("TCP:") => {
                self.acts.extend(release(&strings(arguments).concat()).map(Act::Requested))
            }
            // A store that were written in another way than these would go unseen.
            "openat" => {}
            other => assert!(file().is_none(), "{other} is not understood: {call}"),
        }
    }

    fn ends(&mut self, begun: &str, end: &str) {
        let Some((name, arguments)) = begun.split_once('(') else { return };
        // A call that the process's end cut short has no result: `?`.
        let result = end.rsplit(" = ").next().expect("a result");
        let (worked, failed) = (result.starts_with(|first: char| first.is_ascii_digit()), result.starts_with('-'));
        match name {
            "openat" if worked && arguments.contains("O_CREAT") => {
                self.acts.extend(strings(arguments).first().map(|bytes| path(bytes)).filter(|path| self.is_ours(path)).map(Act::Created));
            }
            "fsync" | "fdatasync" if worked => self.acts.extend(path_of(arguments).filter(|path| self.is_ours(path)).map(Act::Synced)),
            "pwrite64" | "ftruncate" | "fsync" | "fdatasync" | "unlink" => assert!(!failed, "it failed: {begun} … {end}"),
            _ => {}
        }
    }

    /// The index that readers share is made anew from the write-ahead file; it is no part of what a disk must hold.
    fn is_ours(&self, path: &Path) -> bool {
        let text = path.as_os_str().to_string_lossy();
        *path == *self.folder || (text.starts_with(&*self.store.to_string_lossy()) && !text.ends_with("-shm"))
    }
}

/// The session of a release request, by its first line and its body.
fn release(sent: &[u8]) -> Option<SessionId> {
    let text = String::from_utf8_lossy(sent);
    let (_, behind) = text.split_once("POST /v1/sessions/")?;
    text.contains("REQUEST_RELEASE").then(|| behind.split(' ').next().expect("an id").into())
}

/// The file of the descriptor that a call begins with: `9<\x2f\x74…>, …`. Pipes and sockets stand there as they are.
fn path_of(arguments: &str) -> Option<PathBuf> {
    let (name, _) = arguments.split_once('<')?.1.split_once('>')?;
    name.starts_with("\\x").then(|| path(&unescaped(name)))
}

fn path(bytes: &[u8]) -> PathBuf {
    String::from_utf8_lossy(bytes).into_owned().into()
}

/// Every string among the arguments.
fn strings(arguments: &str) -> Vec<Vec<u8>> {
    arguments.split('"').skip(1).step_by(2).map(unescaped).collect()
}

/// `\x61\x62` as bytes.
fn unescaped(text: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).expect("a hexadecimal digit") as u8;
    text.as_bytes().chunks_exact(4).map(|four| digit(four[2]) << 4 | digit(four[3])).collect()
}

/// Where a write goes; its length, which comes before that, is that of its bytes.
fn last_number(arguments: &str, bytes: &[u8]) -> usize {
    let mut numbers = arguments.rsplit('"').next().expect("what comes after the bytes").trim_start_matches(", ").split(", ");
    assert_eq!(numbers.next().map(number), Some(bytes.len()), "the record was cut: {arguments}");
    number(numbers.next().expect("a place"))
}

fn number(text: &str) -> usize {
    text.chars().take_while(char::is_ascii_digit).collect::<String>().parse().expect("a number")
}
