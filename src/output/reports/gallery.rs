//! The page of a run, with the pictures that it shows beside it in `report-files/`.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use image::RgbImage;
use serde::{Deserialize, Serialize};
use yolo_cam::{
    Error, Result,
    files::write_atomically,
    geometry::BBox,
    picture::shrunk,
    render::class_color,
    report::{DetectionEntry, Record, write_picture},
};

use crate::output::{BASE_STYLE, url_path};

const PAGE: &str = include_str!("gallery/page.html");
const STYLE: &str = include_str!("gallery/style.css");
const SCRIPT: &str = include_str!("gallery/script.js");

/// Folder of the page's pictures, beside the page.
const FOLDER: &str = "report-files";
/// Longest sides of a thumbnail and of a large view, in pixels.
const THUMBNAIL_SIDE: u32 = 320;
const LARGE_SIDE: u32 = 1280;
const QUALITY: u8 = 85;

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
    layers: Vec<String>,
    reason: Option<String>,
    /// In pixels of the picture, if it has a mask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mask_area: Option<usize>,
}

/// A picture's files as relative URLs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardFiles {
    thumbnail: String,
    picture: String,
    heat: String,
}

impl Card {
    /// The card of a picture that was explained; `layer`: at which layer, if it has a card for each of several.
    pub fn explained(record: &Record, layer: Option<String>, files: CardFiles) -> Self {
        let detection = |found: &DetectionEntry| CardBox {
            class: found.class.clone(),
            class_id: found.class_id,
            confidence: found.confidence,
            box_image: found.box_image,
            layers: found.layers.clone(),
            reason: found.reason.clone(),
            mask_area: found.mask.as_ref().map(|mask| mask.area),
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
}

impl GalleryPictures {
    /// Creates the folder for them in that of the page.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn new(page_folder: &Path) -> Result<Self> {
        let folder = page_folder.join(FOLDER);
        fs::create_dir_all(&folder).map_err(|reason| Error::Io { path: folder.clone(), reason })?;
        Ok(Self { folder })
    }

    /// The size in which the page shows a picture at most.
    pub fn large(picture: &RgbImage) -> RgbImage {
        shrunk(picture, LARGE_SIDE)
    }

    /// Writes what the page shows of a picture: `picture` and `heat` (the same with heat), both as
    /// [`large`](Self::large) makes them. `stem`: a name for the files, its own for each picture.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, stem: &str, picture: &RgbImage, heat: &RgbImage) -> Result<CardFiles> {
        let write = |what: &str, picture: &RgbImage| -> Result<String> {
            let name = format!("{stem}-{what}.jpg");
            let path = self.folder.join(&name);
            let folder = path.parent().unwrap_or(&self.folder);
            fs::create_dir_all(folder).map_err(|reason| Error::Io { path: folder.to_owned(), reason })?;
            write_picture(&path, picture, QUALITY)?;
            Ok(format!("{FOLDER}/{}", url_path(&name)))
        };
        Ok(CardFiles {
            thumbnail: write("thumbnail", &shrunk(heat, THUMBNAIL_SIDE))?,
            picture: write("picture", picture)?,
            heat: write("heat", heat)?,
        })
    }
}

#[derive(Serialize)]
struct Data<'a> {
    settings: &'a [(String, String)],
    colors: Vec<String>,
    entries: &'a [Card],
}

/// Writes the page. `settings`: names and values that it shows.
///
/// # Errors
/// [`Error::Io`].
pub fn write_gallery(path: &Path, settings: &[(String, String)], entries: &[Card]) -> Result<()> {
    let color = |class_id: usize| {
        let [r, g, b] = class_color(class_id).0;
        format!("#{r:02x}{g:02x}{b:02x}")
    };
    let data = Data { settings, colors: (0..COLORS).map(color).collect(), entries };
    write_atomically(path, |out| {
        let data = embedded(&serde_json::to_string(&data).map_err(io::Error::other)?);
        // The template is split before the data come in: names in these may look like a mark.
        let (head, rest) = split(PAGE, "{{STYLE}}")?;
        let (body, rest) = split(rest, "{{DATA}}")?;
        let (middle, tail) = split(rest, "{{SCRIPT}}")?;
        [head, BASE_STYLE, STYLE, body, &data, middle, SCRIPT, tail]
            .iter()
            .try_for_each(|part| out.write_all(part.as_bytes()))
    })
}

fn split<'a>(text: &'a str, mark: &str) -> io::Result<(&'a str, &'a str)> {
    text.split_once(mark).ok_or_else(|| io::Error::other(format!("the template has no {mark}")))
}

/// JSON for inside a script element: nothing in it can end the element or open a comment.
fn embedded(json: &str) -> String {
    // These stand in strings only.
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_inside_their_strings() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        let hostile = r#"</script><img src=x onerror="alert(1)"><!--{{SCRIPT}}&amp;"#;
        let entries = [Card::failed(hostile, hostile)];
        write_gallery(&path, &[(hostile.to_owned(), hostile.to_owned())], &entries).unwrap();
        let page = fs::read_to_string(&path).unwrap();
        assert_eq!(page.matches("<img src=x").count(), 0);
        assert_eq!(page.matches("</script>").count(), PAGE.matches("</script>").count());
        assert_eq!(page.matches("<!--").count(), 0);
    }

    #[test]
    fn the_style_and_the_script_are_in_the_page_and_colours_are_those_of_boxes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        write_gallery(&path, &[], &[]).unwrap();
        let page = fs::read_to_string(&path).unwrap();
        assert!(page.contains(&[BASE_STYLE, STYLE].concat()) && page.contains(SCRIPT) && !page.contains("{{"));
        assert!(page.contains("\"colors\":[\"#e69f00\",\"#56b4e9\""));
        assert_eq!(class_color(COLORS), class_color(0));
    }

    #[test]
    fn pictures_are_never_larger_than_needed_and_their_urls_are_encoded() {
        let folder = tempfile::tempdir().unwrap();
        let pictures = GalleryPictures::new(folder.path()).unwrap();
        let large = GalleryPictures::large(&RgbImage::new(2560, 1000));
        assert_eq!(large.dimensions(), (1280, 500));
        assert_eq!(GalleryPictures::large(&RgbImage::new(30, 20)).dimensions(), (30, 20));
        let files = pictures.write("a b#%é", &large, &large).unwrap();
        assert_eq!(files.thumbnail, "report-files/a%20b%23%25%C3%A9-thumbnail.jpg");
        let size = |what: &str| image::image_dimensions(folder.path().join(format!("report-files/a b#%é-{what}.jpg")));
        assert_eq!(size("thumbnail").unwrap(), (320, 125));
        assert_eq!(size("heat").unwrap(), (1280, 500));
    }
}
