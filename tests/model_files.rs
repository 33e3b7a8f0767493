//! In what sound model files differ: the archive they lie in, and what they have for class names.

mod common;

use std::fs;

use common::{repacked, temp};
use tch::Device;
use yolo_cam::{ExportOptions, Model};
use zip::CompressionMethod;

/// Three blocks and a head for the classes bolt and nut, as PyTorch saves them.
const CHECKPOINT: &[u8] = include_bytes!("data/three.pt");

/// The checkpoint under another root folder, with each entry as `change` wants it.
fn rewritten(root: &str, change: impl Fn(&str, Vec<u8>) -> Vec<u8>) -> Vec<u8> {
    repacked(CHECKPOINT, Some(root), CompressionMethod::Stored, change)
}

/// The archive with the zip64 records that PyTorch writes in front of the end, whatever its size.
fn with_zip64_records(mut archive: Vec<u8>) -> Vec<u8> {
    let end = archive.len() - 22;
    let field = |at: usize, bytes: usize| {
        let field = &archive[end + at..end + at + bytes];
        field.iter().rev().fold(0, |number: u64, &byte| number << 8 | u64::from(byte))
    };
    let (entries, size, start) = (field(10, 2), field(12, 4), field(16, 4));
    let mut records = b"PK\x06\x06".to_vec();
    records.extend(44u64.to_le_bytes());
    records.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    [entries, entries, size, start].iter().for_each(|number| records.extend(number.to_le_bytes()));
    records.extend(b"PK\x06\x07\0\0\0\0");
    records.extend((end as u64).to_le_bytes());
    records.extend(1u32.to_le_bytes());
    archive.splice(end..end, records);
    archive
}

fn load(bytes: &[u8]) -> Result<Model, String> {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(file.path(), bytes).expect("it is written");
    Model::load(file.path(), Device::Cpu).map_err(|error| error.to_string())
}

#[test]
fn a_checkpoint_loads_whatever_the_length_of_its_name_was_when_it_was_saved() {
    for letters in 1..=60 {
        let bytes = with_zip64_records(rewritten(&"m".repeat(letters), |_, content| content));
        load(&bytes).unwrap_or_else(|error| panic!("{letters} letters: {error}"));
    }
}

#[test]
fn an_export_loads_whatever_the_length_of_its_name() {
    let folder = temp();
    let model = load(CHECKPOINT).expect("it is sound");
    for letters in 1..=60 {
        let path = folder.path().join("m".repeat(letters)).with_extension("torchscript");
        model.export(&path, &ExportOptions::default()).expect("it is exported");
        let exported = Model::load(&path, Device::Cpu).unwrap_or_else(|error| panic!("{letters} letters: {error}"));
        assert_eq!(exported.names(), model.names());
    }
}

#[test]
fn numbers_of_a_big_endian_machine_are_refused() {
    let with = |order: &'static [u8]| {
        load(&rewritten("m", move |name, content| if name == "byteorder" { order.to_vec() } else { content }))
    };
    assert!(with(b"little").is_ok());
    let error = with(b"big").err().expect("it is refused");
    assert!(error.contains("big-endian numbers") && error.contains("save it again"), "{error}");
}

/// The checkpoint with this in the place of its names, as a pickle has it.
fn with_names(names: &[u8]) -> Model {
    let bytes = rewritten("m", |name, content| {
        if name != "data.pkl" {
            return content;
        }
        let find =
            |wanted: &[u8]| content.windows(wanted.len()).position(|window| window == wanted).expect("it is there");
        // Behind the key and its number; the last name, its number, and the end of the dict.
        let (start, end) = (find(b"names") + 5 + 5, find(b"nut") + 3 + 5 + 1);
        [&content[..start], names, &content[end..]].concat()
    });
    load(&bytes).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn names_that_are_no_text_are_what_yolov5_prints_and_an_export_keeps_them() {
    let folder = temp();
    for (pickled, printed) in [
        (&b"](M\x10\x52J\xff\xff\xff\xffe"[..], ["21008", "-1"]),
        (b"](\x88\x89e", ["True", "False"]),
        (b"}(K\x01G\x3f\xf8\0\0\0\0\0\0K\0Nu", ["None", "1.5"]),
        (b"(X\x03\0\0\0catG\x3e\x7a\xd7\xf2\x9a\xbc\xaf\x48t", ["cat", "1e-07"]),
    ] {
        let model = with_names(pickled);
        assert_eq!(model.names(), printed);
        assert_eq!(model.warnings(), [""; 0]);
        let path = folder.path().join("exported.torchscript");
        model.export(&path, &ExportOptions::default()).expect("it is exported");
        assert_eq!(Model::load(&path, Device::Cpu).expect("it is sound").names(), printed);
    }
}

#[test]
fn names_that_do_not_fit_are_taken_as_far_as_they_do_and_the_rest_is_told() {
    for (pickled, names, warning) in [
        (&b"](X\x03\0\0\0cate"[..], ["cat", "class1"], "has names for 1 of its 2 classes; without one: class1"),
        (b"}(K\x01X\x03\0\0\0catK\x02K\x07u", ["class0", "cat"], "leaves out 1 name for classes beyond its 2"),
        (b"](K\0K\x01K\x02K\x03e", ["0", "1"], "leaves out 2 names for classes beyond its 2"),
        (b"](X\0\0\0\0]e", ["class0", "class1"], "has names for 0 of its 2 classes"),
        (b"}", ["class0", "class1"], ""),
    ] {
        let model = with_names(pickled);
        assert_eq!(model.names(), names);
        match model.warnings() {
            [] => assert_eq!(warning, ""),
            [told] => assert!(!warning.is_empty() && told.contains(warning), "{told}"),
            more => panic!("{more:?}"),
        }
    }
}

#[test]
fn a_hundred_thousand_names_are_no_trouble_and_a_long_one_is_cut() {
    let mut pickled = b"}(".to_vec();
    for class in 0..100_000u32 {
        pickled.extend([b"J", class.to_le_bytes().as_slice(), b"X\x01\0\0\0a"].concat());
    }
    pickled.extend(b"u");
    let model = with_names(&pickled);
    assert_eq!(model.names(), ["a", "a"]);
    assert_eq!(model.warnings(), ["leaves out 99998 names for classes beyond its 2"]);

    let long = [b"](X\x50\xc3\0\0".as_slice(), &[b'x'; 50_000], b"X\x03\0\0\0cate"].concat();
    let model = with_names(&long);
    assert_eq!(model.names(), ["x".repeat(200).as_str(), "cat"]);
    assert_eq!(model.warnings(), ["cuts 1 name to 200 letters"]);
}

/// The bytes of an entry that becomes `to` where it is `from`.
fn exchanged(name: &str, content: Vec<u8>, entry: &str, [from, to]: [&[u8]; 2]) -> Vec<u8> {
    if name != entry {
        return content;
    }
    let at = content.windows(from.len()).position(|window| window == from).expect("it is there");
    [&content[..at], to, &content[at + from.len()..]].concat()
}

#[test]
fn strides_that_the_blocks_do_not_have_are_refused_and_zeros_say_nothing() {
    let with_stride = |said: f32| {
        let change = [8f32.to_le_bytes(), said.to_le_bytes()];
        load(&rewritten("m", move |name, content| exchanged(name, content, "data/6", [&change[0], &change[1]])))
    };
    for said in [8.0, 0.0, f32::NAN] {
        with_stride(said).unwrap_or_else(|error| panic!("{said}: {error}"));
    }
    let error = with_stride(16.0).err().expect("it is refused");
    assert!(error.contains("says that the strides of its levels are 16, but its blocks give 8"), "{error}");
    assert!(error.contains("'python export.py --weights FILE --include torchscript'"), "{error}");
}

/// YOLOv8, with classes cat, traffic light and dog.
const LATER_CHECKPOINT: &[u8] = include_bytes!("data/families/legacy/v8-8.0.0.pt");

#[test]
fn a_later_checkpoint_is_refused_where_its_words_do_not_fit_its_network() {
    let with = |entry: &str, change: [&[u8]; 2]| {
        let change = |name: &str, content| exchanged(name, content, entry, change);
        load(&repacked(LATER_CHECKPOINT, None, CompressionMethod::Stored, change)).map_err(|error| {
            assert_eq!(error.lines().count(), 1, "{error}");
            error
        })
    };
    assert!(with("version", [b"3", b"3"]).is_ok());
    // 8, 16 and 32 with 16 bits each; the second becomes 64.
    let error = with("data/331", [b"\0H\0L\0P", b"\0H\0T\0P"]).err().expect("it is refused");
    assert!(error.contains("are 8, 64, 32, but its blocks give 8, 16, 32"), "{error}");
    assert!(error.contains("'yolo export model=FILE format=torchscript'"), "{error}");
    // The last name with its key, and the number of the pickle's memo.
    let error = with("data.pkl", [b"K\x02X\x03\0\0\0dogr\xb8\x1c\0\0", b""]).err().expect("it is refused");
    assert!(error.contains("2 class names for 3 channels of classes"), "{error}");
}

#[test]
fn a_trace_whose_largest_stride_is_another_is_refused() {
    let folder = temp();
    let path = folder.path().join("exported.torchscript");
    load(LATER_CHECKPOINT).expect("it is sound").export(&path, &ExportOptions::default()).expect("it is exported");
    let exported = fs::read(&path).expect("it is there");
    let with_stride = |said: &str| {
        let said = format!("\"stride\":{said}");
        let change =
            |name: &str, content| exchanged(name, content, "extra/config.txt", [b"\"stride\":32", said.as_bytes()]);
        load(&repacked(&exported, None, CompressionMethod::Stored, change))
    };
    for said in ["32", "32.0", "0", "\"32\"", "null", "-1"] {
        with_stride(said).unwrap_or_else(|error| panic!("{said}: {error}"));
    }
    let error = with_stride("64").err().expect("it is refused");
    assert!(
        error.contains("its largest stride is 64, but its levels have strides 8, 16, 32; export it again"),
        "{error}"
    );
}
