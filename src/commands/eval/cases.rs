//! Pictures of the best and the worst cases, which the page shows.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use image::RgbImage;
use sha2::{Digest, Sha256};
use yolo_cam::{
    eval::{Case, Explainer},
    report::write_picture,
};

use super::{measure::SHOWN, reports::CaseGroup};
use crate::output::url_path;

/// Digits of the hash in their names.
const HASH_LENGTH: usize = 16;

/// Quality of the pictures of cases.
const QUALITY: u8 = 85;

/// Pictures of the best and the worst cases of each explainer, in a folder beside the page: as many as are shown.
pub struct CasePictures {
    folder: PathBuf,
    /// From worst to best.
    shown: BTreeMap<Explainer, Vec<Case>>,
}

impl CasePictures {
    /// In this folder.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, shown: BTreeMap::new() }
    }

    /// Knows the cases of an earlier run, whose pictures are there already.
    pub fn know(&mut self, explainer: &Explainer, cases: &[Case]) {
        cases.iter().for_each(|case| _ = self.is_shown(explainer, case));
    }

    /// Creates the folder.
    pub fn create_folder(&self) -> Result<()> {
        fs::create_dir_all(&self.folder).with_context(|| format!("{:?} cannot be created", self.folder))
    }

    /// Removes the pictures of an earlier run, which another page showed; whatever else is there stays.
    pub fn remove_all(&self) -> Result<()> {
        remove_pictures(&self.folder, &HashSet::new())
    }

    /// Removes those that are not shown.
    pub fn remove_others(&self) -> Result<()> {
        remove_pictures(&self.folder, &self.files().map(|(_, file)| file).collect())
    }

    /// The pictures that are shown: of which picture of the run each is, and its name in the folder.
    pub fn files(&self) -> impl Iterator<Item = (&str, String)> {
        let cases = self.shown.iter().flat_map(|(explainer, cases)| cases.iter().map(move |case| (explainer, case)));
        cases.map(|(explainer, case)| (case.image.as_str(), file_name(explainer, case)))
    }

    /// Takes a case in if it is among the best or the worst so far; the picture of the one that has to go is removed.
    fn is_shown(&mut self, explainer: &Explainer, case: &Case) -> bool {
        if explainer.is_baseline() {
            return false;
        }
        let shown = self.shown.entry(explainer.clone()).or_default();
        // Which of equal ones are shown does not depend on which was done first.
        let place = |case: &Case| (case.image.clone(), case.index);
        let before = |other: &Case| {
            other.overall().total_cmp(&case.overall()).then_with(|| place(other).cmp(&place(case))).is_lt()
        };
        let place = shown.partition_point(before);
        shown.insert(place, case.clone());
        if shown.len() <= 2 * SHOWN {
            return true;
        }
        let gone = shown.remove(SHOWN);
        fs::remove_file(self.folder.join(file_name(explainer, &gone))).ok();
        (gone.image.as_str(), gone.index) != (case.image.as_str(), case.index)
    }

    /// Writes the picture of a case if it is among the best or the worst so far.
    pub fn add(&mut self, explainer: &Explainer, case: &Case, picture: &RgbImage) -> Result<()> {
        if self.is_shown(explainer, case) {
            write_picture(&self.folder.join(file_name(explainer, case)), picture, QUALITY)?;
        }
        Ok(())
    }

    /// The best and the worst cases of an explainer, with their pictures.
    pub fn group(&self, explainer: &Explainer) -> CaseGroup {
        let shown = self.shown.get(explainer).map_or(&[][..], Vec::as_slice);
        let folder = self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let with_url = |case: &Case| {
            let name = file_name(explainer, case);
            let url = format!("{folder}/{}", url_path(&name));
            (case.clone(), self.folder.join(name).exists().then_some(url))
        };
        // No case is shown as one of the best and as one of the worst.
        let (worst, best) = shown.split_at((shown.len() / 2).min(SHOWN));
        CaseGroup {
            explainer: explainer.clone(),
            best: best.iter().rev().take(SHOWN).map(with_url).collect(),
            worst: worst.iter().map(with_url).collect(),
        }
    }
}

/// A name of its own for each case: pictures in different folders may have the same.
fn file_name(explainer: &Explainer, case: &Case) -> String {
    let explainer = match explainer {
        Explainer::Method { name, layers } => format!("{name}-{layers}"),
        other => other.to_string(),
    };
    let readable: String =
        explainer.chars().map(|c| if c.is_ascii_alphanumeric() || "+.-".contains(c) { c } else { '_' }).collect();
    // Of both: what is readable may be cut off.
    let sum = Sha256::digest(format!("{explainer}\0{}", case.image));
    let hash = hex::encode(&sum[..HASH_LENGTH / 2]);
    format!("{readable:.80}-{hash}-{}.jpg", case.index)
}

/// Whether `name` is one that [`file_name`] gives.
fn is_case_picture(name: &str) -> bool {
    let parts = name.strip_suffix(".jpg").and_then(|stem| stem.rsplit_once('-'));
    parts.and_then(|(rest, index)| Some((rest.rsplit_once('-')?.1, index))).is_some_and(|(hash, index)| {
        let is_hash = hash.len() == HASH_LENGTH && hash.bytes().all(|byte| b"0123456789abcdef".contains(&byte));
        is_hash && index.parse::<usize>().is_ok()
    })
}

/// Removes all pictures of cases but these.
fn remove_pictures(folder: &Path, kept: &HashSet<String>) -> Result<()> {
    let remove = || -> std::io::Result<()> {
        if !folder.exists() {
            return Ok(());
        }
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if is_case_picture(&name) && !kept.contains(&name) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    };
    remove().with_context(|| format!("{folder:?} cannot be emptied"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use yolo_cam::eval::{Curve, Curves, Figures, Localization};

    fn case(image: &str, overall: f64) -> Case {
        let curve = |area: f64| Curve { scores: vec![0.0, 1.0], area };
        Case {
            image: image.into(),
            index: 0,
            class: "cat".into(),
            confidence: 0.5,
            box_share: 0.1,
            reason: None,
            figures: Figures {
                curves: Curves { deletion: curve(0.0), insertion: curve(overall) },
                detected: Some(Localization {
                    pointing_game: 1.0,
                    energy_pointing_game: 1.0,
                    energy_by_rank: 1.0,
                    object_discrimination_index: None,
                }),
                labelled: None,
                compactness: None,
                sparsity: None,
            },
        }
    }

    #[test]
    fn pictures_of_the_best_and_worst_are_kept_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let mut pictures = CasePictures::new(folder.path().to_owned());
        let explainer = Explainer::Method { name: "gradcam++".into(), layers: "model.9,model.6".into() };
        let values = [7, 3, 19, 0, 11, 5, 16, 2, 9, 14, 1, 18, 8, 12, 4, 17, 6, 13, 10, 15];
        for value in values {
            let case = case(&format!("{value}.jpg"), f64::from(value));
            pictures.add(&explainer, &case, &RgbImage::new(8, 8)).unwrap();
        }
        let group = pictures.group(&explainer);
        let shown = |cases: &[(Case, Option<String>)]| {
            assert!(cases.iter().all(|(_, url)| url.is_some()));
            cases.iter().map(|(case, _)| case.overall() as i32).collect::<Vec<_>>()
        };
        assert_eq!(shown(&group.best), [19, 18, 17, 16, 15]);
        assert_eq!(shown(&group.worst), [0, 1, 2, 3, 4]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 10, "the others are gone");
    }

    #[test]
    fn which_of_equal_cases_are_shown_does_not_depend_on_their_order() {
        let explainer = Explainer::Method { name: "best".into(), layers: "auto".into() };
        let shown = |images: &mut dyn Iterator<Item = usize>| {
            let folder = tempfile::tempdir().unwrap();
            let mut pictures = CasePictures::new(folder.path().to_owned());
            for image in images {
                pictures.add(&explainer, &case(&format!("{image:02}.jpg"), 0.5), &RgbImage::new(8, 8)).unwrap();
            }
            let group = pictures.group(&explainer);
            [group.best, group.worst].concat().into_iter().map(|(case, _)| case.image).collect::<Vec<_>>()
        };
        assert_eq!(shown(&mut (0..30)), shown(&mut (0..30).rev()));
    }

    #[test]
    fn only_pictures_of_cases_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let explainer = Explainer::Method { name: "gradcam".into(), layers: "auto".into() };
        let own = file_name(&explainer, &case("a.jpg", 0.5));
        for name in [own.as_str(), "holiday.jpg", "a-1.jpg", "gradcam-auto-0123456789abcdeX-0.jpg", "notes.txt"] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        remove_pictures(folder.path(), &HashSet::new()).unwrap();
        assert!(!folder.path().join(own).exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
    }

    #[test]
    fn cases_of_different_explainers_have_different_files() {
        let long = |last: &str| Explainer::Method {
            name: "elementwise".into(),
            layers: format!("{}{last}", "model.10,".repeat(12)),
        };
        let case = case("a.jpg", 0.5);
        assert_ne!(file_name(&long("model.1"), &case), file_name(&long("model.2"), &case));
    }

    #[test]
    fn few_cases_are_each_shown_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut pictures = CasePictures::new(folder.path().to_owned());
        let explainer = Explainer::Method { name: "best".into(), layers: "auto".into() };
        for value in 0..3 {
            pictures.add(&explainer, &case(&format!("{value}.jpg"), f64::from(value)), &RgbImage::new(8, 8)).unwrap();
        }
        let group = pictures.group(&explainer);
        assert_eq!((group.best.len(), group.worst.len()), (2, 1));
    }
}
