//! The sizes of the input that a network runs at, found by running it on nothing.

use std::path::Path;

use tch::{Device, Kind, Tensor};

use super::{
    ffi::{Ends, ScriptModule, Tap, TappedGraph},
    reason, torchscript,
};
use crate::{error::Result, geometry::Size, limits::Limits};

/// Side of the input that shows the strides of the levels: small, and a multiple of every stride in use.
const SIDE: u32 = 128;

/// The size of that input.
pub(super) const PROBE: Size = Size { width: SIDE, height: SIDE };

/// Another one: a network that runs at both runs at any.
const OTHER: Size = Size { width: 2 * SIDE, height: 2 * SIDE };

/// Sides of the input that networks are traced at, to be tried where the file does not say.
pub(super) const USUAL_SIDES: [u32; 5] = [640, 320, 416, 512, 1280];

/// How many sizes that a file only suggests are tried by whole forward passes.
const MOST_PASSES: usize = 4;

/// Channels of pictures, up to which a network that does not take RGB is asked what it takes: of satellites are 13.
const MOST_CHANNELS: i64 = 16;

/// What a network gives for an input of some size.
pub(super) struct Shapes {
    /// Of each raw output.
    pub outputs: Vec<Vec<i64>>,
    /// Of each layer's output.
    pub layers: Vec<Vec<i64>>,
}

/// What was found about a network.
pub(super) struct Found {
    /// The size of an input that it runs at.
    pub size: Size,
    /// Whether it runs at no other.
    pub is_only: bool,
    /// How many pictures it takes at once.
    pub most_pictures: usize,
    /// The shapes of its raw outputs for one picture of that size.
    pub outputs: Vec<Vec<i64>>,
}

impl Found {
    /// `[N, 3, H, W]` that the file's own decoding is to be tried at first. `stated`: what the file says.
    pub fn decodes_at(&self, stated: Option<[i64; 4]>) -> Option<[i64; 4]> {
        let only = self.is_only.then(|| input(1, self.size));
        only.filter(|only| stated.is_none_or(|stated| stated[2..] != only[2..])).or(stated)
    }
}

/// A network that is asked for shapes.
pub(super) struct Probe<'a> {
    module: &'a ScriptModule,
    /// The same with weights that are shapes alone. It computes in next to no time, but some operators want data.
    without_data: Option<ScriptModule>,
    ends: &'a Ends<'a>,
    device: Device,
}

impl<'a> Probe<'a> {
    pub fn new(module: &'a ScriptModule, ends: &'a Ends<'a>, device: Device) -> Self {
        Self { module, without_data: module.without_data().ok(), ends, device }
    }

    /// The shapes for an input `[N, channels, H, W]`.
    pub fn shapes(&self, layers: &[&str], input: [i64; 4]) -> Result<Shapes> {
        match self.without_data.as_ref().map(|module| self.run(module, layers, input)) {
            Some(Ok(shapes)) => Ok(shapes),
            _ => self.run(self.module, layers, input),
        }
    }

    fn run(&self, module: &ScriptModule, layers: &[&str], input: [i64; 4]) -> Result<Shapes> {
        let input = Tensor::f_zeros([1], (Kind::Float, self.device))?.f_expand(input, false)?;
        let mut graph = TappedGraph::new(module, self.ends, layers, Tap::Observe)?;
        let forward = tch::no_grad(|| graph.run(&input))?;
        let sizes = |tensors: &[Tensor]| tensors.iter().map(Tensor::size).collect();
        Ok(Shapes { outputs: sizes(&forward.outputs), layers: sizes(&forward.taps) })
    }

    fn runs(&self, input: [i64; 4]) -> bool {
        self.shapes(&[], input).is_ok()
    }

    /// Of a network that was built for any size. The error says why it does not run.
    pub fn built(&self) -> Result<Found, String> {
        let shapes = self.shapes(&[], input(1, PROBE)).map_err(|error| self.problem(&reason(&error)))?;
        Ok(Found { size: PROBE, is_only: false, most_pictures: usize::MAX, outputs: shapes.outputs })
    }

    /// Of a trace, in whose forward sizes may be baked. `stated`: the size that the file at `path` says it was traced at. The
    /// error says why it does not run at a small size, if it runs at no other that it may have been traced at.
    pub fn traced(&self, stated: Option<Size>, path: &Path) -> Result<Found, String> {
        let found = match self.built() {
            Ok(found) if self.runs(input(2, OTHER)) => return Ok(found),
            Ok(found) => Found { is_only: !self.runs(input(1, OTHER)), ..found },
            Err(problem) => self.fixed(stated, path).ok_or(problem)?,
        };
        let most_pictures = if self.runs(input(2, found.size)) { usize::MAX } else { 1 };
        Ok(Found { most_pictures, ..found })
    }

    /// The only size at which a trace runs.
    fn fixed(&self, stated: Option<Size>, path: &Path) -> Option<Found> {
        let stated = stated.filter(|size| size.longest() <= Limits::TRACED_SIDE);
        let stated = stated.and_then(|size| Some((size, self.shapes(&[], input(1, size)).ok()?)));
        // What nobody stated costs no forward pass, but for the likeliest, where some operator wants data.
        let try_with = |module: &ScriptModule, size| Some((size, self.run(module, &[], input(1, size)).ok()?));
        let suggested = || torchscript::baked_sizes(path).into_iter().chain(USUAL_SIDES.map(Size::square));
        let without_data = || suggested().find_map(|size| try_with(self.without_data.as_ref()?, size));
        let with_data = || suggested().take(MOST_PASSES).find_map(|size| try_with(self.module, size));
        let (size, shapes) = stated.or_else(without_data).or_else(with_data)?;
        Some(Found { size, is_only: true, most_pictures: 1, outputs: shapes.outputs })
    }

    /// Why the network does not run on a small picture.
    fn problem(&self, reason: &str) -> String {
        let side = i64::from(SIDE);
        match (1..=MOST_CHANNELS).find(|&channels| self.runs([1, channels, side, side])) {
            Some(1) => {
                "takes pictures of 1 channel; only models for RGB pictures, of 3 channels, are explained".to_owned()
            }
            Some(channels) => {
                format!("takes pictures of {channels} channels; only models for RGB pictures, of 3, are explained")
            }
            None => format!("fails on a {PROBE} input: {reason}"),
        }
    }
}

/// The shape of an input of so many pictures in RGB.
pub(super) fn input(pictures: i64, Size { width, height }: Size) -> [i64; 4] {
    [pictures, 3, i64::from(height), i64::from(width)]
}
