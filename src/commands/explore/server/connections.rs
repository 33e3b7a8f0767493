//! Connections: so many that no stranger keeps others out, and so few that they do not exhaust the machine.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use axum::{Router, body::Body, response::Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    task::AbortHandle,
    time::sleep,
};
use tower::ServiceExt;

/// How many are open at most. When another comes, the one that has been idle for longest is closed.
const MOST_OPEN: usize = 256;

/// How long the head of a request may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long to wait where the system gives no connection: all its files may be open.
const PAUSE: Duration = Duration::from_millis(50);

struct Connection {
    task: AbortHandle,
    /// Requests that are being answered.
    busy: Arc<AtomicUsize>,
}

/// Those that are open, oldest first.
#[derive(Default)]
struct Connections {
    next: u64,
    open: BTreeMap<u64, Connection>,
}

impl Connections {
    /// Closes one if there is no room for another: the oldest that is idle, or else the oldest.
    fn make_room(&mut self) {
        self.open.retain(|_, connection| !connection.task.is_finished());
        if self.open.len() < MOST_OPEN {
            return;
        }
        let is_idle = |connection: &Connection| connection.busy.load(Ordering::Relaxed) == 0;
        let idle = self.open.iter().find(|(_, connection)| is_idle(connection)).map(|(&id, _)| id);
        let oldest = idle.or_else(|| self.open.keys().next().copied());
        if let Some(connection) = oldest.and_then(|id| self.open.remove(&id)) {
            connection.task.abort();
        }
    }

    fn add(&mut self, connection: Connection) {
        self.open.insert(self.next, connection);
        self.next += 1;
    }
}

/// Answers whoever connects, until the program ends.
///
/// # Errors
/// None: what goes wrong with a connection ends that one.
pub async fn accept(listener: &TcpListener, router: Router) -> Result<()> {
    let connections = Mutex::new(Connections::default());
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            connections.lock().unwrap_or_else(PoisonError::into_inner).make_room();
            sleep(PAUSE).await;
            continue;
        };
        let busy = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn(serve(stream, router.clone(), Arc::clone(&busy))).abort_handle();
        let mut connections = connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.make_room();
        connections.add(Connection { task, busy });
    }
}

fn serve(stream: TcpStream, router: Router, busy: Arc<AtomicUsize>) -> impl Future<Output = ()> {
    // Small answers go out at once.
    stream.set_nodelay(true).ok();
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let (router, busy) = (router.clone(), Busy::new(&busy));
        async move {
            let answer: Result<Response, Infallible> = router.oneshot(request.map(Body::new)).await;
            drop(busy);
            answer
        }
    });
    async move {
        let mut server = http1::Builder::new();
        server.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
        // A client that goes away, or speaks no HTTP, is none of our business.
        server.serve_connection(TokioIo::new(stream), service).await.ok();
    }
}

/// A request that is being answered.
struct Busy(Arc<AtomicUsize>);

impl Busy {
    fn new(busy: &Arc<AtomicUsize>) -> Self {
        busy.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(busy))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
