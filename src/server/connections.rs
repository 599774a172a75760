//! Connections: how many at once, and how long one may take to say what it wants.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

/// Far more than scrapers, probes and a team's open pages need; further ones wait to be accepted.
const MOST_CONNECTIONS: usize = 128;
/// A request's line and headers.
const LONGEST_HEAD: usize = 32 << 10;
/// From the first byte, or from the last answer, to the end of a request's headers.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);
/// No connection lives longer, so that a client which does not read its answer gives its place back.
const LONGEST_CONNECTION: Duration = Duration::from_secs(300);
/// For answers under way when the server stops.
const FINISH_WITHIN: Duration = Duration::from_secs(2);
/// Out of file descriptors, most likely: some connection has to close first.
const AFTER_ACCEPT_FAULT: Duration = Duration::from_millis(200);

pub(super) async fn serve(listener: TcpListener, router: Router, shutdown: CancellationToken) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let tasks = TaskTracker::new();
    while let Some(Some((stream, place))) = shutdown.run_until_cancelled(accept(&listener, &places)).await {
        tasks.spawn(connection(stream, router.clone(), shutdown.clone(), place));
    }
    drop(listener);
    tasks.close();
    if tokio::time::timeout(FINISH_WITHIN, tasks.wait()).await.is_err() {
        debug!(open = tasks.len(), "some connections were cut");
    }
}

/// Nothing only where the semaphore is closed, which nobody does.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return Some((stream, place)),
            Err(why) => {
                warn!(%why, "a connection could not be accepted");
                tokio::time::sleep(AFTER_ACCEPT_FAULT).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, router: Router, shutdown: CancellationToken, _place: OwnedSemaphorePermit) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN).max_buf_size(LONGEST_HEAD);
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)));
    let served = tokio::time::timeout(LONGEST_CONNECTION, async {
        tokio::select! {
            served = connection.as_mut() => served,
            () = shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    });
    match served.await {
        Ok(Ok(())) => {}
        Ok(Err(why)) => debug!(%why, "a connection broke"),
        Err(_) => debug!("a connection was cut for its age"),
    }
}
