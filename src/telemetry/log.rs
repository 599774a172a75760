//! Log lines on standard error, as text for people or as JSON for collectors.

use std::io::IsTerminal;
use std::sync::OnceLock;

use tracing::Subscriber;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Text,
    Json,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogFault {
    #[error("--log-level: {found:?} is neither error, warn, info, debug, trace, off nor a filter such as session_reaper=debug")]
    Level { found: String },
    #[error("logging is set up already")]
    Twice,
}

/// Keeps the log going; what is still to be written when it is dropped is written then.
pub struct Guard {
    _worker: WorkerGuard,
}

/// Lines that may wait for a reader.
const LINES_KEPT: usize = 10_000;

/// Counts the lines that were lost.
static LOST: OnceLock<ErrorCounter> = OnceLock::new();

/// How many lines were lost so far, because whoever reads the log did not keep up.
pub(super) fn lost() -> u64 {
    LOST.get().map_or(0, |lost| lost.dropped_lines() as u64)
}

/// Sets up logging for the whole process, once. A thread of its own writes: whoever reads standard error slowly, or not at all, delays no release, and
/// past [`LINES_KEPT`] loses lines instead.
pub fn init(shape: Shape, level: &str) -> Result<Guard, LogFault> {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let (writer, worker) = NonBlockingBuilder::default().buffered_lines_limit(LINES_KEPT).lossy(true).finish(std::io::stderr());
    LOST.set(writer.error_counter()).map_err(|_| LogFault::Twice)?;
    let subscriber = subscriber(shape, level, colour, writer)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LogFault::Twice)?;
    Ok(Guard { _worker: worker })
}

pub(super) fn subscriber<W>(shape: Shape, level: &str, colour: bool, writer: W) -> Result<Box<dyn Subscriber + Send + Sync>, LogFault>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt().with_env_filter(filter(level)?).with_writer(writer);
    Ok(match shape {
        Shape::Text => Box::new(builder.with_ansi(colour).with_target(false).finish()),
        Shape::Json => Box::new(builder.json().flatten_event(true).with_current_span(false).with_span_list(false).finish()),
    })
}

const LEVELS: &[&str] = &["off", "error", "warn", "info", "debug", "trace"];

/// A bare level is about this program; its libraries speak only of trouble, since what they say at lower levels may repeat a request's headers.
fn filter(level: &str) -> Result<EnvFilter, LogFault> {
    let fault = || LogFault::Level { found: level.to_owned() };
    let word = level.trim().to_ascii_lowercase();
    if LEVELS.contains(&word.as_str()) {
        let libraries = if matches!(word.as_str(), "off" | "error") { word.as_str() } else { "warn" };
        return EnvFilter::try_new(format!("{libraries},session_reaper={word}")).map_err(|_| fault());
    }
    // Any other single word would be taken for a target's name, so that a misspelt level would log nothing.
    if !word.contains(['=', ',', ':', '[']) {
        return Err(fault());
    }
    EnvFilter::try_new(level).map_err(|_| fault())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_that_is_none_is_refused_with_what_was_found() {
        for found in ["loud", "", "session_reaper=loud", "info warn"] {
            let said = filter(found).expect_err(found).to_string();
            assert!(said.contains(&format!("{found:?}")) && said.contains("debug"), "{said}");
        }
    }

    #[test]
    fn levels_and_filters_are_read() {
        for level in ["info", "DEBUG", "off", "session_reaper=debug", "warn,session_reaper::telemetry=trace"] {
            assert!(filter(level).is_ok(), "{level}");
        }
    }

    #[test]
    fn libraries_stay_quiet_at_debug() {
        assert_eq!(filter("debug").expect("a level").to_string(), "session_reaper=debug,warn");
    }
}
