//! `yolo-cam explore`: a page that answers questions about a detector at once.

mod answers;
mod catalogue;
mod engine;
mod page;
mod refusal;
mod server;
mod site;
mod studio;
mod view;

use std::{env, ffi::OsString, sync::Arc};

use anyhow::{Context, Result};
use yolo_cam::{Model, labels::Labels};

use self::{catalogue::Catalogue, engine::Engine, refusal::Refusal, view::View};
use super::{
    interrupt,
    labels::{expect_some, open_labels},
    model::load_model,
    noun::pictures,
    options::case_options,
    session::{Session, threads},
};
use crate::{
    cli::{self, Command, ExplainCommand, ExploreCommand, Verbosity, complaint, kept_in_explanations},
    exit::Exit,
};

/// What all questions are about.
pub struct Explorer {
    pub command: ExploreCommand,
    /// Flags that all explanations have.
    kept: Vec<OsString>,
    pub catalogue: Catalogue,
    pub labels: Option<Labels>,
}

impl Explorer {
    /// The words of a command line that explains as a view asks for it, up to where its results go. `more`: further flags.
    ///
    /// # Errors
    /// If there is no such model.
    pub fn words(&self, view: &View, more: Vec<OsString>) -> Result<Vec<OsString>, Refusal> {
        let model = match view.model {
            0 => Some(&self.command.model),
            1 => self.command.compare_model.as_ref(),
            _ => None,
        };
        let model = model.ok_or_else(|| Refusal::bad(format!("there is no model {}", view.model)))?;
        let mut words = vec![OsString::from("yolo-cam")];
        if !model.is_default {
            words.extend(["--model-path".into(), model.path.clone().into_os_string()]);
        }
        words.extend(self.kept.iter().cloned());
        words.extend(view.flags(&self.command.maps.method_options));
        words.extend(more);
        words.push("--no-config".into());
        Ok(words)
    }

    /// What the program is asked for with these words.
    ///
    /// # Errors
    /// If they make no sense.
    pub fn parsed(&self, words: &[OsString]) -> Result<ExplainCommand, Refusal> {
        match cli::parse(words) {
            Ok(Ok(Command::Explain(command))) => Ok(*command),
            Ok(Ok(_)) => Err(Refusal::fault("the view is no explanation")),
            Ok(Err(error)) => Err(Refusal::bad(format!("{error:#}"))),
            Err(error) => Err(Refusal::bad(complaint(&error))),
        }
    }

    /// The same for a view.
    ///
    /// # Errors
    /// As [`words`](Self::words) and [`parsed`](Self::parsed).
    pub fn explain_command(&self, view: &View, more: Vec<OsString>) -> Result<ExplainCommand, Refusal> {
        self.parsed(&self.words(view, more)?)
    }
}

/// Runs the command. It ends with the program.
///
/// # Errors
/// Wrong use, an unusable model or labels, or an address that can't be served.
pub fn explore(command: ExploreCommand) -> Result<Exit> {
    let precision = command.maps.method_options.precision;
    let session = Session::open(&command.model, &command.pictures, &command.detection, precision, command.verbosity)?;
    let mut models = vec![];
    let second = command.compare_model.as_ref().map(|choice| other_model(choice, &command)).transpose()?;
    // What the page begins with should be right for the models, before anybody looks.
    for model in [&session.model].into_iter().chain(&second) {
        case_options(&command.maps, &command.detection, model)?;
    }
    let labels = match command.labels.is_given() {
        true => {
            Some(open_labels(command.labels.path.as_deref(), command.labels.names.as_deref(), session.model.names())?)
        }
        false => None,
    };
    let sources = session.sources();
    labels.as_ref().map_or(Ok(()), |labels| expect_some(labels, &sources))?;
    let catalogue = Catalogue::new(sources);
    for problem in &catalogue.problems {
        say!("warning: {problem}");
    }
    models.push(session.model);
    models.extend(second);
    let arguments: Vec<OsString> = env::args_os().collect();
    let kept = kept_in_explanations(&arguments).context("a flag of the command line is no text")?;
    let is_talkative = command.verbosity >= Verbosity::Normal;
    if is_talkative {
        say!("model: {:?}; {}", models[0].path(), pictures(catalogue.count()));
    }
    let kept = kept.into_iter().map(OsString::from).collect();
    let explorer = Arc::new(Explorer { command, kept, catalogue, labels });
    let listener = server::listen(&explorer.command)?;
    let page = page::html(&explorer, &models)?;
    let engine = Engine::start(&models, threads(), &explorer)?;
    if let Ok(first) = explorer.catalogue.get(0) {
        engine.prepare(first, View::of(&explorer.command));
    }
    interrupt::end_at_once()?;
    server::serve(listener, explorer, engine, page)?;
    Ok(Exit::Fine)
}

/// The second model.
fn other_model(choice: &cli::ModelChoice, command: &ExploreCommand) -> Result<Model> {
    let mut model = load_model(choice, command.verbosity < Verbosity::Normal)?;
    if let Some(names) = &command.pictures.names {
        model.set_names(names.clone())?;
    }
    Ok(model)
}
