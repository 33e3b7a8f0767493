//! The command line that makes the same files.

use std::{ffi::OsString, path::PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    super::{
        Explorer,
        catalogue::Entry,
        refusal::Refusal,
        studio::Studio,
        view::{Look, Subject, View, flag},
    },
    Answer, Asking, Question, Watch,
    paint::Paint,
};
use crate::output::quoted;

/// The folder in which such commands leave their results, each in one of its own.
const FOLDER: &str = "explored";

/// What is in view.
#[derive(Debug, Deserialize)]
pub struct InView {
    pub subject: Option<Subject>,
    pub look: Look,
    /// What is painted over.
    pub paint: Option<Paint>,
}

impl InView {
    /// The words of the command that explains the picture so, without the folder of its results and the picture.
    ///
    /// # Errors
    /// If what is asked for makes no sense.
    pub fn words(&self, explorer: &Explorer, view: &View) -> Result<Vec<OsString>, Refusal> {
        let subject = self.subject.as_ref().map_or(Ok(Vec::new()), Subject::flags)?;
        let more = [subject, self.look.flags(), vec![flag("raw", "npy")]].concat();
        explorer.words(view, more)
    }

    /// What the picture is called that is explained, as a command line takes it: a picture that is painted over is another one.
    pub fn picture(&self, picture: &Entry) -> PathBuf {
        as_input(match self.paint {
            Some(_) => PathBuf::from(format!("{}-painted.png", picture.stem())),
            None => picture.input(),
        })
    }
}

#[derive(Deserialize)]
pub struct CopiedCommand {
    #[serde(flatten)]
    view: InView,
}

#[derive(Serialize)]
struct Facts {
    /// Empty if a name is no text that a command could be shown with.
    line: String,
    note: String,
}

impl Question for CopiedCommand {
    const NAME: &'static str = "command";

    fn answer(self, studio: &mut Studio, asked: &Asking, _watch: &mut Watch) -> Result<Answer, Refusal> {
        let explorer = studio.explorer;
        studio.options(&asked.view)?;
        let mut words = self.view.words(explorer, &asked.view)?;
        // That all of it makes sense is known only once it is read.
        explorer.parsed(&words)?;
        let input = self.view.picture(&asked.picture);
        // Other settings are other results, which do not belong into the same folder.
        let digest = Sha256::digest(words.join(&OsString::from("\0")).as_encoded_bytes());
        let results = format!("{FOLDER}/{}-{}", asked.picture.stem(), &hex::encode(digest)[..8]);
        words.extend([flag("output-dir", &results), "--img-path".into(), input.into_os_string()]);
        let line: Option<Vec<String>> = words.iter().map(|word| word.to_str().map(quoted)).collect();
        let note = match (&self.view.paint, asked.picture.is_added()) {
            (Some(_), _) => "Save has the painted picture; run this in the folder where you put it.",
            (None, true) => "Run this in the folder where the picture is that you added.",
            (None, false) => "Run this in the folder where yolo-cam explore was started.",
        };
        Answer::facts(&Facts { line: line.unwrap_or_default().join(" "), note: note.to_owned() })
    }
}

/// Neither a flag nor a list.
fn as_input(path: PathBuf) -> PathBuf {
    let begins = path.as_os_str().as_encoded_bytes().first();
    if begins.is_some_and(|first| b"-@".contains(first)) { PathBuf::from(".").join(path) } else { path }
}
