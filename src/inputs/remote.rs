//! Pictures on servers.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use percent_encoding::percent_decode_str;

use super::video;
use crate::net::{agent, one_line};

/// More than a picture has that is sent through a network, and so many are in memory for each worker.
const MOST_BYTES: u64 = 64 << 20;

/// A picture on a server, which is fetched once.
#[derive(Debug)]
pub struct Remote {
    address: PathBuf,
    bytes: OnceLock<Result<Vec<u8>, String>>,
}

impl Remote {
    pub fn new(address: PathBuf) -> Self {
        Self { address, bytes: OnceLock::new() }
    }

    pub fn address(&self) -> &Path {
        &self.address
    }

    /// The content, fetched if it was not asked for before.
    ///
    /// # Errors
    /// If the server does not give it, in one line.
    pub fn bytes(&self) -> Result<&[u8]> {
        let fetched = self.bytes.get_or_init(|| {
            let address = self.address.to_string_lossy();
            fetch(&address).map_err(|error| {
                format!(
                    "{address:?} cannot be fetched: {}; check the address, or download it and give the file",
                    one_line(&error)
                )
            })
        });
        fetched.as_deref().map_err(|problem| anyhow!("{problem}"))
    }
}

/// Whether an input is the address of a file on a web server.
pub fn is_address(path: &Path) -> bool {
    let scheme = path.to_str().and_then(|text| text.split_once("://")).map(|(scheme, _)| scheme.to_ascii_lowercase());
    scheme.is_some_and(|scheme| scheme == "https" || scheme == "http")
}

/// Whether an address leads to what can be explained.
///
/// # Errors
/// In one line, why not, and what to do.
pub fn check(address: &Path, offline: bool) -> Result<(), String> {
    let name = file_name(address);
    let ending = super::extension(&name).unwrap_or_default();
    if !is_address(address) {
        Err(format!(
            "{address:?} is a stream, or an address of a kind that is not supported; give an https:// address or a file (ffmpeg can \
             save frames of a stream)"
        ))
    } else if offline {
        Err(format!("{address:?} is on a server, and --offline forbids fetching it"))
    } else if video::EXTENSIONS.contains(&ending.as_str()) {
        Err(format!("{address:?} is a video on a server; expected a picture, so download it and give the file"))
    } else {
        Ok(())
    }
}

/// What the file of an address is called, so that no part of it leads elsewhere: `a b.jpg` of
/// `https://example.com/x/a%20b.jpg?size=3`. Where it has no name, the server's.
pub fn file_name(address: &Path) -> PathBuf {
    let text = address.to_string_lossy();
    let rest = text.split_once("://").map_or(&*text, |(_, rest)| rest);
    let path = rest.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    let name = path.rsplit('/').next().unwrap_or_default();
    let name = percent_decode_str(name).decode_utf8_lossy().into_owned();
    let is_odd = |letter: char| letter.is_control() || matches!(letter, '/' | '\\' | ':');
    name.trim_start_matches('.').replace(is_odd, "_").into()
}

fn fetch(address: &str) -> Result<Vec<u8>> {
    let mut response = agent().get(address).call()?;
    let most = MOST_BYTES >> 20;
    if let Some(length) = response.body().content_length() {
        ensure!(length <= MOST_BYTES, "it has {length} bytes, expected at most {most} MiB");
    }
    match response.body_mut().with_config().limit(MOST_BYTES).read_to_vec() {
        Err(ureq::Error::BodyExceedsLimit(_)) => bail!("it has more than {most} MiB"),
        bytes => bytes.context("it broke off"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_file_is_the_last_part_of_its_address() {
        let name = |address: &str| file_name(Path::new(address)).to_string_lossy().into_owned();
        assert_eq!(name("https://example.com/x/a%20b.jpg?size=3#top"), "a b.jpg");
        assert_eq!(name("https://example.com/x/"), "x");
        assert_eq!(name("http://192.168.0.7:8080"), "192.168.0.7_8080");
        assert_eq!(name("https://example.com/..%2F..%2Fetc.png"), "_.._etc.png");
        assert_eq!(name("https://example.com/%2e%2e"), "");
    }

    #[test]
    fn what_is_no_picture_on_a_web_server_is_told() {
        let check = |address: &str, offline| check(Path::new(address), offline);
        assert_eq!(check("https://example.com/a.jpg", false), Ok(()));
        assert_eq!(check("HTTP://example.com/snapshot", false), Ok(()));
        assert!(check("https://example.com/a.jpg", true).unwrap_err().contains("--offline forbids"));
        assert!(check("rtsp://example.com/live", false).unwrap_err().contains("is a stream"));
        assert!(check("https://example.com/a.mp4", false).unwrap_err().contains("download it and give the file"));
    }
}
