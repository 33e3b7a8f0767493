//! Videos, as frames that ffmpeg decodes.

use std::{
    ffi::OsString,
    io::{self, BufRead, BufReader, Read},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    thread::JoinHandle,
};

use image::{ColorType, ImageDecoder, RgbImage, codecs::pnm::PnmDecoder};
use yolo_cam::{files::open_regular, limits::Limits};

/// Extensions of videos.
pub const EXTENSIONS: [&str; 16] =
    ["mp4", "m4v", "mov", "mkv", "webm", "avi", "mpg", "mpeg", "wmv", "asf", "flv", "3gp", "m2ts", "mts", "ogv", "vob"];

/// The extension of transport streams, and of TypeScript.
pub const AMBIGUOUS: &str = "ts";

/// Whether the file begins as a container of videos does.
pub fn is_video(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = open_regular(path).and_then(|file| file.take(4096).read_to_end(&mut start));
    read.is_ok() && is_container(&start)
}

fn is_container(start: &[u8]) -> bool {
    /// Of the Advanced Systems Format, of which wmv is one.
    const ASF: &[u8] = &[0x30, 0x26, 0xB2, 0x75, 0x8E, 0x66, 0xCF, 0x11];
    /// Matroska and WebM, MPEG program and elementary streams, Flash, Ogg.
    const STARTS: [&[u8]; 6] = [b"\x1A\x45\xDF\xA3", b"\0\0\x01\xBA", b"\0\0\x01\xB3", b"FLV\x01", b"OggS", ASF];
    /// Pictures in the same container as MP4.
    const PICTURES: [&[u8]; 6] = [b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1"];
    let at = |offset: usize, length: usize| start.get(offset..offset + length);
    let is_mp4 = at(4, 4) == Some(b"ftyp") && !PICTURES.contains(&at(8, 4).unwrap_or_default());
    let is_avi = at(0, 4) == Some(b"RIFF") && at(8, 4) == Some(b"AVI ");
    STARTS.iter().any(|mark| start.starts_with(mark)) || is_mp4 || is_avi || is_transport_stream(start)
}

/// Packets of 188 bytes (ISO/IEC 13818-1), in m2ts with a time in front of each.
fn is_transport_stream(start: &[u8]) -> bool {
    const SYNC: u8 = 0x47;
    let is_sync = |first: usize, packet: usize| (0..4).all(|index| start.get(first + index * packet) == Some(&SYNC));
    is_sync(0, 188) || is_sync(4, 192)
}

/// A video that ffmpeg is decoding. Dropping it ends ffmpeg.
pub struct Video {
    ffmpeg: Child,
    frames: BufReader<ChildStdout>,
    /// Reads what ffmpeg complains of, of which the first line is kept.
    complaint: Option<JoinHandle<Option<String>>>,
    every: u64,
    next: u64,
    name: String,
    has_ended: bool,
}

impl Video {
    /// `every`: how many frames there are from one that is taken to the next.
    pub fn open(path: &Path, every: u64) -> Result<Self, String> {
        let name = format!("{path:?}");
        if let Err(error) = open_regular(path) {
            return Err(format!("{name}: {error}"));
        }
        // A time base and times that fit the output's rate exactly, so that ffmpeg neither repeats frames nor drops any.
        let filter = format!(r"select=not(mod(n\,{every})),settb=1/25,setpts=N");
        // A name may begin with a hyphen, or look like a URL.
        let mut input = OsString::from("file:");
        input.push(path);
        let mut ffmpeg = Command::new("ffmpeg")
            .args(["-nostdin", "-hide_banner", "-loglevel", "error", "-i"])
            .arg(input)
            .args(["-map", "0:v:0", "-vf", &filter, "-r", "25"])
            .args(["-f", "image2pipe", "-c:v", "ppm", "-pix_fmt", "rgb24", "-"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => format!(
                    "{name} is a video, and no ffmpeg was found on the PATH; install ffmpeg, or extract the frames as \
                     pictures"
                ),
                _ => format!("{name} is a video, and ffmpeg does not start: {error}"),
            })?;
        let (Some(stdout), Some(stderr)) = (ffmpeg.stdout.take(), ffmpeg.stderr.take()) else {
            return Err(format!("{name}: ffmpeg cannot be read from"));
        };
        let complaint = std::thread::spawn(move || {
            // To the end: ffmpeg would wait for somebody to read on.
            BufReader::new(stderr).lines().map_while(Result::ok).fold(None, |first, line| first.or(Some(line)))
        });
        let frames = BufReader::with_capacity(1 << 20, stdout);
        Ok(Self { ffmpeg, frames, complaint: Some(complaint), every, next: 0, name, has_ended: false })
    }

    /// What went wrong, if anything did.
    fn end(&mut self) -> Option<String> {
        self.has_ended = true;
        let status = self.ffmpeg.wait();
        let complaint = self.complaint.take().and_then(|thread| thread.join().ok()).flatten();
        let frames = self.next / self.every;
        let reason = match (complaint, status) {
            (Some(line), _) => without_addresses(&line),
            (None, Ok(status)) if !status.success() => format!("it ended with {status}"),
            (None, Err(error)) => error.to_string(),
            (None, Ok(_)) if frames == 0 => "it found no frames".to_owned(),
            (None, Ok(_)) => return None,
        };
        Some(match frames {
            0 => format!("{} cannot be read as a video; ffmpeg says: {reason}", self.name),
            _ => format!(
                "{} is a damaged video: behind frame {}, ffmpeg says: {reason}",
                self.name,
                self.next - self.every
            ),
        })
    }
}

impl Iterator for Video {
    type Item = Result<(u64, RgbImage), String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        match read_ppm(&mut self.frames) {
            Ok(Some(picture)) => {
                let index = self.next;
                self.next += self.every;
                Some(Ok((index, picture)))
            }
            Ok(None) => self.end().map(Err),
            Err(error) => {
                // It may go on for long.
                self.ffmpeg.kill().ok();
                let reason = self.end();
                Some(Err(reason.unwrap_or_else(|| format!("{}: a frame of ffmpeg is damaged: {error}", self.name))))
            }
        }
    }
}

impl Drop for Video {
    fn drop(&mut self) {
        if !self.has_ended {
            self.ffmpeg.kill().ok();
            self.end();
        }
    }
}

/// ffmpeg says where its parts are in memory, `[mov @ 0x55d0] ...`, which differs from run to run.
fn without_addresses(line: &str) -> String {
    let mut parts = line.split(" @ 0x");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |line, part| line + part.trim_start_matches(|c: char| c.is_ascii_hexdigit()))
}

/// The next picture of a stream of binary PPMs with 8 bits; `None` at its end.
fn read_ppm(stream: &mut impl BufRead) -> io::Result<Option<RgbImage>> {
    if stream.fill_buf()?.is_empty() {
        return Ok(None);
    }
    let decoder = PnmDecoder::new(&mut *stream).map_err(io::Error::other)?;
    let ((width, height), bytes) = (decoder.dimensions(), decoder.total_bytes());
    if decoder.color_type() != ColorType::Rgb8 || bytes > Limits::PICTURE_BYTES {
        return Err(io::Error::other(format!("{width}x{height} pixels of {:?}", decoder.color_type())));
    }
    let mut pixels = Vec::new();
    pixels.try_reserve_exact(bytes as usize).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
    pixels.resize(bytes as usize, 0);
    decoder.read_image(&mut pixels).map_err(io::Error::other)?;
    Ok(RgbImage::from_raw(width, height, pixels))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_of_videos_are_told_from_pictures_and_from_source_text() {
        let packets = |packet: usize, first: usize| {
            let mut stream = vec![0; 5 * packet];
            (0..5).for_each(|index| stream[first + index * packet] = b'G');
            stream
        };
        let asf = [0x30, 0x26, 0xB2, 0x75, 0x8E, 0x66, 0xCF, 0x11, 0xA6];
        for video in [
            b"\0\0\0\x1Cftyp3gp4".as_slice(),
            b"\x1A\x45\xDF\xA3\x9F",
            b"RIFF....AVI LIST",
            b"FLV\x01\x05",
            b"OggS\0",
            b"\0\0\x01\xBA",
            &asf,
            &packets(188, 0),
            &packets(192, 4),
        ] {
            assert!(is_container(video), "{video:?}");
        }
        let source = "Generated = 1;\n".repeat(100);
        for other in [b"\0\0\0\x1Cftypavif".as_slice(), b"RIFF....WEBPVP8 ", b"", b"G", source.as_bytes()] {
            assert!(!is_container(other), "{other:?}");
        }
    }
}
