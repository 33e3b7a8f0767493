//! Whether maps depend on the class, and on the box: checks by which the detector goes on finding what it found.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::{
    LEAST_SCORE, Randomization,
    randomization::{correlations, map_size},
};
use crate::{
    detect::{Detection, Likeness, Tracker},
    error::Result,
    explain::{ExplainOptions, ExplainedBox, Watch, explain_found},
    model::{Forward, Model},
};

/// How alike two maps are: Spearman's rank correlation, -1 to 1; `None` where one of them has no signal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// Over the whole picture.
    pub correlation: Option<f64>,
    /// Of the parts inside the box; `None` too where there is no box.
    pub inside: Option<f64>,
}

/// What the map of a box depends on besides the weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassCheck {
    /// The class whose rows in the head were swapped with those of the box's class; `None` if there is no other class, or those
    /// that there are were swapped for other boxes.
    pub partner: Option<usize>,
    /// Whether the network with swapped rows no longer finds the box, as one of that class ([`LEAST_SCORE`]).
    pub lost: bool,
    /// The map of the box's class by the swapped network, with the intact network's map of the other class, whose rows it has
    /// now: 1 of a method that goes by the class or by none. `None` where there is no other class, or the box is lost.
    pub follows: Option<Agreement>,
    /// The same map with the box's own: 1 of a method that does not look at the class, lower the more it does.
    pub kept: Option<Agreement>,
    /// The box's own map with that of the next box of the picture (of the last with the first): 1 of a method that does not look at
    /// the box. `None` if it is the only one.
    pub other_box: Option<Agreement>,
}

impl Randomization {
    /// Swaps classes in the head, and says whether the maps follow; compares the maps of different boxes.
    ///
    /// Each class of a box is swapped with the one that comes second there: both change places in the head, so that each box
    /// is found where it was, as surely as before, under the other name. Classes are taken in the order of the boxes, each
    /// once. `model`: the intact one; `input`: `[1, 3, H, W]`; `original`: the maps of `model`, made with `options`.
    ///
    /// Returns a check for each box.
    ///
    /// # Errors
    /// As [`explain_found`].
    pub fn swap_classes(
        &mut self,
        model: &Model,
        input: &Tensor,
        original: &[ExplainedBox],
        options: &ExplainOptions,
        watch: &mut Watch,
    ) -> Result<Vec<ClassCheck>> {
        let size = map_size(input);
        let mut checks = Vec::with_capacity(original.len());
        for (index, own) in original.iter().enumerate() {
            let other = &original[(index + 1) % original.len()];
            let other_box = if original.len() > 1 { Some(agreement(own, other, size)?) } else { None };
            checks.push(ClassCheck { partner: None, lost: false, follows: None, kept: None, other_box });
        }
        let detections: Vec<Detection> = original.iter().map(|explained| explained.detection.clone()).collect();
        let forward = model.forward(input, &[])?;
        let partners = partners(model, &forward, &detections)?;
        self.random.restore_weights(model)?;
        if !self.random.swap_class_rows(&partners)? {
            return Ok(checks);
        }
        let swapped: Vec<(usize, Detection)> = detections
            .iter()
            .enumerate()
            .filter_map(|(index, own)| Some((index, Detection { class_id: partners[own.class_id]?, ..own.clone() })))
            .collect();
        let (indices, renamed): (Vec<usize>, Vec<Detection>) = swapped.into_iter().unzip();
        let tracker = Tracker::new(model, &renamed, &forward.outputs, Likeness::SameClass)?;
        let scores = tracker.scores(&self.random.forward_boxes(input)?)?.remove(0);
        let mut found = Vec::with_capacity(indices.len());
        for ((&index, renamed), score) in indices.iter().zip(&renamed).zip(scores) {
            checks[index].partner = Some(renamed.class_id);
            checks[index].lost = score < LEAST_SCORE;
            if !checks[index].lost {
                found.push((index, renamed.clone()));
            }
        }
        if found.is_empty() {
            return Ok(checks);
        }
        let own = found.iter().map(|&(index, _)| detections[index].clone()).collect();
        let renamed = found.iter().map(|(_, renamed)| renamed.clone()).collect();
        let of_partners = explain_found(model, input, renamed, options, watch)?;
        let of_swapped = explain_found(&self.random, input, own, options, watch)?;
        for (((index, _), partner), swapped) in found.iter().zip(&of_partners).zip(&of_swapped) {
            checks[*index].follows = Some(agreement(partner, swapped, size)?);
            checks[*index].kept = Some(agreement(&original[*index], swapped, size)?);
        }
        Ok(checks)
    }
}

fn agreement(a: &ExplainedBox, b: &ExplainedBox, size: crate::geometry::Size) -> Result<Agreement> {
    let (correlation, inside) = correlations(a, b, size)?;
    Ok(Agreement { correlation, inside })
}

/// For each class the one that it is swapped with.
fn partners(model: &Model, forward: &Forward, detections: &[Detection]) -> Result<Vec<Option<usize>>> {
    let all: Vec<usize> = (0..model.head().classes()).collect();
    let mut partners = vec![None; all.len()];
    for detection in detections {
        let own = detection.class_id;
        if partners[own].is_some() {
            continue;
        }
        let traced = model.trace(forward, &detection.place, &all)?;
        let mut second: Option<(usize, f64)> = None;
        for other in all.iter().copied().filter(|&other| other != own && partners[other].is_none()) {
            let logit = traced.class_logit(other)?.f_double_value(&[])?;
            if second.is_none_or(|(_, best)| logit > best) {
                second = Some((other, logit));
            }
        }
        if let Some((other, _)) = second {
            (partners[own], partners[other]) = (Some(other), Some(own));
        }
    }
    Ok(partners)
}
