//! From what the user names to pictures, videos and animations.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    fs,
    io::{self, BufRead},
    path::{Path, PathBuf},
};

use walkdir::WalkDir;

use yolo_cam::picture::is_animated;

use super::{extension, list, remote, video};
use crate::output::{FORMATS, Results};

/// Something that holds pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file, or the address.
    pub path: PathBuf,
    pub kind: SourceKind,
    /// The folder in which it was found, as seen from the input; empty but for what `--recursive` found.
    pub below: PathBuf,
}

impl Source {
    /// Whether it is a video or an animation.
    pub fn has_frames(&self) -> bool {
        matches!(self.kind, SourceKind::Video | SourceKind::Animation)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// One picture.
    Picture,
    /// A picture on a server.
    Remote,
    /// Frames that ffmpeg decodes.
    Video,
    /// Frames of a GIF, WebP or PNG.
    Animation,
}

impl SourceKind {
    fn of(path: &Path) -> Self {
        let ext = extension(path).unwrap_or_default();
        let is_named_so = |extensions: &[&str]| extensions.contains(&ext.as_str());
        if remote::is_address(path) {
            Self::Remote
        } else if is_named_so(&video::EXTENSIONS) {
            Self::Video
        } else if is_animated(path) {
            Self::Animation
        } else if !is_named_so(&FORMATS) && video::is_video(path) {
            Self::Video
        } else {
            Self::Picture
        }
    }
}

/// An input, or a part of one, that leads to no picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// As the user named it.
    pub input: String,
    /// Why, in one line.
    pub problem: String,
}

/// How inputs are searched.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    /// Folders within folders too.
    pub recursive: bool,
    /// Whose results of earlier runs are no inputs.
    pub output_dir: &'a Path,
    /// Whether pictures on servers are refused.
    pub offline: bool,
}

/// A file that an input means.
struct Found {
    path: PathBuf,
    /// As in [`Source`].
    below: PathBuf,
}

impl Found {
    /// What the input names itself.
    fn named(path: &Path) -> Self {
        Self { path: path.to_owned(), below: PathBuf::new() }
    }
}

/// What `inputs` mean, in their order: files and folders; patterns such as `site/*.jpg`; `@list.txt`, a file with one of
/// these on each line; `-`, such a list on `stdin`. What is named twice is taken once. Names of existing files are never patterns.
pub fn sources(inputs: &[PathBuf], search: Search, mut stdin: impl BufRead) -> Vec<Result<Source, Unusable>> {
    let unusable = |input: &Path, problem| Unusable { input: input.display().to_string(), problem };
    let mut found = Vec::new();
    for input in inputs {
        match list::of(input, &mut stdin) {
            Some(Ok(entries)) => {
                for list::Entry { path, place } in entries {
                    match path {
                        Ok(path) => found.extend(
                            expanded(&path, search)
                                .into_iter()
                                .map(|found| found.map_err(|problem| unusable(&path, format!("{place}: {problem}")))),
                        ),
                        Err(line) => {
                            let problem = format!("{place}: {line:?} is no UTF-8, as names of files are here");
                            found.push(Err(unusable(Path::new(&line), problem)));
                        }
                    }
                }
            }
            Some(Err(problem)) => found.push(Err(unusable(input, problem))),
            None => found.extend(expanded(input, search).into_iter().map(|path| path.map_err(|e| unusable(input, e)))),
        }
    }
    let mut taken = HashSet::new();
    // A file that does not exist has no canonical path.
    let is_new = |path: &PathBuf| taken.insert(path.canonicalize().unwrap_or_else(|_| path.clone()));
    let mut unique = Vec::new();
    let mut is_new = is_new;
    for file in found {
        match file {
            Ok(Found { path, below }) if is_new(&path) => {
                unique.push(Ok(Source { kind: SourceKind::of(&path), path, below }));
            }
            Ok(_) => {}
            Err(problem) => unique.push(Err(problem)),
        }
    }
    unique
}

/// The files that a path or a pattern means, or the address that it is.
fn expanded(path: &Path, search: Search) -> Vec<Result<Found, String>> {
    if path.is_dir() {
        return folder(path, search);
    }
    let text = path.to_string_lossy();
    if path.exists() {
        return vec![Ok(Found::named(path))];
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return vec![Err(format!("{path:?} is no file, and cameras are not read; give pictures or videos"))];
    }
    if text.contains("://") {
        return vec![remote::check(path, search.offline).map(|()| Found::named(path))];
    }
    if !text.contains(['*', '?', '[']) {
        return vec![Ok(Found::named(path))];
    }
    let paths = match glob::glob(&text) {
        Ok(paths) => paths,
        Err(error) => return vec![Err(format!("{path:?} is no pattern: {}", error.msg))],
    };
    let mut found = Vec::new();
    for path in paths {
        match path {
            Ok(found) if !finds_hidden(&text, &found) => {}
            Ok(path) if path.is_dir() => found.extend(folder(&path, search)),
            Ok(path) => found.push(Ok(Found::named(&path))),
            Err(error) => found.push(Err(format!("{:?}: {}", error.path(), error.error()))),
        }
    }
    if found.is_empty() {
        found.push(Err(format!("{path:?} matches no file")));
    }
    found
}

/// Whether a pattern means what is hidden in a path that it matches: as in a shell, `*` does not, and `.*` does.
fn finds_hidden(pattern: &str, path: &Path) -> bool {
    let dotted = || pattern.split(std::path::is_separator).filter(|part| part.starts_with('.'));
    path.iter().all(|name| {
        let name = name.to_string_lossy();
        !name.starts_with('.') || dotted().any(|part| glob::Pattern::new(part).is_ok_and(|part| part.matches(&name)))
    })
}

/// The pictures and videos of a folder, sorted by path. Results of earlier runs, and what is hidden, are left out.
fn folder(path: &Path, search: Search) -> Vec<Result<Found, String>> {
    let output = search.output_dir.canonicalize().ok();
    // Of each folder that was looked at.
    let results: RefCell<HashMap<PathBuf, Results>> = RefCell::default();
    // Results may lie in folders below that of their journal.
    let is_own = |path: &Path, is_own: fn(&Results, &str) -> bool| {
        let mut results = results.borrow_mut();
        path.ancestors().skip(1).any(|folder| {
            let results = results.entry(folder.to_owned()).or_insert_with(|| Results::in_folder(folder));
            let name = path.strip_prefix(folder).unwrap_or(path);
            is_own(results, &name.to_string_lossy())
        })
    };
    let is_wanted = |file: &Path| {
        let ext = extension(file).unwrap_or_default();
        let is_known = FORMATS.contains(&ext.as_str())
            || video::EXTENSIONS.contains(&ext.as_str())
            || (ext == video::AMBIGUOUS && video::is_video(file));
        is_known && !is_hidden(file) && !is_own(file, Results::contains)
    };
    let is_entered = |folder: &Path| {
        let is_output = output.is_some() && folder.canonicalize().ok() == output;
        !is_hidden(folder) && !is_output && !is_own(folder, Results::contains_folder)
    };
    let depth = if search.recursive { usize::MAX } else { 1 };
    let mut found = Vec::new();
    let entries = WalkDir::new(path).follow_links(true).max_depth(depth).sort_by_file_name().into_iter();
    for entry in
        entries.filter_entry(|entry| entry.depth() == 0 || !entry.file_type().is_dir() || is_entered(entry.path()))
    {
        match entry {
            Ok(entry) if !entry.file_type().is_dir() && is_wanted(entry.path()) => {
                let below = entry.path().parent().and_then(|parent| parent.strip_prefix(path).ok()).map(Path::to_owned);
                found.push(Ok(Found { path: entry.into_path(), below: below.unwrap_or_default() }));
            }
            Ok(_) => {}
            // A link to a folder above: all that is there is found anyway.
            Err(error) if error.loop_ancestor().is_some() => {}
            Err(error) => found.extend(walk_problem(&error, search).map(Err)),
        }
    }
    if found.is_empty() {
        let pictures = FORMATS.join(", ");
        let deeper = if search.recursive { "" } else { "; --recursive looks into the folders below too" };
        found.push(Err(format!("{path:?} has no pictures; expected files ending in {pictures}, or videos{deeper}")));
    }
    found
}

/// Hidden files are no pictures, though they may be called so: macOS puts `._IMG.png` beside `IMG.png`.
fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// What can't be walked into, in one line. A link that leads nowhere matters only if it has a picture's name.
fn walk_problem(error: &walkdir::Error, search: Search) -> Option<String> {
    let path = error.path()?;
    let is_dangling = fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
    let is_picture = extension(path).is_some_and(|ext| FORMATS.contains(&ext.as_str()));
    let is_output = path == search.output_dir;
    let reason = error.io_error().map_or_else(|| error.to_string(), io::Error::to_string);
    (!is_output && (!is_dangling || is_picture)).then(|| format!("{path:?}: {reason}"))
}
