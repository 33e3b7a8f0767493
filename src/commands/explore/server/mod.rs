//! The server: what is asked at which address, and who may ask.

mod assets;
mod connections;
mod guard;
mod length;
mod pictures;

use std::{
    io::{self, Write},
    net::TcpListener,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tower_http::{catch_panic::CatchPanicLayer, set_header::SetResponseHeaderLayer, timeout::RequestBodyTimeoutLayer};

use self::{
    guard::{Guard, Token},
    pictures::Shelves,
};
use super::{Explorer, answers, catalogue::MOST_BYTES, engine::Engine, refusal::Refusal, site::Site};
use crate::cli::{DEFAULT_PORT, ExploreCommand, Verbosity};

/// The largest question, in bytes: strokes of a brush are the longest.
const MOST_QUESTION: usize = 1 << 20;

/// How long a part of a request may keep us waiting.
const PATIENCE: Duration = Duration::from_secs(20);

/// Nothing comes from elsewhere, and nobody shows the page inside his own.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What the server has besides.
#[derive(Clone)]
struct Served {
    site: Site,
    shelves: Arc<Shelves>,
    page: Arc<str>,
}

/// Takes the address, before anything else is begun.
///
/// # Errors
/// If it can't be had.
pub fn listen(command: &ExploreCommand) -> Result<TcpListener> {
    let listener = bound(&command.host, command.port)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Serves the page until the program ends.
///
/// # Errors
/// If the system refuses.
pub fn serve(listener: TcpListener, explorer: Arc<Explorer>, engine: Engine, page: String) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        let token = (!address.ip().is_loopback()).then(Token::new).transpose()?;
        let guard = Arc::new(Guard::new(&explorer.command.host, address, token));
        tell(&explorer, &guard)?;
        let site = Site { explorer, engine: Arc::new(engine) };
        let served = Served { site, shelves: Arc::default(), page: page.into() };
        connections::accept(&listener, router(served, guard)).await
    })
}

/// Takes the port. Where nobody asked for one and the usual is taken, any other will do.
fn bound(host: &str, port: Option<u16>) -> Result<TcpListener> {
    let wanted = port.unwrap_or(DEFAULT_PORT);
    match TcpListener::bind((host, wanted)) {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && port.is_none() => {
            let listener = TcpListener::bind((host, 0)).with_context(|| format!("no port of {host:?} is free"))?;
            say!("note: port {wanted} is taken, so another one is used");
            Ok(listener)
        }
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            Err(anyhow!("port {wanted} of {host:?} is taken; use another --port, or --port 0 for any that is free"))
        }
        Err(error) => Err(anyhow!("cannot serve at {host:?}, port {wanted}: {error}; check --host and --port")),
    }
}

/// Prints the address, and opens it.
fn tell(explorer: &Explorer, guard: &Guard) -> Result<()> {
    let address = guard.address();
    // Scripts read it.
    let mut out = io::stdout().lock();
    writeln!(out, "explore: {address}").and_then(|()| out.flush()).context("stdout cannot be written")?;
    let is_talkative = explorer.command.verbosity >= Verbosity::Normal;
    if explorer.command.opens && open::that_detached(&address).is_err() && is_talkative {
        say!("note: no browser could be opened; open the address above");
    }
    if is_talkative {
        say!("press Ctrl-C to stop");
    }
    Ok(())
}

fn router(served: Served, guard: Arc<Guard>) -> Router {
    let mut answers = Router::new();
    for (name, answer) in answers::all() {
        answers = answers.route(&format!("/api/pictures/{{id}}/{name}"), answer);
    }
    let answers = answers
        .layer(DefaultBodyLimit::max(MOST_QUESTION))
        .layer(middleware::from_fn_with_state(MOST_QUESTION, length::check))
        .with_state(served.site.clone());
    let adding = post(pictures::add)
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        .layer(middleware::from_fn_with_state(MOST_BYTES, length::check));
    let files = Router::new()
        .route("/", get(assets::page))
        .route("/assets/{name}", get(assets::file))
        .route("/api/pictures", get(pictures::list).merge(adding))
        .route("/api/pictures/{id}/thumbnail", get(pictures::thumbnail))
        .route("/api/pictures/{id}/picture", get(pictures::picture))
        .with_state(served);
    let header = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
    };
    files
        .merge(answers)
        .fallback(|| async { Refusal::missing("there is nothing at this address") })
        .method_not_allowed_fallback(|| async {
            Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "this method is not allowed at this address")
        })
        .layer(RequestBodyTimeoutLayer::new(PATIENCE))
        .layer(middleware::from_fn_with_state(guard, guard::check))
        .layer(header(header::CONTENT_SECURITY_POLICY, POLICY))
        .layer(header(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header(header::REFERRER_POLICY, "no-referrer"))
        .layer(header(header::CACHE_CONTROL, "no-store"))
        .layer(header(HeaderName::from_static("cross-origin-resource-policy"), "same-origin"))
        .layer(CatchPanicLayer::custom(|_| -> Response {
            Refusal::fault("a fault of yolo-cam, please report it").into_response()
        }))
}
