//! Whether a TorchScript file makes the same boxes of its raw outputs as we do. A head may look like one of a family and mean
//! something else: the angles of rotated boxes or the points of faces would be taken for classes.

use tch::{Device, Kind, Tensor};

use super::{
    ffi::ScriptModule,
    probe::{USUAL_SIDES, input},
};
use crate::{error::Error, families::Head, geometry::Size, text::counted};

/// How far values may lie apart, as a share: weights and anchors of 16 bits are coarse. Another formula is off by far more.
const TOLERANCE: f32 = 0.02;

/// What the file's own code makes of raw outputs.
pub(super) enum Decoded {
    /// The same as our decoding, as far as it can be compared; in one line, why it can't be, if so.
    Alike(Option<String>),
    /// Something else than the head does, and the same as this reading of its outputs.
    Read(Box<dyn Head>),
}

/// Compares what the file's own code makes of raw outputs with our decoding, and finds the reading of them that does the same.
///
/// `shape`: `[N, 3, H, W]` that the file says it was traced at; `outputs`: the shapes of the raw outputs for an input of the size
/// `measured`.
///
/// # Errors
/// In one line, what is different.
pub(super) fn compare(
    module: &ScriptModule,
    head: &dyn Head,
    shape: Option<[i64; 4]>,
    (outputs, measured): (&[Vec<i64>], Size),
    device: Device,
) -> Result<Decoded, String> {
    let usual = USUAL_SIDES.map(|side| input(1, Size::square(side)));
    // A size of broken strides is none that it was traced at.
    let is_whole = |shape: &[i64; 4]| {
        let strides = head.levels().iter().map(|level| i64::from(level.stride.max(1)));
        strides.into_iter().all(|stride| shape[2..].iter().all(|side| side % stride == 0))
    };
    let mut problem = String::new();
    for shape in shape.filter(is_whole).into_iter().chain(usual) {
        match decoded(module, head, shape, device) {
            Ok(None) => return Ok(Decoded::Alike(None)),
            Ok(Some(rows)) => {
                let reads = |mut other: Box<dyn Head>| {
                    let is_alike = other.measure(outputs, measured).is_ok()
                        && matches!(compare_rows(&rows, other.as_ref(), shape), Ok(None));
                    is_alike.then_some(other)
                };
                return match compare_rows(&rows, head, shape) {
                    Ok(uncompared) => Ok(Decoded::Alike(uncompared)),
                    Err(problem) => head.readings().into_iter().find_map(reads).map(Decoded::Read).ok_or(problem),
                };
            }
            // A trace decodes at the size that it was made at.
            Err(error) if problem.is_empty() => problem = super::reason(&error),
            Err(_) => {}
        }
    }
    Ok(Decoded::Alike(Some(format!("its own decoding cannot be compared with ours, as it fails: {problem}"))))
}

/// The raw value of a channel: the same in all cells, and different from that of its neighbours.
fn raw_value(channel: usize) -> f32 {
    (channel as f32 * 0.7).sin() * 2.0
}

/// What the module's own code makes of such outputs, `[N, rows, values]`. `None` if it does not decode them.
fn decoded(module: &ScriptModule, head: &dyn Head, shape: [i64; 4], device: Device) -> crate::Result<Option<Tensor>> {
    let [pictures, channels, height, width] = shape;
    let input = Tensor::f_zeros([1], (Kind::Float, device))?.f_expand([pictures, channels, height, width], false)?;
    let raw = |(output, channels): (usize, usize)| -> crate::Result<Tensor> {
        let values: Vec<f32> = (0..channels).map(raw_value).collect();
        let level = head.levels().iter().position(|level| level.outputs.contains(&output));
        let level = level.expect("each raw output belongs to a level");
        let (rows, columns) = head.cells(level, Size { width: width as u32, height: height as u32 });
        let cells = [pictures, values.len() as i64, rows as i64, columns as i64];
        let raw = Tensor::f_from_slice(&values)?.f_to_device(device)?.f_view([1, -1, 1, 1])?.f_expand(cells, false)?;
        head.unmapped(output, raw)
    };
    let raw = head.channels().into_iter().enumerate().map(raw).collect::<crate::Result<Vec<_>>>()?;
    let paths = head.outputs();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    match module.decode(&paths, &input, &raw)? {
        Some(output) => head.rows(&output),
        None => Ok(None),
    }
}

fn compare_rows(output: &Tensor, head: &dyn Head, [_, _, height, width]: [i64; 4]) -> Result<Option<String>, String> {
    let input = Size { width: width as u32, height: height as u32 };
    let predictions = |level: usize| {
        let (rows, columns) = head.cells(level, input);
        head.predictions_in(level, rows * columns)
    };
    let rows: usize = (0..head.levels().len()).map(predictions).sum();
    let channels = head.values_per_box();
    let &[_, found_rows, found_channels] = output.size().as_slice() else { return Ok(None) };
    if (found_rows, found_channels) != (rows as i64, channels as i64) {
        return Ok(Some(format!(
            "its own decoding cannot be compared with ours: it gives {found_rows}x{found_channels} values, expected \
             {rows}x{channels}"
        )));
    }
    for (row, expected) in head.sample_rows(input, &|_, channel| raw_value(channel)) {
        let found = values(output, row).map_err(|error| error.to_string())?;
        // No number at all is near nothing.
        let is_near = |found: f32, expected: f32| (found - expected).abs() <= TOLERANCE * expected.abs().max(1.0);
        let far = found.iter().zip(&expected).position(|(&found, &expected)| !is_near(found, expected));
        if let Some(channel) = far {
            return Err(format!(
                "has a head of its own kind: it decodes value {channel} of a prediction to {:.3}, {} to {:.3}, so its {} \
                 would be something else",
                found[channel],
                head.family(),
                expected[channel],
                counted(head.classes(), "class", "classes")
            ));
        }
    }
    Ok(None)
}

fn values(output: &Tensor, row: usize) -> crate::Result<Vec<f32>> {
    let row = output.f_get(0)?.f_get(row as i64)?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?;
    Vec::try_from(row).map_err(Error::from)
}
