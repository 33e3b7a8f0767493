//! The pictures: which there are, how they look, and those that are added.

use std::sync::Arc;

use anyhow::anyhow;
use axum::{
    Json,
    body::Bytes,
    extract::{Path, Query, State, rejection::BytesRejection},
    http::header,
    response::IntoResponse,
};
use quick_cache::{Weighter, sync::Cache};
use serde::{Deserialize, Serialize};
use tokio::{sync::Semaphore, task::spawn_blocking};
use yolo_cam::{picture::shrunk, report::jpeg_bytes};

use super::{
    super::{
        catalogue::{Entry, Version},
        refusal::Refusal,
    },
    Served,
};
use crate::output::reports::gallery::{LARGE_SIDE, QUALITY};

/// Longest side of a thumbnail, in pixels.
const THUMBNAIL_SIDE: u32 = 160;

/// What is kept of thumbnails and of pictures, in bytes: some ten thousand, and some dozens.
const THUMBNAIL_BYTES: u64 = 64 << 20;
const PICTURE_BYTES: u64 = 32 << 20;

/// How many pictures are made smaller at once: the rest of the machine is for the model.
const AT_ONCE: usize = 2;

#[derive(Clone)]
struct Size;

impl Weighter<Version, Bytes> for Size {
    fn weight(&self, _: &Version, bytes: &Bytes) -> u64 {
        bytes.len().max(1) as u64
    }
}

/// Pictures as a browser gets them, that were asked for last.
pub struct Shelves {
    thumbnails: Shelf,
    pictures: Shelf,
    turns: Semaphore,
}

struct Shelf {
    side: u32,
    kept: Cache<Version, Bytes, Size>,
}

impl Shelf {
    fn new(side: u32, likely: usize, bytes: u64) -> Self {
        Self { side, kept: Cache::with_weighter(likely, bytes, Size) }
    }
}

impl Default for Shelves {
    fn default() -> Self {
        Self {
            thumbnails: Shelf::new(THUMBNAIL_SIDE, 10_000, THUMBNAIL_BYTES),
            pictures: Shelf::new(LARGE_SIDE, 64, PICTURE_BYTES),
            turns: Semaphore::new(AT_ONCE),
        }
    }
}

impl Shelves {
    /// A picture as JPEG, no larger than the shelf has it; made once, however many ask.
    async fn get(&self, shelf: &Shelf, picture: Entry) -> Result<impl IntoResponse + use<>, Refusal> {
        let make = async {
            let turn = self.turns.acquire().await.map_err(|error| Refusal::fault(&error.to_string()))?;
            let (entry, side) = (picture.clone(), shelf.side);
            let made = spawn_blocking(move || jpeg(&entry, side)).await;
            drop(turn);
            made.unwrap_or_else(|_| Err(Refusal::fault("a fault of yolo-cam at this picture, please report it")))
        };
        let bytes = shelf.kept.get_or_insert_async(&picture.version(), make).await?;
        // Panes of the page show the same.
        let headers = [(header::CONTENT_TYPE, "image/jpeg"), (header::CACHE_CONTROL, "private, max-age=60")];
        Ok((headers, bytes))
    }
}

fn jpeg(picture: &Entry, side: u32) -> Result<Bytes, Refusal> {
    let content = picture.content();
    let small = shrunk(&content.load()?.picture, side);
    Ok(jpeg_bytes(&small, QUALITY).map_err(|error| anyhow!("{:?}: {error}", picture.name))?.into())
}

#[derive(Serialize)]
struct Listed {
    id: usize,
    name: String,
    is_added: bool,
}

#[derive(Serialize)]
pub struct List {
    pictures: Vec<Listed>,
    problems: Vec<String>,
}

pub async fn list(State(served): State<Served>) -> Json<List> {
    let catalogue = &served.site.explorer.catalogue;
    let listed = |entry: Entry| Listed { id: entry.id, is_added: entry.is_added(), name: entry.name };
    Json(List { pictures: catalogue.all().into_iter().map(listed).collect(), problems: catalogue.problems.clone() })
}

pub async fn thumbnail(State(served): State<Served>, Path(id): Path<String>) -> Result<impl IntoResponse, Refusal> {
    served.shelves.get(&served.shelves.thumbnails, served.site.picture(&id)?).await
}

pub async fn picture(State(served): State<Served>, Path(id): Path<String>) -> Result<impl IntoResponse, Refusal> {
    served.shelves.get(&served.shelves.pictures, served.site.picture(&id)?).await
}

#[derive(Deserialize)]
pub struct Name {
    #[serde(default)]
    name: String,
}

#[derive(Serialize)]
pub struct Added {
    id: usize,
    name: String,
}

pub async fn add(
    State(served): State<Served>,
    Query(Name { name }): Query<Name>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Added>, Refusal> {
    let body = body?;
    let explorer = Arc::clone(&served.site.explorer);
    let turn = served.shelves.turns.acquire().await.map_err(|error| Refusal::fault(&error.to_string()))?;
    let added = spawn_blocking(move || explorer.catalogue.add(&name, &body)).await;
    drop(turn);
    let Entry { id, name, .. } =
        added.unwrap_or_else(|_| Err(Refusal::fault("a fault of yolo-cam at this picture, please report it")))?;
    Ok(Json(Added { id, name }))
}
