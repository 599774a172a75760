//! Where a report goes: to standard output, or whole into a file.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use serde::Serialize;

use crate::cli::Failure;
use crate::cli::table::{print, width};

/// Text to standard output, or into a file.
pub fn text(text: &str, file: Option<&Path>) -> Result<(), Failure> {
    match file {
        None => print(text),
        Some(path) => whole(text, path).map_err(|why| Failure::work(format!("--output {}: it cannot be written: {why}", path.display()))),
    }
}

/// What is as wide as the terminal is, and in a file as wide as it must be.
pub fn table(render: &dyn Fn(Option<u16>) -> String, file: Option<&Path>) -> Result<(), Failure> {
    text(&render(if file.is_none() { width() } else { None }), file)
}

pub fn json(value: &impl Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::work(format!("cannot write this as JSON: {error}")))?;
    Ok(text + "\n")
}

/// Writes beside the file and puts that in its place once it is on the disk. What is no plain file, such as a pipe, is written as it is.
fn whole(text: &str, path: &Path) -> std::io::Result<()> {
    if path.metadata().is_ok_and(|there| !there.is_file()) {
        return fs::write(path, text);
    }
    // What is a link stays one.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut beside = path.clone().into_os_string();
    beside.push(format!(".{}.part", std::process::id()));
    let written = File::create_new(&beside).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(&beside, &path)).inspect_err(|_| drop(fs::remove_file(&beside)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_whole_and_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        text("one", Some(&path)).unwrap();
        text("two", Some(&path)).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_written_leaves_what_was_there_and_nothing_beside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        fs::create_dir(&path).unwrap();
        let failure = text("one", Some(&path)).unwrap_err();
        assert!(matches!(&failure, Failure::Work(why) if why.contains("report.html")), "{failure:?}");
        let missing = text("one", Some(&folder.path().join("none/report.html"))).unwrap_err();
        assert!(matches!(missing, Failure::Work(_)));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (there, link) = (folder.path().join("there.csv"), folder.path().join("link.csv"));
        fs::write(&there, "before").unwrap();
        std::os::unix::fs::symlink(&there, &link).unwrap();
        text("after", Some(&link)).unwrap();
        assert_eq!(fs::read_to_string(&there).unwrap(), "after");
        assert!(link.symlink_metadata().unwrap().is_symlink());
    }
}
