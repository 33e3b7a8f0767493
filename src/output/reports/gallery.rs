//! The page of a run, with the pictures that it shows beside it in `report-files/`.

pub mod heat;

use std::{
    fs,
    path::{Path, PathBuf},
};

use image::RgbImage;
use serde::{Deserialize, Serialize};
use yolo_cam::{
    Error, Result,
    eval::Verdict,
    explain::Normalize,
    geometry::BBox,
    picture::shrunk,
    render::{Blend, RenderOptions, class_color},
    report::{DetectionEntry, Figure, Record, write_picture},
};

use super::Heading;
use crate::output::{quoted, url_path, write_page};

const PAGE: &str = include_str!("gallery/page.html");
const STYLE: &str = concat!(include_str!("../web/view.css"), include_str!("gallery/style.css"));
/// In the order in which they run.
const SCRIPTS: [&str; 13] = [
    include_str!("../web/base.js"),
    include_str!("gallery/page.js"),
    include_str!("gallery/cards.js"),
    include_str!("../web/form.js"),
    include_str!("../web/dialog.js"),
    include_str!("../web/commands.js"),
    include_str!("../web/zoom.js"),
    include_str!("../web/labels.js"),
    include_str!("../web/heat.js"),
    include_str!("../web/figure.js"),
    include_str!("gallery/view.js"),
    include_str!("../web/state.js"),
    include_str!("gallery/start.js"),
];

/// Folder of the page's pictures, beside the page.
pub const FOLDER: &str = "report-files";
/// Longest side of a thumbnail, in pixels.
const THUMBNAIL_SIDE: u32 = 320;
/// The same of a large view.
pub const LARGE_SIDE: u32 = 1920;
/// Of both, 1 to 100.
pub const QUALITY: u8 = 85;
/// Of grey heat: colours show little faults more than greys do.
const HEAT_QUALITY: u8 = 92;

/// How many class colours there are before they begin again.
const COLORS: usize = 7;

/// A card: one result of a picture, or a picture that failed. The journal keeps those of earlier runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// The picture, as given.
    image: String,
    /// The explained layer, where a picture has a result for each of several.
    layer: Option<String>,
    /// Width in pixels; 0 if it is not known.
    width: u32,
    /// Height in pixels.
    height: u32,
    /// What the page shows of it.
    files: Option<CardFiles>,
    /// Why it failed, if it did.
    error: Option<String>,
    /// In order of confidence.
    detections: Vec<CardBox>,
}

/// What the page says of a box.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CardBox {
    class: String,
    class_id: usize,
    confidence: f32,
    /// `None` if the class is said of the whole picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    box_image: Option<BBox>,
    /// What is drawn of it in place of a rectangle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    figure: Option<Figure>,
    layers: Vec<String>,
    reason: Option<String>,
    /// Its heat as grey levels, a relative URL; `None` if its map has no signal.
    map: Option<String>,
    /// In pixels of the picture, if it has a mask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mask_area: Option<usize>,
    /// What its map is worth, if that was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    verify: Option<Verdict>,
}

/// A picture's files as relative URLs, and where they lie in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CardFiles {
    thumbnail: String,
    picture: String,
    /// What the maps of its boxes cover, in pixels of the picture.
    heat_area: BBox,
    /// By box; `None` if its map has no signal. The page has them with the boxes.
    #[serde(skip)]
    maps: Vec<Option<String>>,
}

impl CardFiles {
    /// All but the maps'.
    pub fn urls(&self) -> [&str; 2] {
        [&self.thumbnail, &self.picture]
    }

    /// The maps' URLs, by box, which are not kept with the other files.
    pub fn take_maps(&mut self) -> Vec<Option<String>> {
        std::mem::take(&mut self.maps)
    }
}

impl Card {
    /// The card of a picture that was explained; `layer`: at which layer, if it has a card for each of several.
    pub fn explained(record: &Record, layer: Option<String>, mut files: CardFiles) -> Self {
        let mut maps = files.take_maps().into_iter();
        let detection = |found: &DetectionEntry| CardBox {
            map: maps.next().flatten(),
            class: found.class.clone(),
            class_id: found.class_id,
            confidence: found.confidence,
            box_image: found.box_image,
            figure: found.figure.clone(),
            layers: found.layers.clone(),
            reason: found.reason.clone(),
            mask_area: found.mask.as_ref().map(|mask| mask.area),
            verify: found.verify,
        };
        Self {
            image: record.image.path.clone(),
            layer,
            width: record.image.width,
            height: record.image.height,
            files: Some(files),
            error: None,
            detections: record.detections.iter().map(detection).collect(),
        }
    }

    /// All files that it shows.
    pub fn urls(&self) -> impl Iterator<Item = &str> {
        let maps = self.detections.iter().filter_map(|found| found.map.as_deref());
        self.files.iter().flat_map(CardFiles::urls).chain(maps)
    }

    /// The card of a picture that failed.
    pub fn failed(image: &str, error: &str) -> Self {
        Self {
            image: image.to_owned(),
            layer: None,
            width: 0,
            height: 0,
            files: None,
            error: Some(error.to_owned()),
            detections: Vec::new(),
        }
    }
}

/// Where the pictures of a page go. Keeps none of them in memory; several threads may write at once.
#[derive(Debug, Clone)]
pub struct GalleryPictures {
    folder: PathBuf,
    name: &'static str,
}

impl GalleryPictures {
    /// Creates the folder of this `name` for them in that of the page.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn new(page_folder: &Path, name: &'static str) -> Result<Self> {
        let folder = page_folder.join(name);
        fs::create_dir_all(&folder).map_err(|reason| Error::Io { path: folder.clone(), reason })?;
        Ok(Self { folder, name })
    }

    /// The size in which the page shows a picture at most.
    pub fn large(picture: &RgbImage) -> RgbImage {
        shrunk(picture, LARGE_SIDE)
    }

    /// The size of a picture on its card at most.
    pub fn small(picture: &RgbImage) -> RgbImage {
        shrunk(picture, THUMBNAIL_SIDE)
    }

    /// Writes what the page shows of a picture. `stem`: a name for the files, its own for each picture.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, stem: &str, shown: &Shown) -> Result<CardFiles> {
        // That of a picture that was found in a folder below may be new.
        let folder = self.folder.join(stem).parent().map_or_else(|| self.folder.clone(), Path::to_owned);
        fs::create_dir_all(&folder).map_err(|reason| Error::Io { path: folder, reason })?;
        let write = |what: &str, picture: &RgbImage, quality: u8| -> Result<String> {
            let name = format!("{stem}-{what}.jpg");
            let path = self.folder.join(&name);
            write_picture(&path, picture, quality)?;
            Ok(format!("{}/{}", self.name, url_path(&name)))
        };
        let map = |(index, map): (usize, &Option<RgbImage>)| {
            map.as_ref().map(|map| write(&format!("map-{index}"), map, HEAT_QUALITY)).transpose()
        };
        Ok(CardFiles {
            thumbnail: write("thumbnail", &shown.thumbnail, QUALITY)?,
            picture: write("picture", &shown.picture, QUALITY)?,
            heat_area: shown.heat_area,
            maps: shown.maps.iter().enumerate().map(map).collect::<Result<_>>()?,
        })
    }
}

/// What the page shows of a picture.
pub struct Shown {
    /// With heat, as [`GalleryPictures::small`] makes it.
    pub thumbnail: RgbImage,
    /// As [`GalleryPictures::large`] makes it.
    pub picture: RgbImage,
    /// For each box its heat as grey levels, if it has a signal.
    pub maps: Vec<Option<RgbImage>>,
    /// What they cover, in pixels of the picture.
    pub heat_area: BBox,
}

/// How the page shows heat until the reader wants it otherwise: as the run drew it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Look {
    /// Red, green and blue, 0 to 255, of 256 even steps of heat from 0 to 1.
    colormap: Vec<[u8; 3]>,
    /// Of the hottest, 0 to 1.
    opacity: f32,
    /// What share of that each of these steps has.
    fading: Vec<f32>,
    /// Less heat is not shown, 0 to 1.
    threshold: f32,
    /// Whether 1 is the largest peak of all boxes of a picture instead of each box's own.
    has_common_scale: bool,
    /// Whether boxes have class and confidence.
    has_labels: bool,
}

impl Look {
    /// Of 256 even steps of heat from 0 to 1.
    pub fn into_colors(self) -> Vec<[u8; 3]> {
        self.colormap
    }

    /// That of a run.
    pub fn of(render: &RenderOptions) -> Self {
        let steps = || (0..=255u8).map(|level| f32::from(level) / 255.0);
        Self {
            colormap: steps().map(|heat| render.colormap.color(heat).0).collect(),
            opacity: render.alpha.unwrap_or(Blend::Heat.default_alpha()),
            fading: steps().map(|heat| Blend::Heat.opacity(heat)).collect(),
            threshold: render.threshold,
            has_common_scale: render.normalize == Normalize::Image,
            has_labels: render.labels,
        }
    }
}

/// What the page says of the run itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunFacts {
    /// What it is called.
    pub heading: Heading,
    /// Names and values.
    pub settings: Vec<(String, String)>,
    /// How heat is shown at first.
    pub look: Look,
    /// The command line that explains a picture in the same way, up to the picture, if there is one.
    pub command: Option<String>,
}

#[derive(Serialize)]
struct Data<'a> {
    #[serde(flatten)]
    run: &'a RunFacts,
    colors: Vec<String>,
    entries: Vec<PageEntry<'a>>,
}

/// A card, and what a command calls its picture.
#[derive(Serialize)]
struct PageEntry<'a> {
    #[serde(flatten)]
    card: &'a Card,
    #[serde(flatten)]
    input: Option<Input>,
}

/// A picture as an input of a command.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Input {
    /// As a shell takes it.
    input: String,
    /// Its number, if it is a frame of that file.
    #[serde(skip_serializing_if = "Option::is_none")]
    frame: Option<u64>,
}

impl Input {
    /// `image`: as messages name it; `frame`: its number, if it is one. `None` if its name is no text.
    pub fn of(image: &str, frame: Option<u64>) -> Option<Self> {
        if image.contains(char::REPLACEMENT_CHARACTER) {
            return None;
        }
        let file = frame.and_then(|_| Some(image.rsplit_once('#')?.0)).unwrap_or(image);
        // Neither a flag nor a list.
        let prefix = if file.starts_with(['-', '@']) { "./" } else { "" };
        Some(Self { input: quoted(&format!("{prefix}{file}")), frame })
    }
}

/// Of classes, until they begin again, as style sheets name them.
pub fn colors() -> Vec<String> {
    let color = |class_id: usize| {
        let [r, g, b] = class_color(class_id).0;
        format!("#{r:02x}{g:02x}{b:02x}")
    };
    (0..COLORS).map(color).collect()
}

/// A card, and the number of its picture, if it is a frame.
pub type PageCard = (Card, Option<u64>);

/// Writes the page.
///
/// # Errors
/// [`Error::Io`].
pub fn write_gallery(path: &Path, run: &RunFacts, cards: &[PageCard]) -> Result<()> {
    let entries = cards.iter().map(|(card, frame)| PageEntry { card, input: Input::of(&card.image, *frame) });
    let data = Data { run, colors: colors(), entries: entries.collect() };
    write_page(path, (PAGE, STYLE, &SCRIPTS), &data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::BASE_STYLE;

    /// A run whose facts are all `text`.
    fn run(text: &str) -> RunFacts {
        let heading = Heading { model: text.to_owned(), method: text.to_owned(), date: text.to_owned() };
        RunFacts {
            heading,
            settings: vec![(text.to_owned(), text.to_owned())],
            look: Look::of(&RenderOptions::default()),
            command: Some(text.to_owned()),
        }
    }

    #[test]
    fn hostile_names_stay_inside_their_strings() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        let hostile = r#"</script><img src=x onerror="alert(1)"><!--{{SCRIPT}}&amp;"#;
        let entries = [(Card::failed(hostile, hostile), None)];
        write_gallery(&path, &run(hostile), &entries).unwrap();
        let page = fs::read_to_string(&path).unwrap();
        assert_eq!(page.matches("<img src=x").count(), 0);
        assert_eq!(page.matches("</script>").count(), PAGE.matches("</script>").count());
        assert_eq!(page.matches("<!--").count(), 0);
    }

    #[test]
    fn the_style_and_the_script_are_in_the_page_and_colours_are_those_of_boxes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        write_gallery(&path, &run("a"), &[]).unwrap();
        let page = fs::read_to_string(&path).unwrap();
        assert!(
            page.contains(&[BASE_STYLE, STYLE].concat()) && page.contains(&SCRIPTS.concat()) && !page.contains("{{")
        );
        assert!(page.contains("\"colors\":[\"#e69f00\",\"#56b4e9\""));
        assert_eq!(class_color(COLORS), class_color(0));
    }

    #[test]
    fn pictures_are_never_larger_than_needed_and_their_urls_are_encoded() {
        let folder = tempfile::tempdir().unwrap();
        let pictures = GalleryPictures::new(folder.path(), FOLDER).unwrap();
        let large = GalleryPictures::large(&RgbImage::new(3840, 1500));
        assert_eq!(large.dimensions(), (1920, 750));
        assert_eq!(GalleryPictures::large(&RgbImage::new(30, 20)).dimensions(), (30, 20));
        let heat_area = BBox { x1: 0.0, y1: 0.0, x2: 3840.0, y2: 1500.0 };
        let maps = vec![None, Some(RgbImage::new(8, 8))];
        let shown = Shown { thumbnail: GalleryPictures::small(&large), picture: large, maps, heat_area };
        let files = pictures.write("a b#%é", &shown).unwrap();
        assert_eq!(files.thumbnail, "report-files/a%20b%23%25%C3%A9-thumbnail.jpg");
        assert_eq!(files.maps, [None, Some("report-files/a%20b%23%25%C3%A9-map-1.jpg".to_owned())]);
        let size = |what: &str| image::image_dimensions(folder.path().join(format!("report-files/a b#%é-{what}.jpg")));
        assert_eq!(size("thumbnail").unwrap(), (320, 125));
        assert_eq!(size("picture").unwrap(), (1920, 750));
    }

    #[test]
    fn a_picture_is_named_as_a_command_takes_it() {
        let of = |image: &str, frame| Input::of(image, frame).map(|input| (input.input, input.frame));
        let input = |image: &str| of(image, None);
        let plain = |text: &str| Some((text.to_owned(), None));
        assert_eq!(input("images/dog.jpg"), plain("images/dog.jpg"));
        assert_eq!(input("it's a dog.jpg"), plain(r"'it'\''s a dog.jpg'"));
        assert_eq!(input("@dog.jpg"), plain("./@dog.jpg"));
        assert_eq!(input("-dog.jpg"), plain("./-dog.jpg"));
        assert_eq!(of("clip.gif#12", Some(12)), Some(("clip.gif".to_owned(), Some(12))), "a frame");
        assert_eq!(input("scan.jpg#12"), plain("'scan.jpg#12'"), "a file that is called so");
        assert_eq!(input("\u{fffd}.jpg"), None);
    }

    #[test]
    fn the_look_is_that_of_the_run() {
        let render =
            RenderOptions::default().with_alpha(Some(0.7)).with_threshold(0.2).with_normalize(Normalize::Image);
        assert_eq!(Look::of(&RenderOptions::default()).opacity, Blend::Heat.default_alpha(), "as on the cards");
        let said = RenderOptions::default().with_alpha(Some(Blend::Uniform.default_alpha()));
        assert_eq!(Look::of(&said).opacity, 0.5, "as it was asked for, though panels have it anyway");
        let look = Look::of(&render.with_colormap(yolo_cam::render::Colormap::Gray).with_labels(false));
        assert_eq!((look.opacity, look.threshold, look.has_common_scale, look.has_labels), (0.7, 0.2, true, false));
        assert_eq!((look.colormap.len(), look.colormap[0], look.colormap[200]), (256, [0; 3], [200; 3]));
        assert_eq!((look.fading.len(), look.fading[0], look.fading[255]), (256, 0.0, 1.0));
    }

    #[test]
    fn a_card_of_an_older_version_is_not_read() {
        let files = r#"{"thumbnail": "t", "picture": "p", "heat": "h"}"#;
        let old = format!(
            r#"{{"image": "a", "layer": null, "width": 1, "height": 1, "files": {files}, "error": null, "detections": []}}"#
        );
        assert!(serde_json::from_str::<Card>(&old).is_err());
        let new = old.replace(r#""heat": "h""#, r#""heat_area": [0, 0, 1, 1]"#);
        assert!(serde_json::from_str::<Card>(&new).is_ok());
    }
}
