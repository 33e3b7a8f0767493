#![allow(clippy::disallowed_macros)] // A test says what it skips.
use std::{fs, io::Cursor, process::Command};

use image::{Delay, Frame, Rgb, Rgba, RgbaImage, codecs::gif::GifEncoder};

use self::checks::skip;
use super::*;
use crate::output::{Entry, Journal};

#[path = "../../tests/common/checks.rs"]
#[allow(dead_code)] // Nothing is compared here.
mod checks;

fn temp() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn put(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "content").unwrap();
    path
}

/// What an input names itself.
fn source(path: &Path, kind: SourceKind) -> Source {
    Source { path: path.to_owned(), kind, below: PathBuf::new() }
}

fn search(output_dir: &Path, recursive: bool) -> Search<'_> {
    Search { recursive, output_dir, offline: false }
}

/// What `input` means, relative to `folder`; problems as they are.
fn found(folder: &Path, input: &Path, search: Search) -> Vec<Result<String, String>> {
    let relative = |source: Source| source.path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
    let sources = sources(&[input.to_owned()], search, Cursor::new(""));
    sources.into_iter().map(|source| source.map(relative).map_err(|unusable| unusable.problem)).collect()
}

fn ok(names: &[&str]) -> Vec<Result<String, String>> {
    names.iter().map(|name| Ok((*name).to_owned())).collect()
}

#[test]
fn a_folder_gives_its_pictures_and_videos_sorted_without_what_its_journal_knows() {
    let folder = temp();
    for name in ["b.JPG", "a.png", "c.mp4", "notes.txt", "low-res.png", "a-res.png", "a-res-1.map.png", "below/d.jpg"] {
        put(folder.path(), name);
    }
    put(folder.path(), "report-files/a-picture.jpg");
    let (elsewhere, all) = (Path::new("elsewhere"), ["a-res-1.map.png", "a-res.png", "a.png", "b.JPG"]);
    let below = ["below/d.jpg", "c.mp4", "low-res.png"];
    let results = ["report-files/a-picture.jpg"];
    let search = search(elsewhere, true);
    assert_eq!(found(folder.path(), folder.path(), search), ok(&[&all[..], &below, &results].concat()));
    let mut journal = Journal::read(folder.path());
    journal.start(None).unwrap();
    let id = PictureId::of(&folder.path().join("a.png"), None);
    let files = Some(all[..2].iter().map(|name| (*name).to_owned()).collect());
    journal.add(Entry { files, ..Entry::planned("a.png", &id, "", "a") }).unwrap();
    assert_eq!(found(folder.path(), folder.path(), search), ok(&[&all[2..], &below].concat()));
}

#[test]
fn what_is_found_in_folders_below_knows_them_and_results_there_are_known_by_the_journal_above() {
    let folder = temp();
    for name in ["a.jpg", "x/b.jpg", "x/y/c.jpg", "x/b-res.jpg"] {
        put(folder.path(), name);
    }
    let mut journal = Journal::read(folder.path());
    journal.start(None).unwrap();
    let id = PictureId::of(&folder.path().join("x/b.jpg"), None);
    let files = Some(vec!["x/b-res.jpg".to_owned()]);
    journal.add(Entry { files, ..Entry::planned("x/b.jpg", &id, "", "x/b") }).unwrap();
    let below = |input: &Path| -> Vec<PathBuf> {
        let search = search(Path::new("elsewhere"), true);
        let sources = sources(&[input.to_owned()], search, Cursor::new(""));
        sources.into_iter().flatten().map(|source| source.below).collect()
    };
    assert_eq!(below(folder.path()), ["", "x", "x/y"].map(PathBuf::from));
    assert_eq!(below(&folder.path().join("x")), ["", "y"].map(PathBuf::from), "as seen from the input");
}

#[test]
fn addresses_are_inputs_unless_there_is_no_going_there() {
    let address = Path::new("https://example.com/a%20b.jpg?x=*");
    let of = |offline: bool| {
        let search = Search { offline, ..search(Path::new("out"), false) };
        sources(&[address.to_owned()], search, Cursor::new(""))
    };
    assert_eq!(of(false), [Ok(source(address, SourceKind::Remote))]);
    assert!(of(true)[0].as_ref().unwrap_err().problem.contains("--offline"));
    let mut items = Items::new(of(false), NonZeroU32::MIN, Namer::new(Path::new("out"), None));
    let Ok(Picture { content: Content::Remote(remote), names, .. }) = items.next().unwrap().content else {
        panic!("it is on a server")
    };
    assert_eq!((remote.address(), names.picture()), (address, PathBuf::from("out/a b-res.jpg")));
}

#[test]
fn a_transport_stream_is_taken_and_a_source_of_typescript_is_not() {
    let folder = temp();
    put(folder.path(), "page.ts");
    let stream = [b"G".as_slice(), &[0; 187]].concat().repeat(5);
    fs::write(folder.path().join("clip.ts"), &stream).unwrap();
    put(folder.path(), "old.flv");
    let elsewhere = Path::new("elsewhere");
    assert_eq!(found(folder.path(), folder.path(), search(elsewhere, false)), ok(&["clip.ts", "old.flv"]));
    // Named, by content where the ending says nothing.
    let unnamed = folder.path().join("recording");
    fs::write(&unnamed, &stream).unwrap();
    let inputs = [unnamed.clone(), folder.path().join("page.ts")];
    let sources: Vec<_> = sources(&inputs, search(elsewhere, false), Cursor::new("")).into_iter().flatten().collect();
    assert_eq!(sources, [source(&unnamed, SourceKind::Video), source(&inputs[1], SourceKind::Picture)]);
}

#[test]
fn folders_below_are_searched_if_asked_for_but_no_hidden_ones_and_not_the_output() {
    let folder = temp();
    for name in ["z.jpg", "below/a.jpg", "below/deep/b.jpg", ".hidden/c.jpg", "out/a-res.jpg", "out/other.jpg"] {
        put(folder.path(), name);
    }
    let output = folder.path().join("out");
    #[cfg(unix)]
    std::os::unix::fs::symlink(folder.path(), folder.path().join("below/loop")).unwrap();
    assert_eq!(
        found(folder.path(), folder.path(), search(&output, true)),
        ok(&["below/a.jpg", "below/deep/b.jpg", "z.jpg"])
    );
}

#[test]
fn patterns_match_files_unless_a_file_is_called_so() {
    let folder = temp();
    for name in ["a1.jpg", "a2.jpg", "b1.jpg", "deep/er/a3.jpg", "a[1].jpg"] {
        put(folder.path(), name);
    }
    let pattern = |pattern: &str| found(folder.path(), &folder.path().join(pattern), search(Path::new("out"), false));
    assert_eq!(pattern("a?.jpg"), ok(&["a1.jpg", "a2.jpg"]));
    assert_eq!(pattern("**/a3.jpg"), ok(&["deep/er/a3.jpg"]));
    assert_eq!(pattern("a[1].jpg"), ok(&["a[1].jpg"]));
    assert!(pattern("x*.jpg")[0].as_ref().unwrap_err().ends_with("x*.jpg\" matches no file"));
    assert!(pattern("a[.jpg")[0].as_ref().unwrap_err().contains("is no pattern"));
}

#[test]
fn lists_name_inputs_and_their_problems_have_line_numbers() {
    let folder = temp();
    let (a, b) = (put(folder.path(), "a.jpg"), put(folder.path(), "b.jpg"));
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let list = folder.path().join("list.txt");
    fs::write(&list, format!("# pictures\r\n\r\n{}\r\n{}\n  {}  \n", a.display(), empty.display(), b.display()))
        .unwrap();
    let input = PathBuf::from(format!("@{}", list.display()));
    let result = found(folder.path(), &input, search(Path::new("out"), false));
    assert_eq!((&result[0], &result[2]), (&Ok("a.jpg".to_owned()), &Ok("b.jpg".to_owned())));
    let problem = result[1].as_ref().unwrap_err();
    assert!(problem.contains("list.txt:4: ") && problem.contains("has no pictures"), "{problem}");

    let stdin = Cursor::new(format!("{}\n", b.display()));
    let named = sources(&["-".into(), a.clone(), b.clone()], search(Path::new("out"), false), stdin);
    assert_eq!(
        named,
        [Ok(source(&b, SourceKind::Picture)), Ok(source(&a, SourceKind::Picture))],
        "each once, in the order of their first mention"
    );

    let missing = found(folder.path(), Path::new("@nowhere.txt"), search(Path::new("out"), false));
    assert!(missing[0].as_ref().unwrap_err().starts_with("list \"nowhere.txt\": "));
}

#[test]
fn a_list_may_begin_with_a_byte_order_mark_and_end_its_lines_as_windows_does() {
    let folder = temp();
    let list = folder.path().join("list.txt");
    let (a, b) = (put(folder.path(), "a.png"), put(folder.path(), "b.png"));
    fs::write(&list, format!("\u{feff}{}\r\n{}\r\n", a.display(), b.display())).unwrap();
    let input = PathBuf::from(format!("@{}", list.display()));
    assert_eq!(found(folder.path(), &input, search(Path::new("elsewhere"), false)), ok(&["a.png", "b.png"]));
}

#[cfg(unix)]
#[test]
fn a_name_in_a_list_may_be_any_bytes() {
    use std::os::unix::ffi::OsStrExt;
    let folder = temp();
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9.png");
    let path = folder.path().join(name);
    fs::write(&path, "content").unwrap();
    let other = put(folder.path(), "a.png");
    let list = [other.as_os_str().as_bytes(), path.as_os_str().as_bytes(), b""].join(&b'\n');
    let found = sources(&["-".into()], search(Path::new("elsewhere"), false), Cursor::new(list));
    assert_eq!(found, [Ok(source(&other, SourceKind::Picture)), Ok(source(&path, SourceKind::Picture))]);
}

#[test]
fn hidden_files_are_no_pictures_unless_they_are_named() {
    let folder = temp();
    for name in ["IMG_1.png", "._IMG_1.png", ".cache.jpg", "below/._a.png"] {
        put(folder.path(), name);
    }
    let elsewhere = Path::new("elsewhere");
    for input in ["", "*.png", "*1.png"] {
        assert_eq!(found(folder.path(), &folder.path().join(input), search(elsewhere, false)), ok(&["IMG_1.png"]));
    }
    for input in ["._IMG_1.png", ".*.png"] {
        assert_eq!(found(folder.path(), &folder.path().join(input), search(elsewhere, false)), ok(&["._IMG_1.png"]));
    }
    assert_eq!(found(folder.path(), folder.path(), search(elsewhere, true)), ok(&["IMG_1.png"]));
    put(folder.path(), ".hidden/a.png");
    assert_eq!(found(folder.path(), &folder.path().join("*/*.png"), search(elsewhere, false)).len(), 1, "told");
    assert_eq!(
        found(folder.path(), &folder.path().join(".hid*/*.png"), search(elsewhere, false)),
        ok(&[".hidden/a.png"])
    );
}

#[test]
fn an_empty_folder_is_told() {
    let folder = temp();
    let problem = found(folder.path(), folder.path(), search(Path::new("out"), false)).remove(0).unwrap_err();
    assert!(problem.contains("has no pictures") && problem.contains("--recursive"), "{problem}");
    let sources = sources(&[folder.path().to_owned()], search(Path::new("out"), false), Cursor::new(""));
    let mut items = Items::new(sources, NonZeroU32::MIN, Namer::new(Path::new("out"), None));
    assert_eq!(items.next().unwrap().image, folder.path().display().to_string(), "reports name it");
}

/// A GIF of three frames: red; a green dot on it; all blue.
fn gif(path: &Path, count: usize) {
    let red = RgbaImage::from_pixel(8, 8, Rgba([255, 0, 0, 255]));
    let mut dot = RgbaImage::from_pixel(8, 8, Rgba([0, 0, 0, 0]));
    dot.put_pixel(3, 3, Rgba([0, 255, 0, 255]));
    let blue = RgbaImage::from_pixel(8, 8, Rgba([0, 0, 255, 255]));
    let mut encoder = GifEncoder::new(fs::File::create(path).unwrap());
    for frame in [red, dot, blue].into_iter().take(count) {
        encoder.encode_frame(Frame::from_parts(frame, 0, 0, Delay::from_numer_denom_ms(100, 1))).unwrap();
    }
}

fn items(path: &Path, every: u32) -> (Option<usize>, Vec<Item>) {
    let sources = sources(&[path.to_owned()], search(Path::new("out"), false), Cursor::new(""));
    let items = Items::new(sources, NonZeroU32::new(every).unwrap(), Namer::new(Path::new("out"), None));
    (items.total(), items.collect())
}

/// Name behind the folder, result and pixel at (3, 3) of frames.
fn shown(items: Vec<Item>) -> Vec<(String, PathBuf, Rgb<u8>)> {
    let shown = |item: Item| match item.content {
        Ok(Picture { content: Content::Frame(picture), names, .. }) => {
            let name = item.image.rsplit('/').next().unwrap().to_owned();
            (name, names.picture(), *picture.get_pixel(3, 3))
        }
        Ok(_) => panic!("it is no frame"),
        Err(problem) => panic!("{problem}"),
    };
    items.into_iter().map(shown).collect()
}

#[test]
fn frames_of_an_animated_gif_are_composited() {
    let folder = temp();
    let path = folder.path().join("clip.gif");
    gif(&path, 3);
    let (total, frames) = items(&path, 1);
    assert_eq!(total, None);
    let result = |index: u32| PathBuf::from(format!("out/clip-{index:06}-res.jpg"));
    let expected = [
        ("clip.gif#0".to_owned(), result(0), Rgb([255, 0, 0])),
        ("clip.gif#1".to_owned(), result(1), Rgb([0, 255, 0])),
        ("clip.gif#2".to_owned(), result(2), Rgb([0, 0, 255])),
    ];
    assert_eq!(shown(frames), expected);
    let every_second: Vec<String> = shown(items(&path, 2).1).into_iter().map(|(name, ..)| name).collect();
    assert_eq!(every_second, ["clip.gif#0", "clip.gif#2"]);
}

#[test]
fn a_gif_of_one_frame_is_a_picture() {
    let folder = temp();
    let path = folder.path().join("still.gif");
    gif(&path, 1);
    let (total, items) = items(&path, 1);
    assert_eq!(total, Some(1));
    assert!(matches!(&items[0].content, Ok(Picture { content: Content::File(file), .. }) if *file == path));
}

/// A video of grey levels: 20, 40, 60, ... at 10 frames per second; `None` (said on stderr) without ffmpeg.
fn video(path: &Path, frames: u32) -> Option<()> {
    encoded(path, frames, "10", &["-c:v", "mpeg4", "-q:v", "1"])
}

/// The same at `rate` frames per second, as ffmpeg encodes it with `codec`.
fn encoded(path: &Path, frames: u32, rate: &str, codec: &[&str]) -> Option<()> {
    let source = format!("color=black:size=64x48:rate={rate},format=gray,geq=lum=20*(N+1),trim=end_frame={frames}");
    let made = Command::new("ffmpeg")
        .args(["-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", &source])
        .args(codec)
        .arg(path)
        .status();
    match made {
        Ok(status) => assert!(status.success()),
        Err(error) => {
            skip(&format!("ffmpeg: {error}"));
            return None;
        }
    }
    Some(())
}

#[test]
fn every_nth_frame_of_a_video_is_the_right_one() {
    let folder = temp();
    // A name that ffmpeg would take for a pattern or a protocol.
    let path = folder.path().join("cl:ip %03d.mp4");
    if video(&path, 10).is_none() {
        return;
    }
    let levels = |every| {
        let frames = shown(items(&path, every).1);
        frames
            .into_iter()
            .map(|(name, _, pixel)| (name, (f32::from(pixel[1]) / 20.0).round() as u32))
            .collect::<Vec<_>>()
    };
    let frame = |index: u32| (format!("cl:ip %03d.mp4#{index}"), index + 1);
    assert_eq!(levels(1), (0..10).map(frame).collect::<Vec<_>>());
    assert_eq!(levels(3), [0, 3, 6, 9].map(frame));
}

#[test]
fn no_frame_is_lost_at_any_rate_and_depth() {
    let folder = temp();
    let kinds: [(&str, &str, &[&str]); 4] = [
        ("slow.avi", "0.5", &["-c:v", "mpeg4"]),
        ("odd.mkv", "7.3", &["-c:v", "mpeg4"]),
        ("fast.mp4", "240", &["-c:v", "mpeg4"]),
        ("ten-bits.mkv", "10", &["-c:v", "ffv1", "-pix_fmt", "yuv420p10le"]),
    ];
    for (name, rate, codec) in kinds {
        let path = folder.path().join(name);
        if encoded(&path, 30, rate, codec).is_none() {
            return;
        }
        for (every, expected) in [(1, (0..30).collect::<Vec<u64>>()), (7, vec![0, 7, 14, 21, 28])] {
            let frames = Video::open(&path, every).unwrap().map(|frame| frame.unwrap().0);
            assert_eq!(frames.collect::<Vec<_>>(), expected, "{name}");
        }
    }
}

#[test]
fn a_video_that_is_none_is_one_line() {
    let folder = temp();
    let path = put(folder.path(), "clip.mp4");
    if Command::new("ffmpeg").arg("-version").output().is_err() {
        return skip("no ffmpeg is installed");
    }
    let (_, mut items) = items(&path, 1);
    assert_eq!(items.len(), 1);
    let problem = items.remove(0).content.err().unwrap();
    assert!(problem.contains("clip.mp4\" cannot be read as a video; ffmpeg says: "), "{problem}");
    assert_eq!(problem.lines().count(), 1);
    assert!(!problem.contains("0x"), "the same in every run: {problem}");
}

#[test]
fn a_video_that_is_dropped_half_way_ends_ffmpeg() {
    let folder = temp();
    let path = folder.path().join("long.mp4");
    if video(&path, 200).is_none() {
        return;
    }
    let mut frames = Video::open(&path, 1).unwrap();
    assert!(frames.next().unwrap().is_ok());
    // Waits for ffmpeg, which would wait for a reader.
    drop(frames);
}
