//! Animated GIF, WebP and PNG, decoded beside the workers.

use std::{
    path::Path,
    sync::mpsc::{self, Receiver},
    thread,
};

use image::RgbImage;
use yolo_cam::picture;

use super::PICTURES;
use crate::guard::guarded;

/// A frame with its number, or in one line why there is none.
type Frame = Result<(u64, RgbImage), String>;

/// Composited frames, transparent parts on black, decoded by a thread of their own that is one frame ahead.
pub struct Animation(Receiver<Frame>);

impl Animation {
    /// `every`: how many frames there are from one that is taken to the next.
    pub fn open(path: &Path, every: u64) -> Result<Self, String> {
        let name = format!("{path:?}");
        let frames_of = path.to_owned();
        // Without a buffer: the sender waits until a frame is taken.
        let (sender, frames) = mpsc::sync_channel(0);
        thread::spawn(move || {
            // Nobody wants more once sending fails.
            let decoded = guarded(|| decode(&frames_of, every, &name, |frame| sender.send(frame).is_ok()));
            if let Err(fault) = decoded {
                sender.send(Err(format!("{name}: {fault}"))).ok();
            }
        });
        Ok(Self(frames))
    }
}

impl Iterator for Animation {
    type Item = Frame;

    fn next(&mut self) -> Option<Frame> {
        self.0.recv().ok()
    }
}

/// Hands every `every`-th frame to `take` until that says no.
fn decode(path: &Path, every: u64, name: &str, mut take: impl FnMut(Frame) -> bool) {
    let frames = match picture::Animation::open(path) {
        Ok(frames) => frames,
        Err(problem) => {
            take(Err(format!("{name}: {problem}")));
            return;
        }
    };
    // Never too much: opening it checked that.
    let _share = PICTURES.take(frames.bytes());
    for (frame, index) in frames.zip(0u64..) {
        let goes_on = match frame {
            Ok(_) if index % every != 0 => true,
            Ok(picture) => take(Ok((index, picture))),
            Err(error) => {
                take(Err(format!("{name} is a damaged animation: frame {index}: {error}")));
                false
            }
        };
        if !goes_on {
            return;
        }
    }
}
