//! What can be asked about a picture: a file for each question.

mod boxes;
mod command;
mod map;
mod paint;
mod query;
mod save;
mod verify;

pub use self::paint::FILLS;

use axum::{
    body::Bytes,
    extract::{Path, State, rejection::BytesRejection},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
    routing::{MethodRouter, post},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use yolo_cam::explain::Watch;

use super::{
    catalogue::Entry,
    engine::{Tag, Turn, When},
    refusal::Refusal,
    site::Site,
    studio::Studio,
    view::View,
};

/// All questions, by their names in addresses.
pub fn all() -> Vec<(&'static str, MethodRouter<Site>)> {
    vec![
        route::<boxes::Boxes>(),
        route::<map::Map>(),
        route::<query::Asked>(),
        route::<paint::Painted>(),
        route::<verify::Verify>(),
        route::<command::CopiedCommand>(),
        route::<save::Save>(),
    ]
}

/// A question about a picture.
trait Question: DeserializeOwned + Send + 'static {
    /// Its name in addresses.
    const NAME: &'static str;

    /// Whether it takes many forward passes.
    fn is_slow(&self, _view: &View) -> bool {
        false
    }

    /// The answer of a worker.
    fn answer(self, studio: &mut Studio, asked: &Asking, watch: &mut Watch) -> Result<Answer, Refusal>;
}

/// About what is asked.
struct Asking {
    picture: Entry,
    view: View,
    when: When,
}

/// Facts in a line of JSON, and behind it what is no text, if there is something.
pub struct Answer {
    json: Vec<u8>,
    behind: Option<Vec<u8>>,
    /// What a browser is to call it, if it is a file.
    file: Option<String>,
}

impl Answer {
    fn facts(facts: &impl Serialize) -> Result<Self, Refusal> {
        let json = serde_json::to_vec(facts).map_err(|error| Refusal::fault(&error.to_string()))?;
        Ok(Self { json, behind: None, file: None })
    }

    fn with(self, behind: Vec<u8>) -> Self {
        Self { behind: Some(behind), ..self }
    }

    fn file(name: String, bytes: Vec<u8>) -> Self {
        Self { json: Vec::new(), behind: Some(bytes), file: Some(name) }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let Self { json, behind, file } = self;
        let kind = |kind: &'static str| [(header::CONTENT_TYPE, HeaderValue::from_static(kind))];
        match (behind, file) {
            (None, _) => (kind("application/json"), json).into_response(),
            (Some(behind), None) => {
                let bytes = [json, b"\n".to_vec(), behind].concat();
                (kind("application/octet-stream"), bytes).into_response()
            }
            (Some(bytes), Some(name)) => {
                let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
                let ascii: String = name.chars().map(plain).collect();
                let value = format!("attachment; filename=\"{ascii}\"");
                let disposition = HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("attachment"));
                let mut response = (kind("application/zip"), bytes).into_response();
                response.headers_mut().insert(header::CONTENT_DISPOSITION, disposition);
                response
            }
        }
    }
}

/// What all questions say.
#[derive(Deserialize)]
#[serde(expecting = "a map of names and values")]
struct Asked<Q> {
    /// A name that a tab gave itself.
    client: String,
    #[serde(default)]
    pane: usize,
    #[serde(default = "in_view")]
    when: When,
    /// Higher than that of all questions before.
    #[serde(default)]
    turn: u64,
    #[serde(default)]
    view: View,
    #[serde(flatten)]
    question: Q,
}

fn in_view() -> When {
    When::View
}

/// A client that would be anybody's.
const LONGEST_CLIENT: usize = 64;

fn route<Q: Question>() -> (&'static str, MethodRouter<Site>) {
    let handler = async |State(site): State<Site>, Path(id): Path<String>, body: Result<Bytes, BytesRejection>| {
        let asked: Asked<Q> = serde_json::from_slice(&body?)
            .map_err(|error| Refusal::bad(format!("the request cannot be understood: {error}")))?;
        let Asked { client, pane, when, turn, view, question } = asked;
        if client.is_empty() || client.len() > LONGEST_CLIENT {
            return Err(Refusal::bad(format!("\"client\" is a name of 1 to {LONGEST_CLIENT} bytes")));
        }
        let picture = site.picture(&id)?;
        let turn = Turn { tag: Tag { client, pane, kind: Q::NAME, when }, number: turn };
        let is_slow = question.is_slow(&view);
        let asking = Asking { picture, view, when };
        site.engine.ask(turn, is_slow, move |studio, watch| question.answer(studio, &asking, watch)).await
    };
    (Q::NAME, post(handler))
}
