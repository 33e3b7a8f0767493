//! COCO's annotations, as pycocotools takes them: ids may be numbers or text, entries may lack what is not looked at.

use std::{collections::HashMap, fmt, path::PathBuf};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, Visitor},
};
use serde_json::Value;

use super::{Files, Label, LabelledPicture, Labels, matched, share_a_name, unmatched};
use crate::geometry::{BBox, Size};

#[derive(Deserialize)]
struct Coco {
    images: Vec<Entry<Image>>,
    annotations: Vec<Entry<Annotation>>,
    categories: Vec<Entry<Category>>,
}

/// An entry of a list, which may be anything.
#[derive(Deserialize)]
#[serde(untagged)]
enum Entry<T> {
    Sound(T),
    Odd(IgnoredAny),
}

#[derive(Deserialize)]
struct Image {
    id: Id,
    file_name: String,
    width: Option<Id>,
    height: Option<Id>,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: Id,
    category_id: Id,
    /// x, y, width, height in pixels.
    bbox: Option<Vec<f32>>,
    segmentation: Option<Segmentation>,
    #[serde(default)]
    iscrowd: Flag,
}

#[derive(Deserialize)]
struct Category {
    id: Id,
    /// Names may be numbers.
    name: Id,
}

/// The outline of an object.
#[derive(Deserialize)]
#[serde(untagged)]
enum Segmentation {
    /// x, y, x, y, … of each part, in pixels.
    Polygons(Vec<Vec<f32>>),
    /// Runs of pixels, of which no box is made.
    Runs(IgnoredAny),
}

/// What images and categories are known by. Those are equal that are so in Python: 1, 1.0 and true, but not "1".
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Id {
    Whole(i128),
    /// The bits of a number.
    Real(u64),
    Text(String),
}

/// 0 or 1, false or true.
#[derive(Default)]
struct Flag(bool);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyId;
        impl Visitor<'_> for AnyId {
            type Value = Id;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("a number or text")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Id, E> {
                Ok(Id::Whole(value.into()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Id, E> {
                Ok(Id::Whole(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Id, E> {
                Ok(Id::Whole(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Id, E> {
                Ok(if value.fract() == 0.0 { Id::Whole(value as i128) } else { Id::Real(value.to_bits()) })
            }

            fn visit_str<E>(self, value: &str) -> Result<Id, E> {
                Ok(Id::Text(value.to_owned()))
            }
        }
        deserializer.deserialize_any(AnyId)
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Option::<Id>::deserialize(deserializer)?.is_some_and(|value| value != Id::Whole(0))))
    }
}

impl Id {
    /// As JSON has it.
    fn value(&self) -> Value {
        match self {
            // More digits than that only a text keeps.
            Self::Whole(value) => i64::try_from(*value).map_or_else(|_| Value::from(value.to_string()), Value::from),
            Self::Real(bits) => Value::from(f64::from_bits(*bits)),
            Self::Text(text) => Value::from(text.as_str()),
        }
    }

    /// Without quotes.
    fn plain(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            number => number.to_string(),
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Whole(value) => write!(formatter, "{value}"),
            Self::Real(bits) => write!(formatter, "{}", f64::from_bits(*bits)),
            Self::Text(text) => write!(formatter, "{text:?}"),
        }
    }
}

impl Image {
    fn size(&self) -> Option<Size> {
        let side = |side: &Option<Id>| match side {
            Some(Id::Whole(side)) => u32::try_from(*side).ok(),
            _ => None,
        };
        Some(Size { width: side(&self.width)?, height: side(&self.height)? })
    }
}

impl Annotation {
    /// The box, from the outline where there is only that. The error says what is there instead.
    fn bounds(&self) -> Result<BBox, String> {
        let b = self.any_bounds()?;
        match b.is_finite() && b.area() > 0.0 {
            true => Ok(b),
            false => Err(format!("has a box of {}x{} pixels", b.x2 - b.x1, b.y2 - b.y1)),
        }
    }

    fn any_bounds(&self) -> Result<BBox, String> {
        let [x, y, width, height] = match (self.bbox.as_deref(), &self.segmentation) {
            (Some(&[x, y, width, height]), _) => [x, y, width, height],
            (Some([]) | None, Some(Segmentation::Polygons(parts))) if parts.iter().any(|part| part.len() >= 6) => {
                return Ok(bounds_of(parts));
            }
            (Some([]) | None, _) => return Err("has no box and no polygon".to_owned()),
            (Some(other), _) => return Err(format!("has a box of {} numbers, expected 4", other.len())),
        };
        if width > 0.0 && height > 0.0 {
            Ok(BBox { x1: x, y1: y, x2: x + width, y2: y + height })
        } else {
            Err(format!("has a box of {width}x{height} pixels"))
        }
    }
}

/// The box around all parts.
fn bounds_of(parts: &[Vec<f32>]) -> BBox {
    let nothing = BBox { x1: f32::INFINITY, y1: f32::INFINITY, x2: f32::NEG_INFINITY, y2: f32::NEG_INFINITY };
    parts.iter().flat_map(|part| part.chunks_exact(2)).fold(nothing, |b, point| BBox {
        x1: b.x1.min(point[0]),
        y1: b.y1.min(point[1]),
        x2: b.x2.max(point[0]),
        y2: b.y2.max(point[1]),
    })
}

/// A path with `/` between folders, also if it was written on Windows.
pub(super) fn portable(path: &str) -> PathBuf {
    path.replace('\\', "/").into()
}

/// What is left out: how many entries, and the first.
#[derive(Default)]
struct Odd {
    count: usize,
    first: String,
}

impl Odd {
    fn add(&mut self, what: impl FnOnce() -> String) {
        if self.count == 0 {
            self.first = what();
        }
        self.count += 1;
    }

    /// The entries of a list that are as they should be.
    fn sound<T>(&mut self, list: Vec<Entry<T>>, name: &str) -> Vec<(usize, T)> {
        let sound = |(index, entry)| match entry {
            Entry::Sound(entry) => Some((index, entry)),
            Entry::Odd(_) => {
                self.add(|| format!("{name}[{index}] lacks a field, or has one of the wrong type"));
                None
            }
        };
        list.into_iter().enumerate().filter_map(sound).collect()
    }

    fn line(self) -> Option<String> {
        let Self { count, first } = self;
        match count {
            0 => None,
            1 => Some(format!("1 entry is left out: {first}")),
            _ => Some(format!("{count} entries are left out, the first: {first}")),
        }
    }
}

/// The labels in a file. The error says what is wrong with all of it.
pub(super) fn read(text: &str, names: &[String]) -> Result<Labels, String> {
    // What Python writes for numbers that are none is no JSON.
    let parsed =
        serde_json::from_str(text).or_else(|error| serde_json::from_str(&without_nan(text)).map_err(|_| error));
    let coco: Coco = parsed.map_err(|error| {
        format!(
            "is no COCO file: {error}; expected images, annotations and categories, or a folder of YOLO's text files"
        )
    })?;
    let mut odd = Odd::default();
    let categories = odd.sound(coco.categories, "categories").into_iter().map(|(_, category)| category);
    let categories = classes(categories.collect(), names)?;
    let own: Vec<String> = categories.iter().map(|(category, _)| category.name.plain()).collect();
    let matched: Vec<Option<usize>> = categories.iter().map(|(_, class)| *class).collect();
    let classes: HashMap<Id, usize> =
        categories.iter().filter_map(|(category, class)| Some((category.id.clone(), (*class)?))).collect();
    let images = odd.sound(coco.images, "images");
    let mut labels: HashMap<&Id, Vec<Label>> = images.iter().map(|(_, image)| (&image.id, Vec::new())).collect();
    for (index, annotation) in odd.sound(coco.annotations, "annotations") {
        let Some(labels) = labels.get_mut(&annotation.image_id) else {
            odd.add(|| format!("annotations[{index}] is of image {}, which is not listed", annotation.image_id));
            continue;
        };
        let Some(&class) = classes.get(&annotation.category_id) else { continue };
        match annotation.bounds() {
            Ok(b) => labels.push(Label { class_id: class, b, is_crowd: annotation.iscrowd.0 }),
            Err(problem) => odd.add(|| format!("annotations[{index}] {problem}")),
        }
    }
    let mut pictures: HashMap<String, Vec<LabelledPicture>> = HashMap::new();
    for (_, image) in &images {
        let path = portable(&image.file_name);
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let labels = labels.remove(&image.id).unwrap_or_default();
        pictures.entry(name).or_default().push(LabelledPicture {
            path,
            id: image.id.value(),
            size: image.size(),
            labels,
        });
    }
    let mut category_ids = vec![None; names.len()];
    for (category, class) in &categories {
        // Of several with one name the first.
        class.map(|class| category_ids[class].get_or_insert_with(|| category.id.value()));
    }
    Ok(Labels {
        files: Files::Coco(pictures),
        odd: odd.line(),
        unknown: unmatched(&own, &matched),
        is_by_order: !share_a_name(&own, names),
        category_ids,
    })
}

/// The categories with the class of each, if it has one, in the order of their numbers.
fn classes(mut categories: Vec<Category>, names: &[String]) -> Result<Vec<(Category, Option<usize>)>, String> {
    categories.sort_by(|a, b| a.id.cmp(&b.id));
    let own: Vec<String> = categories.iter().map(|category| category.name.plain()).collect();
    let matched = matched(&own, names).map_err(|problem| format!("has {problem}"))?;
    Ok(categories.into_iter().zip(matched).collect())
}

/// The text with `null` for `NaN`, `Infinity` and `-Infinity`, but for those within quotes.
fn without_nan(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let (mut rest, mut is_quoted) = (text, false);
    while let Some(letter) = rest.chars().next() {
        let word = ["NaN", "-Infinity", "Infinity"].into_iter().find(|word| !is_quoted && rest.starts_with(word));
        let length = match (word, letter) {
            (Some(word), _) => {
                plain.push_str("null");
                rest = &rest[word.len()..];
                continue;
            }
            // What is escaped ends no text.
            (None, '\\') => letter.len_utf8() + rest.chars().nth(1).map_or(0, char::len_utf8),
            (None, _) => letter.len_utf8(),
        };
        is_quoted ^= letter == '"';
        plain.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    plain
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::geometry::Size;

    const SIZE: Size = Size { width: 200, height: 100 };

    fn b(x1: f32, y1: f32, x2: f32, y2: f32) -> BBox {
        BBox { x1, y1, x2, y2 }
    }

    /// The labels of the picture in a file with these entries, and what is told.
    fn of(image: &str, annotations: &str, categories: &str) -> (Option<Vec<Label>>, String) {
        let text = format!(r#"{{"images": [{image}], "annotations": [{annotations}], "categories": [{categories}]}}"#);
        let labels = read(&text, &["cat".to_owned(), "dog".to_owned()]).unwrap();
        (labels.of(Path::new("x/train/a.jpg"), SIZE).unwrap(), labels.odd().unwrap_or_default().to_owned())
    }

    const IMAGE: &str = r#"{"id": 1, "file_name": "train/a.jpg"}"#;
    const DOG: &str = r#"{"id": 5, "name": "dog"}"#;
    const BOX: &str = r#"{"image_id": 1, "category_id": 5, "bbox": [10, 20, 30, 40]}"#;

    fn dog() -> Label {
        Label::new(1, b(10.0, 20.0, 40.0, 60.0))
    }

    #[test]
    fn ids_are_numbers_or_text_and_equal_as_in_python() {
        let with = |id: &str, own: &str| {
            let image = IMAGE.replace(r#""id": 1"#, &format!(r#""id": {id}"#));
            let annotation = BOX.replace(r#""image_id": 1"#, &format!(r#""image_id": {own}"#));
            of(&image, &annotation, DOG)
        };
        for (id, own) in [("true", "1"), ("1.0", "1"), (r#""0001""#, r#""0001""#), ("1.5", "1.5"), ("-3", "-3.0")] {
            assert_eq!(with(id, own), (Some(vec![dog()]), String::new()), "{id}");
        }
        let large = "9223372036854775813";
        assert_eq!(with(large, large).0, Some(vec![dog()]));
        let (labels, odd) = with("1", r#""1""#);
        assert_eq!(labels, Some(Vec::new()));
        assert_eq!(odd, r#"1 entry is left out: annotations[0] is of image "1", which is not listed"#);
        let numbered = read(
            &format!(r#"{{"images": [{IMAGE}], "annotations": [{BOX}], "categories": [{{"id": 5, "name": 2146}}]}}"#),
            &["21008".to_owned(), "2146".to_owned()],
        );
        assert_eq!(numbered.unwrap().of(Path::new("train/a.jpg"), SIZE).unwrap(), Some(vec![dog()]));
        let category = (BOX.replace('5', r#""5""#), DOG.replace('5', r#""5""#));
        assert_eq!(of(IMAGE, &category.0, &category.1).0, Some(vec![dog()]));
    }

    #[test]
    fn an_odd_entry_is_told_and_costs_itself_only() {
        for (entry, told) in [
            (r#"{"image_id": 1, "category_id": 5}"#, "annotations[1] has no box and no polygon"),
            (r#"{"image_id": 1, "category_id": 5, "bbox": null, "segmentation": []}"#, "no polygon"),
            (r#"{"image_id": 1, "category_id": 5, "segmentation": {"counts": "x", "size": [3, 3]}}"#, "no polygon"),
            (r#"{"image_id": 1, "category_id": 5, "bbox": [1, 2, 3]}"#, "a box of 3 numbers"),
            (r#"{"image_id": 1, "category_id": 5, "bbox": [1, 2, 0, 3]}"#, "a box of 0x3 pixels"),
            (r#"{"image_id": 1, "category_id": 5, "bbox": [NaN, 2, 3, -Infinity]}"#, "annotations[1] lacks"),
            (r#"{"image_id": 1, "category_id": 5, "bbox": "1 2 3 4"}"#, "annotations[1] lacks"),
            (r#"{"image_id": {}, "category_id": 5, "bbox": [1, 2, 3, 4]}"#, "annotations[1] lacks"),
            ("null", "annotations[1] lacks"),
            (r#"{"image_id": 2, "category_id": 5, "bbox": [1, 2, 3, 4]}"#, "image 2, which is not listed"),
        ] {
            let (labels, odd) = of(IMAGE, &format!("{BOX}, {entry}"), DOG);
            assert_eq!(labels, Some(vec![dog()]), "{entry}");
            assert!(odd.starts_with("1 entry is left out: ") && odd.contains(told), "{odd}");
        }
        let (labels, odd) = of(&format!(r#"7, {{"id": 2}}, {IMAGE}"#), BOX, &format!(r#"{{"id": 3}}, {DOG}"#));
        assert_eq!(labels, Some(vec![dog()]));
        assert!(odd.starts_with("3 entries are left out, the first: categories[0] lacks"), "{odd}");
    }

    #[test]
    fn crowds_are_told_from_objects_and_an_outline_is_one() {
        for crowd in ["true", "1", "1.0"] {
            let entry = BOX.replace('}', &format!(r#", "iscrowd": {crowd}}}"#));
            let label = Label { is_crowd: true, ..dog() };
            assert_eq!(of(IMAGE, &entry, DOG), (Some(vec![label]), String::new()), "{crowd}");
        }
        for single in ["false", "0", "null"] {
            let entry = BOX.replace('}', &format!(r#", "iscrowd": {single}}}"#));
            assert_eq!(of(IMAGE, &entry, DOG), (Some(vec![dog()]), String::new()), "{single}");
        }
        for bbox in ["", r#", "bbox": null"#, r#", "bbox": []"#] {
            let outline = format!(
                r#"{{"image_id": 1, "category_id": 5, "segmentation": [[10, 20, 40, 20, 25, 50], [12, 30, 14, 60, 20, 20]]{bbox}}}"#
            );
            assert_eq!(of(IMAGE, &outline, DOG), (Some(vec![dog()]), String::new()), "{bbox}");
        }
    }

    #[test]
    fn paths_of_windows_are_found() {
        let image = r#"{"id": 1, "file_name": "data\\train\\a.jpg"}"#;
        let labels = read(
            &format!(r#"{{"images": [{image}], "annotations": [{BOX}], "categories": [{DOG}]}}"#),
            &["cat".to_owned(), "dog".to_owned()],
        )
        .unwrap();
        let of = |path: &str| labels.of(Path::new(path), SIZE).unwrap();
        assert_eq!(of("x/data/train/a.jpg"), Some(vec![dog()]));
        assert_eq!(of("data\\train\\a.jpg"), Some(vec![dog()]));
        assert_eq!(of("data/val/a.jpg"), None);
    }

    #[test]
    fn the_only_picture_of_a_name_may_lie_elsewhere_if_it_has_the_size() {
        let of = |path: &str, size: &str| {
            let image = format!(r#"{{"id": 1, "file_name": "train/a.jpg"{size}}}"#);
            let text = format!(r#"{{"images": [{image}], "annotations": [{BOX}], "categories": [{DOG}]}}"#);
            let labels = read(&text, &["cat".to_owned(), "dog".to_owned()]).unwrap();
            labels.of(Path::new(path), SIZE).unwrap()
        };
        assert_eq!(of("elsewhere/a.jpg", r#", "width": 200, "height": 100.0"#), Some(vec![dog()]));
        assert_eq!(of("elsewhere/a.jpg", r#", "width": 100, "height": 200"#), None);
        assert_eq!(of("elsewhere/a.jpg", ""), None);
        assert_eq!(of("elsewhere/train/a.jpg", ""), Some(vec![dog()]));
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
        let open = |names: &[String]| read(text, names);
        let of = |labels: &Labels, path: &str| labels.of(Path::new(path), SIZE).unwrap();
        let dog = b(10.0, 20.0, 40.0, 60.0);
        let crowd = Label { class_id: 0, b: b(0.0, 0.0, 1.0, 1.0), is_crowd: true };
        let by_name = open(&names(["dog", "horse"])).unwrap();
        assert_eq!(of(&by_name, "data/val/a.jpg"), Some(vec![Label::new(0, dog), crowd]));
        assert_eq!(of(&by_name, "data/train/a.jpg"), Some(Vec::new()));
        assert_eq!(of(&by_name, "a.jpg"), None, "it may be either");
        let one =
            read(&text.replace(r#", "file_name": "b.jpg"#, r#", "file_name": "val/b.jpg"#), &names(["dog", "horse"]));
        let one = one.unwrap();
        assert_eq!((of(&one, "b.jpg"), of(&one, "train/b.jpg")), (Some(Vec::new()), None));
        assert_eq!(of(&by_name, "elsewhere/b.jpg"), Some(Vec::new()));
        assert_eq!(of(&by_name, "c.jpg"), None);
        let by_order = open(&names(["Katze", "Hund"])).unwrap();
        assert_eq!(of(&by_order, "val/a.jpg").unwrap()[0], Label::new(1, dog));
        assert!(read(text, &["other".to_owned()]).unwrap_err().contains("has 2 classes, none with the name"));
        assert!(read("[]", &[]).unwrap_err().contains("is no COCO file"));
    }
}
