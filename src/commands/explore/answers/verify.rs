//! What a map is worth, as `--verify` measures it.

use serde::Deserialize;
use yolo_cam::eval::{picture_seed, verify};

use super::{
    super::{
        refusal::Refusal,
        studio::Studio,
        view::{Subject, View},
    },
    Answer, Asking, Question, Watch,
};
use crate::commands::options::verify_options;

/// As many changed pictures as the flag takes by itself.
const STEPS: u16 = 12;

#[derive(Deserialize)]
pub struct Verify {
    subject: Subject,
}

impl Question for Verify {
    const NAME: &'static str = "verify";

    fn is_slow(&self, _view: &View) -> bool {
        true
    }

    fn answer(self, studio: &mut Studio, asked: &Asking, watch: &mut Watch) -> Result<Answer, Refusal> {
        let Asking { picture, view, .. } = asked;
        let (model, explorer) = (studio.model(view)?, studio.explorer);
        let options = studio.options(view)?;
        let mut crew = studio.crew(model)?;
        let (seen, _) = studio.seen(picture, view, true)?;
        let explained = seen.explained(seen.subject(model, &self.subject, &options)?, &options, watch)?;
        let settings = verify_options(STEPS, &explorer.command.maps.method_options);
        // As a run has it.
        let settings = settings.with_seed(picture_seed(&picture.content().load()?.picture, settings.seed));
        let input = seen.letterbox.tensor(model.device())?;
        let verdict = verify(&mut crew, &input, &seen.outputs, &[explained], &settings, watch)?.pop().flatten();
        match verdict {
            Some(verdict) => Answer::facts(&verdict),
            None => Err(Refusal::missing(
                "the map has no signal, or the network gives the box no score; there is nothing to measure",
            )),
        }
    }
}
