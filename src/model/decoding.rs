//! Whether a TorchScript file makes the same boxes of its raw heads as we do. A head may look like YOLOv5's and mean something
//! else: the angles of rotated boxes or the points of faces would be taken for classes.

use tch::{Device, Kind, Tensor};

use super::{ffi::ScriptModule, head::Head};
use crate::{
    detect::{decode_box, sigmoid},
    error::Error,
};

/// Sides of the input that networks are traced at, to be tried where the file does not say.
const USUAL_SIDES: [i64; 5] = [640, 320, 416, 512, 1280];

/// How far values may lie apart, as a share: weights and anchors of 16 bits are coarse. Another formula is off by far more.
const TOLERANCE: f32 = 0.02;

/// Compares what the file's own code makes of raw heads with our decoding.
///
/// `shape`: `[N, 3, H, W]` that the file says it was traced at. Returns, in one line, why nothing could be compared, if so.
///
/// # Errors
/// In one line, what is different.
pub(super) fn compare(
    module: &ScriptModule,
    heads: &[Head],
    classes: usize,
    shape: Option<[i64; 4]>,
    device: Device,
) -> Result<Option<String>, String> {
    let usual = USUAL_SIDES.map(|side| [1, 3, side, side]);
    let mut problem = String::new();
    for shape in shape.into_iter().chain(usual) {
        match decoded(module, heads, shape, device) {
            Ok(None) => return Ok(None),
            Ok(Some(rows)) => return compare_rows(&rows, heads, classes, shape),
            // A trace decodes at the size that it was made at.
            Err(error) if problem.is_empty() => problem = super::reason(&error),
            Err(_) => {}
        }
    }
    Ok(Some(format!("its own decoding cannot be compared with ours, as it fails: {problem}")))
}

/// The raw value of a channel: the same in all cells, and different from that of its neighbours.
fn raw_value(channel: usize) -> f32 {
    (channel as f32 * 0.7).sin() * 2.0
}

/// What the module's own code makes of such heads. `None` if it does not decode them.
fn decoded(module: &ScriptModule, heads: &[Head], shape: [i64; 4], device: Device) -> crate::Result<Option<Tensor>> {
    let [pictures, channels, height, width] = shape;
    let input = Tensor::f_zeros([1], (Kind::Float, device))?.f_expand([pictures, channels, height, width], false)?;
    let raw = |head: &Head| -> crate::Result<Tensor> {
        let values: Vec<f32> = (0..head.anchors.len() * head.channels_per_anchor).map(raw_value).collect();
        let stride = i64::from(head.stride);
        let cells = [pictures, values.len() as i64, height / stride, width / stride];
        Ok(Tensor::f_from_slice(&values)?.f_to_device(device)?.f_view([1, -1, 1, 1])?.f_expand(cells, false)?)
    };
    let raw = heads.iter().map(raw).collect::<crate::Result<Vec<_>>>()?;
    let paths: Vec<&str> = heads.iter().map(|head| head.path.as_str()).collect();
    let output = module.decode(&paths, &input, &raw)?;
    // Raw heads as they are, [N, C, h, w] or [N, anchors, h, w, channels].
    Ok(output.filter(|output| output.dim() == 3))
}

fn compare_rows(
    output: &Tensor,
    heads: &[Head],
    classes: usize,
    [_, _, height, width]: [i64; 4],
) -> Result<Option<String>, String> {
    let cells = |head: &Head| [height, width].map(|side| side as usize / head.stride as usize);
    let channels = heads.first().map_or(0, |head| head.channels_per_anchor);
    let rows: usize = heads.iter().map(|head| head.anchors.len() * cells(head).iter().product::<usize>()).sum();
    let &[_, found_rows, found_channels] = output.size().as_slice() else { return Ok(None) };
    if (found_rows, found_channels) != (rows as i64, channels as i64) {
        return Ok(Some(format!(
            "its own decoding cannot be compared with ours: it gives {found_rows}x{found_channels} values, expected \
             {rows}x{channels}"
        )));
    }
    let mut first_row = 0;
    for head in heads {
        let [h, w] = cells(head);
        for anchor in 0..head.anchors.len() {
            for (row, column) in [(0, 0), (h / 2, w / 3), (h.saturating_sub(1), w.saturating_sub(1))] {
                let at = first_row + (anchor * h + row) * w + column;
                let found = values(output, at).map_err(|error| error.to_string())?;
                let expected = expected(head, anchor, (row, column), classes);
                // No number at all is near nothing.
                let is_near =
                    |found: f32, expected: f32| (found - expected).abs() <= TOLERANCE * expected.abs().max(1.0);
                let far = found.iter().zip(&expected).position(|(&found, &expected)| !is_near(found, expected));
                if let Some(channel) = far {
                    return Err(format!(
                        "has a head of its own kind: it decodes value {channel} of a box to {:.3}, YOLOv5 to {:.3}, so its \
                         {classes} classes would be something else",
                        found[channel], expected[channel]
                    ));
                }
            }
        }
        first_row += head.anchors.len() * h * w;
    }
    Ok(None)
}

fn values(output: &Tensor, row: usize) -> crate::Result<Vec<f32>> {
    let row = output.f_get(0)?.f_get(row as i64)?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?;
    Vec::try_from(row).map_err(Error::from)
}

/// Centre, width and height in pixels, objectness, classes, and the mask coefficients as they are.
fn expected(head: &Head, anchor: usize, cell: (usize, usize), classes: usize) -> Vec<f32> {
    let raw = |channel: usize| raw_value(anchor * head.channels_per_anchor + channel);
    let b = decode_box(head, anchor, cell, raw);
    let mut values = vec![(b.x1 + b.x2) / 2.0, (b.y1 + b.y2) / 2.0, b.x2 - b.x1, b.y2 - b.y1];
    let rest = 4..head.channels_per_anchor;
    values.extend(rest.map(|channel| if channel < 5 + classes { sigmoid(raw(channel)) } else { raw(channel) }));
    values
}
