//! A server of bytes: it answers each request with what the test wrote down for its address, faults of the wire included, and remembers what it was asked.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What comes back.
#[derive(Clone)]
pub(super) enum Reply {
    /// These bytes; then the connection is closed.
    Bytes(Vec<u8>),
    /// These bytes, and the connection stays open for the next request.
    KeptAlive(Vec<u8>),
    /// These bytes, and then nothing more on an open connection.
    Hang(Vec<u8>),
    /// The connection is reset.
    Reset,
}

impl Reply {
    pub(super) fn json(body: &str) -> Self {
        Self::with(200, "content-type: application/json\r\n", body.as_bytes())
    }

    pub(super) fn status(status: u16, headers: &str, body: &str) -> Self {
        Self::with(status, headers, body.as_bytes())
    }

    pub(super) fn with(status: u16, headers: &str, body: &[u8]) -> Self {
        let head = format!("HTTP/1.1 {status} Whatever\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n", body.len());
        Self::Bytes([head.as_bytes(), body].concat())
    }

    /// JSON on a connection that stays open.
    pub(super) fn kept_alive(body: &str) -> Self {
        Self::KeptAlive(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes())
    }

    /// The same answer without its last bytes.
    pub(super) fn cut(self, by: usize) -> Self {
        match self {
            Self::Bytes(mut bytes) => {
                bytes.truncate(bytes.len() - by);
                Self::Bytes(bytes)
            }
            other => other,
        }
    }
}

/// One request as it arrived, head and body.
pub(super) type Asked = Arc<Mutex<Vec<String>>>;

pub(super) struct Server {
    pub(super) url: String,
    asked: Asked,
    connections: Arc<AtomicUsize>,
}

impl Server {
    /// `replies`: by request line without the version, as `GET /v1/sessions?status=RUNNING`. Anything else is 404.
    pub(super) async fn start<const N: usize>(replies: [(&str, Reply); N]) -> Self {
        Self::answering(replies.into_iter().map(|(line, reply)| (line.to_owned(), reply)).collect()).await
    }

    /// As [`Server::start`], for replies that were put together.
    pub(super) async fn answering(replies: HashMap<String, Reply>) -> Self {
        let replies = Arc::new(replies);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Asked::default();
        let connections = Arc::new(AtomicUsize::new(0));
        let (seen, opened) = (asked.clone(), connections.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                opened.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, replies.clone(), seen.clone()));
            }
        });
        Self { url, asked, connections }
    }

    /// A listing server: what it answers to RUNNING and to PENDING.
    pub(super) async fn listing(running: Reply, pending: Reply) -> Self {
        Self::start([("GET /v1/sessions?status=RUNNING", running), ("GET /v1/sessions?status=PENDING", pending)]).await
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("a lock").clone()
    }
}

async fn serve(mut stream: TcpStream, replies: Arc<HashMap<String, Reply>>, asked: Asked) {
    while let Some(request) = request(&mut stream).await {
        let line = request.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
        asked.lock().expect("a lock").push(request);
        match replies.get(&line).cloned().unwrap_or_else(|| Reply::status(404, "", r#"{"message":"no such session"}"#)) {
            Reply::KeptAlive(bytes) => drop(stream.write_all(&bytes).await),
            Reply::Bytes(bytes) => return drop(stream.write_all(&bytes).await),
            Reply::Reset => return drop(stream.set_zero_linger()),
            Reply::Hang(bytes) => {
                drop(stream.write_all(&bytes).await);
                std::future::pending::<()>().await;
            }
        }
    }
}

async fn request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).and_then(|length| length.parse().ok()).unwrap_or(0);
            if body.len() >= length {
                return Some(text);
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
