//! Whether a configuration has changed on its disk: its file, and the files that hold its credentials. They are read, so that it makes no difference how
//! they change: in place, by a new file under the same name, or by a link that leads elsewhere, as in a volume of Kubernetes.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::cli::{Failure, Globals, configured};
use crate::config::{self, Credential, Credentials};
use crate::daemon::crew::Setup;
use crate::signals::Signal;

/// From one look to the next.
const INTERVAL: Duration = Duration::from_secs(2);

/// What stood in each file when it was last read; nothing where there is none. Of its contents this keeps no more than a hash.
type Prints = BTreeMap<PathBuf, Option<u64>>;

/// The files that a configuration was read from.
#[derive(Debug, Default)]
pub struct Watch {
    prints: Prints,
    /// Found changed at the last look. It may be half written: it counts once two looks find the same.
    pending: Option<Prints>,
}

impl Watch {
    /// These files are about to be read, or have just been: of those that are new here only what changes from now on counts. Others are watched no longer.
    pub fn follow(&mut self, files: impl IntoIterator<Item = PathBuf>) {
        let mut before = std::mem::take(&mut self.prints);
        let known = |file: PathBuf| before.remove_entry(&file).unwrap_or_else(|| (file.clone(), print(&file)));
        self.prints = files.into_iter().map(known).collect();
        self.pending = None;
    }

    /// All of them are about to be read again.
    pub fn refresh(&mut self) {
        self.prints.iter_mut().for_each(|(file, known)| *known = print(file));
        self.pending = None;
    }

    /// Whether they have changed, and stand still again. Each change is told once.
    pub fn has_changed(&mut self) -> bool {
        let prints: Prints = self.prints.keys().map(|file| (file.clone(), print(file))).collect();
        if prints == self.prints {
            self.pending = None;
            return false;
        }
        let settled = self.pending.take().is_some_and(|before| before == prints);
        if settled {
            self.prints = prints;
        } else {
            self.pending = Some(prints);
        }
        settled
    }
}

fn print(file: &Path) -> Option<u64> {
    let contents = std::fs::read(file).ok()?;
    let mut hasher = DefaultHasher::new();
    contents.hash(&mut hasher);
    Some(hasher.finish())
}

/// The watch of this process, for whoever reads the configuration and for whoever looks.
pub type Shared = Arc<Mutex<Watch>>;

/// The configuration with its credentials, as [`configured::setup`] reads it; from then on its files are watched.
pub fn setup(globals: &Globals, watch: &Shared) -> Result<Setup, Failure> {
    let file = config::file(&configured::source(globals, Credentials::Check));
    let mut watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
    watch.refresh();
    if watch.prints.is_empty() {
        watch.follow(file.clone());
    }
    let setup = configured::setup(globals)?;
    let kept = setup.config.credentials().filter_map(|credential| match credential {
        Credential::File(path) => Some(path.clone()),
        Credential::Env(_) => None,
    });
    watch.follow(file.into_iter().chain(kept));
    Ok(setup)
}

/// Wishes for a reload whenever the files have changed, for as long as somebody hears it.
pub async fn report(watch: Shared, wish: mpsc::Sender<Signal>) {
    while !wish.is_closed() {
        tokio::time::sleep(INTERVAL).await;
        let watch = watch.clone();
        let look = move || watch.lock().unwrap_or_else(PoisonError::into_inner).has_changed();
        if tokio::task::spawn_blocking(look).await.is_ok_and(|changed| changed) {
            tracing::info!("the configuration has changed on its disk");
            let _heard = wish.send(Signal::Reload).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(watch: &mut Watch) -> [bool; 3] {
        [(); 3].map(|()| watch.has_changed())
    }

    #[test]
    fn a_change_counts_once_and_only_when_it_stands_still() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, write) =
            (folder.path().join("config.toml"), |text: &str| std::fs::write(folder.path().join("config.toml"), text).expect("written"));
        write("a");
        let mut watch = Watch::default();
        watch.follow([file]);
        assert_eq!(looks(&mut watch), [false; 3]);
        write("half");
        assert!(!watch.has_changed());
        write("whole");
        assert_eq!(looks(&mut watch), [false, true, false]);
        write("other");
        assert!(!watch.has_changed());
        write("whole");
        assert_eq!(looks(&mut watch), [false; 3], "it was taken back");
        write("other");
        watch.has_changed();
        watch.refresh();
        assert_eq!(looks(&mut watch), [false; 3], "somebody has read it meanwhile");
    }

    /// As the kubelet does it: the file is a link through a folder that is a link, and that one is replaced.
    #[test]
    fn a_link_that_leads_elsewhere_is_a_change_and_so_is_a_file_that_goes_or_comes() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        for (version, text) in [("v1", "a"), ("v2", "b")] {
            std::fs::create_dir(at(version)).expect("a folder");
            std::fs::write(at(version).join("config.toml"), text).expect("written");
        }
        let lead_to = |version: &str| {
            std::os::unix::fs::symlink(version, at("..data.new")).expect("a link");
            std::fs::rename(at("..data.new"), at("..data")).expect("renamed");
        };
        lead_to("v1");
        std::os::unix::fs::symlink("..data/config.toml", at("config.toml")).expect("a link");
        let mut watch = Watch::default();
        watch.follow([at("config.toml")]);
        watch.follow([at("config.toml"), at("key")]);
        lead_to("v2");
        assert_eq!(looks(&mut watch), [false, true, false]);
        std::fs::remove_file(at("config.toml")).expect("removed");
        assert_eq!(looks(&mut watch), [false, true, false]);
        std::fs::write(at("key"), "k").expect("written");
        assert_eq!(looks(&mut watch), [false, true, false]);
        watch.follow([at("key")]);
        std::fs::write(at("config.toml"), "c").expect("written");
        assert_eq!(looks(&mut watch), [false; 3], "it is not read any more");
    }

    /// What changes between a reading and the next look is news.
    #[test]
    fn who_is_followed_on_is_compared_with_what_it_was() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("config.toml");
        std::fs::write(&file, "a").expect("written");
        let mut watch = Watch::default();
        watch.follow([file.clone()]);
        std::fs::write(&file, "b").expect("written");
        watch.follow([file]);
        assert_eq!(looks(&mut watch), [false, true, false]);
    }
}
