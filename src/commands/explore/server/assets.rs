//! The page and its files.

use axum::{
    extract::{Path, State},
    http::header,
    response::{Html, IntoResponse},
};

use super::{
    super::{page::asset, refusal::Refusal},
    Served,
};

pub async fn page(State(served): State<Served>) -> impl IntoResponse {
    Html(served.page.to_string())
}

pub async fn file(Path(name): Path<String>) -> Result<impl IntoResponse, Refusal> {
    let (kind, text) = asset(&name).ok_or_else(|| Refusal::missing("there is no such file of the page"))?;
    Ok(([(header::CONTENT_TYPE, kind)], text))
}
