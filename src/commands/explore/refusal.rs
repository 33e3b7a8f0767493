//! Why a question is not answered, as HTTP says it: a status and one line.

use std::io;

use anyhow::Error;
use axum::{
    extract::rejection::BytesRejection,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use yolo_cam::text::printable;

/// A status, and what to do in one line.
#[derive(Debug)]
pub struct Refusal {
    pub status: StatusCode,
    pub line: String,
}

impl Refusal {
    pub fn new(status: StatusCode, line: impl AsRef<str>) -> Self {
        // Names may have line breaks.
        Self { status, line: printable(line.as_ref()) }
    }

    /// The question makes no sense.
    pub fn bad(line: impl AsRef<str>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, line)
    }

    /// There is no such thing.
    pub fn missing(line: impl AsRef<str>) -> Self {
        Self::new(StatusCode::NOT_FOUND, line)
    }

    /// A newer question took its place.
    pub fn superseded() -> Self {
        Self::new(StatusCode::CONFLICT, "a newer question of the same kind took the place of this one")
    }

    /// Too many wait.
    pub fn busy() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "too many questions are waiting; ask again later")
    }

    /// The program is wrong.
    pub fn fault(line: &str) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, line)
    }
}

impl From<BytesRejection> for Refusal {
    fn from(rejection: BytesRejection) -> Self {
        let line = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => "the request is longer than what is taken",
            _ => "the request did not arrive as a whole; send it again",
        };
        Self::new(rejection.status(), line)
    }
}

impl From<yolo_cam::Error> for Refusal {
    fn from(error: yolo_cam::Error) -> Self {
        use yolo_cam::Error as E;
        let status = match &error {
            E::Interrupted => return Self::superseded(),
            E::Io { reason, .. } if reason.kind() == io::ErrorKind::NotFound => StatusCode::NOT_FOUND,
            E::Picture { .. } | E::EmptyPicture { .. } | E::Io { .. } | E::Labels { .. } => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            E::Libtorch(_) => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        Self::new(status, error.to_string())
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error.downcast::<yolo_cam::Error>() {
            Ok(error) => error.into(),
            Err(error) => Self::bad(format!("{error:#}")),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, format!("{}\n", self.line)).into_response()
    }
}
