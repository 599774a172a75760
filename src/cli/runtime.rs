//! The runtime that a command's futures run on.

use crate::cli::Failure;

/// Waiting for answers needs few threads, whatever the number of cores: two keep one busy account from holding up the others.
const WORKERS: usize = 2;

pub fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
        .map_err(|why| Failure::work(format!("the runtime could not be started: {why}")))?
        .block_on(work)
}
