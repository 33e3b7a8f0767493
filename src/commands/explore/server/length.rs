//! How long a request may be.

use axum::{
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::super::refusal::Refusal;

/// Refuses a request that says that it is longer than `most` bytes, before any of it is read. What does not say is cut where it is read.
pub async fn check(State(most): State<usize>, request: Request, next: Next) -> Response {
    let said = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match said {
        Some(length) if length > most as u64 => {
            let line = format!("the request has {length} bytes; at most {} MiB are taken", most >> 20);
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, line).into_response()
        }
        _ => next.run(request).await,
    }
}
