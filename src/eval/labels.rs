//! Where the objects really are: label files of YOLO and COCO.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::{
    error::{Error, Result},
    files::read_regular_text,
    geometry::{BBox, Size},
};

/// A label of a picture: the index of its class, and its box in pixels of the picture.
pub type Label = (usize, BBox);

/// Pictures with their labels, by file name: several folders may have one of the same.
pub type ByName = HashMap<String, Vec<(PathBuf, Vec<Label>)>>;

/// The labels of many pictures.
#[derive(Debug, Clone)]
pub enum Labels {
    /// A folder with `STEM.txt` for each picture.
    Yolo {
        /// The folder.
        folder: PathBuf,
        /// How many classes the model has.
        classes: usize,
    },
    /// COCO's annotations, with the paths that they name.
    Coco(ByName),
}

impl Labels {
    /// Opens a folder of YOLO's text files, or a JSON file of COCO. `names`: the model's classes, which COCO's categories
    /// are matched with: by name; where none of the names is the same, in the order of their numbers.
    ///
    /// # Errors
    /// [`Error::Labels`] if it is neither; [`Error::Io`].
    pub fn open(path: &Path, names: &[String]) -> Result<Self> {
        if path.is_dir() {
            return Ok(Self::Yolo { folder: path.to_owned(), classes: names.len() });
        }
        let text = read_regular_text(path).map_err(Error::io(path))?;
        coco(&text, names).map(Self::Coco).map_err(|problem| Error::Labels { path: path.to_owned(), problem })
    }

    /// The labels of the picture at `picture`, of `size`; `None` if it has none, not even an empty list.
    ///
    /// # Errors
    /// [`Error::Labels`] if its file is damaged; [`Error::Io`].
    pub fn of(&self, picture: &Path, size: Size) -> Result<Option<Vec<Label>>> {
        match self {
            Self::Yolo { folder, classes } => {
                let stem = picture.file_stem().unwrap_or_default();
                let mut name = stem.to_owned();
                name.push(".txt");
                let path = folder.join(name);
                if !path.exists() {
                    return Ok(None);
                }
                let text = read_regular_text(&path).map_err(Error::io(&path))?;
                let labels = yolo(&text, *classes, size);
                labels.map(Some).map_err(|problem| Error::Labels { path, problem })
            }
            Self::Coco(pictures) => {
                let name = picture.file_name().unwrap_or_default().to_string_lossy();
                let Some(found) = pictures.get(name.as_ref()) else { return Ok(None) };
                // Several folders may have a picture of this name; one that is given without a folder may be the only one.
                let same = found.iter().find(|(path, _)| picture.ends_with(path));
                let is_bare = picture.parent().is_none_or(|folder| folder == Path::new(""));
                let only = || found.first().filter(|_| is_bare && found.len() == 1);
                Ok(same.or_else(only).map(|(_, labels)| labels.clone()))
            }
        }
    }
}

/// How far shares may leave 0 to 1: tools that wrote them rounded.
const ROUNDING: f32 = 0.01;

/// Lines of `class x y w h`, shares of the picture's sides, x and y those of the centre; what stands behind (a confidence) is
/// not looked at. Seven and more numbers are a class and a polygon, whose bounds count.
fn yolo(text: &str, classes: usize, size: Size) -> Result<Vec<Label>, String> {
    let (width, height) = (size.width as f32, size.height as f32);
    let label = |(line, number): (&str, usize)| {
        let problem = |expected: String| format!("line {number} is {line:?}; expected {expected}");
        let numbers: Option<Vec<f32>> = line.split_whitespace().map(|word| word.parse().ok()).collect();
        let shares = || problem("class x y w h, shares of the picture's sides from 0 to 1".to_owned());
        let (&class, rest) = numbers.as_deref().and_then(<[f32]>::split_first).ok_or_else(shares)?;
        // No number at all is in no range either.
        if !rest.iter().all(|share| (-ROUNDING..=1.0 + ROUNDING).contains(share)) {
            return Err(shares());
        }
        if !(0.0..classes as f32).contains(&class) || class.fract() != 0.0 {
            return Err(problem(format!("a class from 0 to {}", classes.saturating_sub(1))));
        }
        let b = match rest {
            &[x, y, w, h] | &[x, y, w, h, _] if w > 0.0 && h > 0.0 => {
                BBox::from_cxcywh(x * width, y * height, w * width, h * height)
            }
            points if points.len() >= 6 && points.len() % 2 == 0 => {
                let bounds = |side: usize, scale: f32| {
                    let values = points.iter().skip(side).step_by(2);
                    let ends = |ends: (f32, f32), value: &f32| (ends.0.min(*value), ends.1.max(*value));
                    let (least, most) = values.fold((f32::INFINITY, f32::NEG_INFINITY), ends);
                    (least * scale, most * scale)
                };
                let ((x1, x2), (y1, y2)) = (bounds(0, width), bounds(1, height));
                BBox { x1, y1, x2, y2 }
            }
            _ => return Err(shares()),
        };
        Ok((class as usize, b))
    };
    let lines = text.lines().map(str::trim).zip(1..).filter(|(line, _)| !line.is_empty());
    lines.map(label).collect()
}

#[derive(Deserialize)]
struct Coco {
    images: Vec<CocoImage>,
    annotations: Vec<CocoAnnotation>,
    categories: Vec<CocoCategory>,
}

#[derive(Deserialize)]
struct CocoImage {
    id: i64,
    file_name: String,
}

#[derive(Deserialize)]
struct CocoAnnotation {
    image_id: i64,
    category_id: i64,
    /// x, y, width, height in pixels.
    bbox: [f32; 4],
    #[serde(default)]
    iscrowd: u8,
}

#[derive(Deserialize)]
struct CocoCategory {
    id: i64,
    name: String,
}

fn coco(text: &str, names: &[String]) -> Result<ByName, String> {
    let coco: Coco = serde_json::from_str(text).map_err(|error| {
        format!(
            "is no COCO file: {error}; expected images, annotations and categories, or a folder of YOLO's text files"
        )
    })?;
    let mut categories = coco.categories;
    categories.sort_by_key(|category| category.id);
    let by_name = |category: &CocoCategory| names.iter().position(|name| *name == category.name);
    let mut classes: HashMap<i64, usize> =
        categories.iter().filter_map(|category| Some((category.id, by_name(category)?))).collect();
    if classes.is_empty() {
        if categories.len() != names.len() {
            let (given, wanted) = (categories.len(), names.len());
            return Err(format!(
                "has {given} categories, none with the name of a class, and the model has {wanted} classes; give the \
                 categories the names of the classes, or --names those of the categories"
            ));
        }
        classes = categories.iter().map(|category| category.id).zip(0..).collect();
    }
    let mut labels: HashMap<i64, Vec<Label>> = HashMap::new();
    for annotation in coco.annotations {
        let [x, y, width, height] = annotation.bbox;
        if let (Some(&class), 0) = (classes.get(&annotation.category_id), annotation.iscrowd) {
            let b = BBox { x1: x, y1: y, x2: x + width, y2: y + height };
            labels.entry(annotation.image_id).or_default().push((class, b));
        }
    }
    let mut pictures = ByName::new();
    for image in coco.images {
        let path = PathBuf::from(&image.file_name);
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        pictures.entry(name).or_default().push((path, labels.remove(&image.id).unwrap_or_default()));
    }
    Ok(pictures)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const SIZE: Size = Size { width: 200, height: 100 };

    fn b(x1: f32, y1: f32, x2: f32, y2: f32) -> BBox {
        BBox { x1, y1, x2, y2 }
    }

    #[test]
    fn lines_of_boxes_and_polygons_become_pixels() {
        let text = "0 0.5 0.5 0.2 0.4\n\n2 0.25 0.5 0.5 1 0.93\n1 0.1 0.2 0.4 0.9 0.3 0.1\n";
        let labels = yolo(text, 3, SIZE).unwrap();
        let expected =
            [(0, b(80.0, 30.0, 120.0, 70.0)), (2, b(0.0, 0.0, 100.0, 100.0)), (1, b(20.0, 10.0, 80.0, 90.0))];
        assert_eq!(labels.len(), expected.len());
        for ((class, found), (wanted_class, wanted)) in labels.iter().zip(&expected) {
            assert_eq!(class, wanted_class);
            assert!(found.iou(wanted) > 0.999, "{found:?} {wanted:?}");
        }
        assert_eq!(yolo("", 3, SIZE), Ok(Vec::new()));
    }

    #[test]
    fn damaged_lines_are_named() {
        for line in [
            "0 0.5 0.5",
            "x 0 0 1 1",
            "3 0.5 0.5 1 1",
            "0.5 0.5 0.5 1 1",
            "-1 0.5 0.5 1 1",
            "0 nan 0 1 1",
            "nan 0 0 1 1",
            "0 320 240 100 100",
            "0 0.5 0.5 0 1",
            "0 0.5 0.5 -0.005 1",
        ] {
            let problem = yolo(&format!("0 0.5 0.5 1 1\n{line}"), 3, SIZE).unwrap_err();
            assert!(problem.starts_with("line 2 is \"") && problem.contains("expected"), "{problem}");
        }
    }

    #[test]
    fn a_folder_has_a_file_for_each_picture() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.txt"), "0 0.5 0.5 1 1").unwrap();
        fs::write(folder.path().join("bad.txt"), "zero").unwrap();
        let labels = Labels::open(folder.path(), &["cat".to_owned()]).unwrap();
        assert_eq!(labels.of(Path::new("x/a.jpg"), SIZE).unwrap().unwrap().len(), 1);
        assert_eq!(labels.of(Path::new("x/b.jpg"), SIZE).unwrap(), None);
        let problem = labels.of(Path::new("bad.png"), SIZE).unwrap_err().to_string();
        assert!(problem.contains("bad.txt") && problem.contains("line 1"), "{problem}");
    }

    #[test]
    fn coco_is_matched_by_name_or_by_order() {
        let text = r#"{"images": [{"id": 7, "file_name": "val/a.jpg"}, {"id": 8, "file_name": "b.jpg"},
            {"id": 9, "file_name": "train/a.jpg"}],
            "annotations": [{"image_id": 7, "category_id": 3, "bbox": [10, 20, 30, 40]},
            {"image_id": 7, "category_id": 1, "bbox": [0, 0, 5, 5]},
            {"image_id": 7, "category_id": 3, "bbox": [0, 0, 1, 1], "iscrowd": 1}],
            "categories": [{"id": 3, "name": "dog"}, {"id": 1, "name": "cat"}]}"#;
        let names = |names: [&str; 2]| names.map(str::to_owned);
        let open = |names: &[String]| coco(text, names).map(Labels::Coco);
        let of = |labels: &Labels, path: &str| labels.of(Path::new(path), SIZE).unwrap();
        let dog = b(10.0, 20.0, 40.0, 60.0);
        let by_name = open(&names(["dog", "horse"])).unwrap();
        assert_eq!(of(&by_name, "data/val/a.jpg"), Some(vec![(0, dog)]));
        assert_eq!(of(&by_name, "data/train/a.jpg"), Some(Vec::new()));
        assert_eq!(of(&by_name, "a.jpg"), None, "it may be either");
        let one =
            coco(&text.replace(r#", "file_name": "b.jpg"#, r#", "file_name": "val/b.jpg"#), &names(["dog", "horse"]));
        let one = one.map(Labels::Coco).unwrap();
        assert_eq!((of(&one, "b.jpg"), of(&one, "train/b.jpg")), (Some(Vec::new()), None));
        assert_eq!(of(&by_name, "elsewhere/b.jpg"), Some(Vec::new()));
        assert_eq!(of(&by_name, "c.jpg"), None);
        let by_order = open(&names(["Katze", "Hund"])).unwrap();
        assert_eq!(of(&by_order, "val/a.jpg").unwrap()[0], (1, dog));
        assert!(coco(text, &["other".to_owned()]).unwrap_err().contains("has 2 categories"));
        assert!(coco("[]", &[]).unwrap_err().contains("is no COCO file"));
    }
}
