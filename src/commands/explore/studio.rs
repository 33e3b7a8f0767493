//! What a worker has at hand: its handles of the models, and what the networks said of the pictures that were asked about last.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use tch::Tensor;
use yolo_cam::{
    ExplainOptions, ExplainedBox, Model,
    detect::{Candidate, Detection, Letterbox, candidates, detect},
    eval::Crew,
    explain::{Examined, Watch, unwatched},
    geometry::LetterboxMap,
};

use super::{
    Explorer,
    catalogue::{Entry, Version},
    refusal::Refusal,
    view::{Subject, View},
};
use crate::commands::options::explain_options;

/// How many pictures are kept: that in view, the one before and the one behind it, and one for a second model or other layers. What the
/// network said of a picture takes tens of megabytes with its gradients.
const MOST_SEEN: usize = 4;

/// How many views' options are kept: finding out whether they fit the model can take a forward pass.
const MOST_KNOWN: usize = 64;

/// A picture that a network has run on.
pub struct Seen<'m> {
    picture: Version,
    model: usize,
    pub letterbox: Letterbox,
    examined: Examined<'m>,
    pub outputs: Vec<Tensor>,
}

impl Seen<'_> {
    /// How the picture lies in the network's input.
    pub fn map(&self) -> &LetterboxMap {
        &self.letterbox.map
    }

    pub fn size(&self) -> (u32, u32) {
        (self.map().image.width, self.map().image.height)
    }

    /// # Errors
    /// As [`detect`].
    pub fn detections(&self, model: &Model, options: &ExplainOptions) -> Result<Vec<Detection>, Refusal> {
        Ok(detect(model, &self.outputs, &options.detect)?)
    }

    /// The strongest candidates for a place.
    ///
    /// # Errors
    /// If it is none in this picture.
    pub fn candidates(
        &self,
        model: &Model,
        place: &super::view::Place,
        options: &ExplainOptions,
    ) -> Result<Vec<Candidate>, Refusal> {
        let query = place.query(model, self.size())?.in_input(self.map());
        Ok(candidates(model, &self.outputs, &query, &options.detect)?)
    }

    /// The prediction that is meant.
    ///
    /// # Errors
    /// If there is none.
    pub fn subject(&self, model: &Model, subject: &Subject, options: &ExplainOptions) -> Result<Detection, Refusal> {
        match subject {
            &Subject::Box(index) => {
                let mut found = self.detections(model, options)?;
                if index >= found.len() {
                    let count = found.len();
                    return Err(Refusal::missing(format!(
                        "there is no box {index}; {count} were found, numbered from 0"
                    )));
                }
                Ok(found.swap_remove(index))
            }
            Subject::Query(place) => {
                let strongest = self.candidates(model, place, options)?.into_iter().next();
                let strongest = strongest.map(|candidate| candidate.detection);
                strongest.ok_or_else(|| Refusal::missing("no prediction is about this place"))
            }
        }
    }

    /// The prediction with its map.
    ///
    /// # Errors
    /// As [`Examined::explain_by`].
    pub fn explained(
        &self,
        detection: Detection,
        options: &ExplainOptions,
        watch: &mut Watch,
    ) -> Result<ExplainedBox, Refusal> {
        let explained = self.examined.explain_by(options, vec![detection], watch)?.pop();
        explained.ok_or_else(|| Refusal::fault("the box was not explained"))
    }
}

/// A worker's own.
pub struct Studio<'m> {
    models: &'m [Model],
    /// Of libtorch.
    threads: usize,
    pub explorer: &'m Explorer,
    /// The last that was asked about is the last.
    seen: VecDeque<Seen<'m>>,
    known: VecDeque<(View, ExplainOptions)>,
}

impl<'m> Studio<'m> {
    pub fn new(models: &'m [Model], threads: usize, explorer: &'m Explorer) -> Self {
        Self { models, threads, explorer, seen: VecDeque::new(), known: VecDeque::new() }
    }

    /// Begins anew, after something went wrong.
    pub fn forget(&mut self) {
        self.seen.clear();
        self.known.clear();
    }

    /// The model of a view.
    ///
    /// # Errors
    /// If there is none of this number.
    pub fn model(&self, view: &View) -> Result<&'m Model, Refusal> {
        self.models.get(view.model).ok_or_else(|| Refusal::bad(format!("there is no model {}", view.model)))
    }

    /// Threads that run changed pictures.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub fn crew(&self, model: &Model) -> Result<Crew, Refusal> {
        // On a GPU one is enough.
        Ok(Crew::new(model, if model.device().is_cuda() { 1 } else { self.threads })?)
    }

    /// The options of a view, as the command line with its flags has them.
    ///
    /// # Errors
    /// If they make no sense, or do not fit the model.
    pub fn options(&mut self, view: &View) -> Result<ExplainOptions, Refusal> {
        if let Some((_, options)) = self.known.iter().find(|(known, _)| known == view) {
            return Ok(options.clone());
        }
        let model = self.model(view)?;
        let options = explain_options(&self.explorer.explain_command(view, Vec::new())?, model)?;
        if self.known.len() == MOST_KNOWN {
            self.known.pop_front();
        }
        self.known.push_back((view.clone(), options.clone()));
        Ok(options)
    }

    /// What the network says of a picture: kept, or from a forward pass, of which it is told how long it took. `is_explained`: whether maps
    /// of this view are wanted of it, not only boxes.
    ///
    /// # Errors
    /// If the picture can't be read, or the network can't run on it.
    pub fn seen(
        &mut self,
        picture: &Entry,
        view: &View,
        is_explained: bool,
    ) -> Result<(&Seen<'m>, Option<Duration>), Refusal> {
        let (version, options) = (picture.version(), self.options(view)?);
        let mut found = None;
        for (index, seen) in self.seen.iter().enumerate() {
            let is_same = seen.picture == version && seen.model == view.model;
            if is_same && (!is_explained || seen.examined.serves(&options)?) {
                found = Some(index);
            }
        }
        if let Some(seen) = found.and_then(|index| self.seen.remove(index)) {
            self.seen.push_back(seen);
            return Ok((self.last()?, None));
        }
        let start = Instant::now();
        let seen = self.examined(picture, version, view, &options)?;
        if self.seen.len() == MOST_SEEN {
            self.seen.pop_front();
        }
        self.seen.push_back(seen);
        Ok((self.last()?, Some(start.elapsed())))
    }

    fn last(&self) -> Result<&Seen<'m>, Refusal> {
        self.seen.back().ok_or_else(|| Refusal::fault("nothing was seen"))
    }

    /// Runs all that a map takes once.
    ///
    /// # Errors
    /// As [`seen`](Self::seen).
    pub fn prepare(&mut self, picture: &Entry, view: &View) -> Result<(), Refusal> {
        let (model, options) = (self.model(view)?, self.options(view)?);
        let (seen, _) = self.seen(picture, view, true)?;
        if let Some(first) = seen.detections(model, &options)?.into_iter().next().filter(|_| !view.is_slow()) {
            seen.explained(first, &options, &mut unwatched)?;
        }
        Ok(())
    }

    /// Runs the network on a picture, of which nothing is kept here.
    ///
    /// # Errors
    /// As [`seen`](Self::seen).
    pub fn glance(&mut self, picture: &Entry, view: &View) -> Result<Seen<'m>, Refusal> {
        let options = self.options(view)?;
        self.examined(picture, picture.version(), view, &options)
    }

    fn examined(
        &self,
        picture: &Entry,
        version: Version,
        view: &View,
        options: &ExplainOptions,
    ) -> Result<Seen<'m>, Refusal> {
        let model = self.model(view)?;
        let content = picture.content();
        let letterbox = Letterbox::of(&content.load()?.picture, model, options.img_size)?;
        let examined = Examined::new(model, &letterbox.tensor(model.device())?, options)?;
        let outputs = examined.outputs();
        Ok(Seen { picture: version, model: view.model, letterbox, examined, outputs })
    }
}
