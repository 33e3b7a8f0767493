//! The files that the copied command makes, in an archive.

use std::{
    ffi::OsString,
    fs,
    io::{Cursor, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow};
use serde::Deserialize;
use yolo_cam::{Model, files::read_regular, report::write_picture};
use zip::{ZipWriter, write::SimpleFileOptions};

use super::{
    super::{catalogue::Entry, refusal::Refusal, studio::Studio},
    Answer, Asking, Question, View, Watch,
    command::InView,
};
use crate::{
    cli::ExplainCommand,
    commands::explain::explain_one,
    inputs::{Content, Picture},
    output::{Namer, PictureId},
};

#[derive(Deserialize)]
pub struct Save {
    #[serde(flatten)]
    view: InView,
}

impl Question for Save {
    const NAME: &'static str = "save";

    fn is_slow(&self, _view: &View) -> bool {
        true
    }

    fn answer(self, studio: &mut Studio, asked: &Asking, _watch: &mut Watch) -> Result<Answer, Refusal> {
        let (model, explorer) = (studio.model(&asked.view)?, studio.explorer);
        let folder = tempfile::tempdir().context("no temporary folder can be made")?;
        let mut words = self.view.words(explorer, &asked.view)?;
        let mut output = OsString::from("--output-dir=");
        output.push(folder.path());
        words.push(output);
        let command = explorer.parsed(&words)?;
        let archive = self.archive(model, &command, &asked.picture)?;
        Ok(Answer::file(format!("{}-explored.zip", asked.picture.stem()), archive))
    }
}

impl Save {
    fn archive(&self, model: &Model, command: &ExplainCommand, picture: &Entry) -> Result<Vec<u8>, Refusal> {
        let folder = &command.pictures.output_dir;
        let input = self.view.picture(picture);
        let content = match &self.view.paint {
            None => picture.content(),
            Some(paint) => {
                let (changed, _) = paint.over(&picture.content().load()?.picture)?;
                // It goes into the archive beside its results.
                let file = folder.join(&input);
                write_picture(&file, &changed, command.quality)?;
                Content::File(file)
            }
        };
        if let Some(bytes) = picture.added_bytes().filter(|_| self.view.paint.is_none()) {
            fs::write(folder.join(&input), bytes).map_err(|error| anyhow!("{input:?} cannot be written: {error}"))?;
        }
        let id = PictureId::of(&input, None);
        let names = Namer::new(folder, command.format).names(&input, Path::new(""), &id);
        let image = input.display().to_string();
        explain_one(model.share()?, command, Picture { content, id, names }, &image)?;
        Ok(packed(folder)?)
    }
}

/// All files of a folder.
fn packed(folder: &Path) -> Result<Vec<u8>> {
    let mut files = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<PathBuf>>>()?;
    files.sort();
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        archive.start_file(name.as_ref(), SimpleFileOptions::default())?;
        archive.write_all(&read_regular(&file)?)?;
    }
    Ok(archive.finish()?.into_inner())
}
