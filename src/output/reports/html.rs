//! `report.html`, and the pictures that it shows.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::Value;
use yolo_cam::{
    explain::Grouping,
    render::{Blend, HeatArea, overlay},
    report::Record,
};

use super::{
    PictureReport, ReportSpec, Sink, Told,
    gallery::{Card, GalleryPictures, write_gallery},
};
use crate::{cli::default_alpha, output::Explained};

pub const SPEC: ReportSpec = ReportSpec {
    name: NAME,
    summary: "report.html, a gallery; its pictures are in report-files/",
    of_pictures: Some(|run| Ok(Box::new(Cards { pictures: GalleryPictures::new(run.folder)? }))),
    of_run: Some(|run| {
        Box::new(Page { path: run.folder.join("report.html"), settings: run.settings.to_vec(), cards: Vec::new() })
    }),
};

const NAME: &str = "html";

struct Cards {
    pictures: GalleryPictures,
}

impl PictureReport for Cards {
    fn write(&self, explained: &Explained, record: &Record, _: &mut Vec<PathBuf>) -> Result<Value> {
        let Explained { explanation, model, render, .. } = explained;
        let large = GalleryPictures::large(explained.picture);
        // The page draws the boxes itself.
        let options = (*render)
            .clone()
            .with_heat(HeatArea::Full)
            .with_blend(Blend::Heat)
            .with_alpha(default_alpha(Blend::Heat))
            .with_labels(false)
            .with_line_width(Some(0))
            .with_colorbar(false)
            .with_footer(None);
        let heat = match explanation.groups(Grouping::All).first() {
            Some(all) => overlay(&large, explanation, all, model, &options)?,
            None => large.clone(),
        };
        let files = self.pictures.write(explained.names.source(), &large, &heat)?;
        let card = Card::explained(record, explained.layer.map(str::to_owned), files);
        Ok(serde_json::to_value(card)?)
    }
}

struct Page {
    path: PathBuf,
    settings: Vec<(String, String)>,
    cards: Vec<Card>,
}

impl Sink<Told<'_>> for Page {
    fn take(&mut self, told: &Told) {
        match told {
            Told::Explained { entry, .. } | Told::Skipped(entry) => {
                let kept = entry.kept.get(NAME).into_iter().flatten();
                self.cards.extend(kept.filter_map(|card| serde_json::from_value::<Card>(card.clone()).ok()));
            }
            Told::Failed { image, error } => self.cards.push(Card::failed(image, error)),
        }
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(write_gallery(&self.path, &self.settings, &self.cards)?)
    }
}
