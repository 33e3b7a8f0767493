//! `report.html`, and the pictures that it shows.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::Value;
use yolo_cam::{
    explain::{ExplainedBox, Grouping},
    render::{Blend, HeatArea, overlay},
    report::Record,
};

use super::{
    PictureReport, ReportSpec, Sink, Told,
    gallery::{Card, FOLDER, GalleryPictures, PageCard, RunFacts, Shown, heat::grey, write_gallery},
};
use crate::output::{Entry, Explained, path_of_url};

pub const SPEC: ReportSpec = ReportSpec {
    name: NAME,
    summary: "report.html, a gallery; its pictures are in report-files/",
    of_pictures: Some(|run| Ok(Box::new(Cards { pictures: GalleryPictures::new(run.folder, FOLDER)? }))),
    of_run: Some(|run| {
        let (path, facts) = (run.folder.join("report.html"), run.facts.clone());
        Box::new(Page { path, facts, cards: Vec::new() })
    }),
    knows: |kept| serde_json::from_value::<Card>(kept.clone()).is_ok(),
};

const NAME: &str = "html";

struct Cards {
    pictures: GalleryPictures,
}

impl PictureReport for Cards {
    fn write(&self, explained: &Explained, record: &Record, _: &mut Vec<PathBuf>) -> Result<Value> {
        let Explained { explanation, model, render, .. } = explained;
        let picture = GalleryPictures::large(explained.picture);
        let small = GalleryPictures::small(&picture);
        // The lines that the user wants are for pictures of another size.
        let options = (*render)
            .clone()
            .with_heat(HeatArea::Full)
            .with_blend(Blend::Heat)
            .with_labels(false)
            .with_line_width(None)
            .with_colorbar(false)
            .with_footer(None);
        let thumbnail = match explanation.groups(Grouping::All).first() {
            Some(all) => overlay(&small, explanation, all, model, &options)?,
            None => small,
        };
        let map = |(index, found): (usize, &ExplainedBox)| {
            let has_signal = found.heatmap.no_signal().is_none();
            has_signal.then(|| grey(explanation, index, render.normalize)).transpose()
        };
        let maps = explanation.boxes.iter().enumerate().map(map).collect::<yolo_cam::Result<_>>()?;
        let heat_area = explanation.letterbox.map.visible();
        let shown = Shown { thumbnail, picture, maps, heat_area };
        let files = self.pictures.write(explained.names.source(), &shown)?;
        let card = Card::explained(record, explained.layer.map(str::to_owned), files);
        Ok(serde_json::to_value(card)?)
    }
}

struct Page {
    path: PathBuf,
    facts: RunFacts,
    cards: Vec<PageCard>,
}

/// The files that the page shows of these results, in the folder of the page.
pub fn files_of_page(entry: &Entry) -> Vec<String> {
    cards(entry).flat_map(|card| card.urls().map(path_of_url).collect::<Vec<_>>()).collect()
}

fn cards(entry: &Entry) -> impl Iterator<Item = Card> {
    let kept = entry.kept.get(NAME).into_iter().flatten();
    kept.filter_map(|card| serde_json::from_value::<Card>(card.clone()).ok())
}

impl Sink<Told<'_>> for Page {
    fn take(&mut self, told: &Told) {
        match told {
            Told::Explained { entry, .. } | Told::Skipped(entry) => {
                let frame = entry.picture.frame();
                self.cards.extend(cards(entry).map(|card| (card, frame)));
            }
            Told::Failed { image, frame, error } => self.cards.push((Card::failed(image, error), *frame)),
        }
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(write_gallery(&self.path, &self.facts, &self.cards)?)
    }
}
