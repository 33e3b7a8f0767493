//! Where the labels of boxes go, so that none hides a box or another label.

use image::{Rgb, RgbImage};
use imageproc::{drawing::draw_line_segment_mut, rect::Rect};

use super::{
    label::{Line, Plate},
    outline::HALO,
};
use crate::geometry::{BBox, Size};

/// How much of its own box, and of another one, a label may cover.
const OWN_SHARE: f32 = 0.2;
const OTHER_SHARE: f32 = 0.1;
/// Heights of labels, as shares of the usual one, and how far from their box they may stand, in lines: the smaller are for
/// those that find no room otherwise.
const SIZES: [(f32, u32); 3] = [(1.0, 6), (0.7, 12), (0.5, 24)];
/// In how many directions a label is tried.
const DIRECTIONS: u32 = 12;
/// Before the labels of which not even the number has room.
const NO_ROOM: &str = "no room for ";
/// What a line to a label costs for each box that it crosses, beside covered shares of boxes.
const CROSSING: f32 = 0.05;

/// What is written at a box, on a plate of its class's colour.
pub(super) struct BoxLabel {
    /// In pixels of the panel; `None` if it is said of the whole picture.
    pub b: Option<BBox>,
    pub text: String,
    /// What stands for the text where there is no room for it.
    pub number: usize,
    pub plate: Rgb<u8>,
}

/// Labels with their places.
#[derive(Default)]
pub(super) struct Placement {
    placed: Vec<Placed>,
    /// What numbers stand for, to be written elsewhere.
    pub legend: Vec<String>,
}

struct Placed {
    plate: Plate,
    /// From the box to a label that does not touch it.
    leader: Option<Segment>,
}

/// Places labels, the first of which have the best places: at a corner of their box; else away from it with a line that leads
/// there; else the same in smaller type; else a number, which the legend explains. None covers another, nor more than a small
/// part of a box. `visible`: the part of the panel that the network sees.
pub(super) fn place(panel: Size, visible: &BBox, labels: Vec<BoxLabel>) -> Placement {
    let boxes = labels.iter().map(|label| label.b).collect();
    let mut room = Room { panel, boxes, placed: Vec::with_capacity(labels.len()) };
    let (mut legend, mut unseen, mut rows) = (Vec::new(), Vec::new(), 0);
    for (own, label) in labels.into_iter().enumerate() {
        let Some(b) = label.b else {
            // What is said of the whole picture stands in lines below each other.
            let line = Line::fit(&label.text, panel);
            let place = line.within((visible.x1, visible.y1 + (rows * line.plate_size().1) as f32), panel);
            room.placed.push(Placed { plate: Plate { line, place, color: label.plate }, leader: None });
            rows += 1;
            continue;
        };
        let line = Line::fit(&label.text, panel);
        let text = SIZES.into_iter().find_map(|size| room.find(&line, size, own, &b));
        let found = text.or_else(|| {
            let line = Line::fit(&label.number.to_string(), panel);
            let number = SIZES[1..].iter().find_map(|&size| room.find(&line, size, own, &b));
            if number.is_some() { &mut legend } else { &mut unseen }.push(format!("{}: {}", label.number, label.text));
            number
        });
        room.placed.extend(
            found.map(|(line, place, leader)| Placed { plate: Plate { line, place, color: label.plate }, leader }),
        );
    }
    if let Some(first) = unseen.first_mut() {
        first.insert_str(0, NO_ROOM);
    }
    legend.append(&mut unseen);
    Placement { placed: room.placed, legend }
}

impl Placement {
    pub fn draw(&self, panel: &mut RgbImage) {
        let thickness = (panel.width().max(panel.height()) / 640).max(1) as i32;
        for Placed { plate, leader } in &self.placed {
            if let Some(leader) = leader {
                leader.draw(panel, HALO, thickness + 2);
                leader.draw(panel, plate.color, thickness);
            }
        }
        self.placed.iter().for_each(|placed| placed.plate.draw(panel));
    }
}

/// A panel with what stands on it.
struct Room {
    panel: Size,
    boxes: Vec<Option<BBox>>,
    placed: Vec<Placed>,
}

impl Room {
    /// The best place for a line at `b`, which is the box number `own`, in one of the [`SIZES`].
    fn find(
        &self,
        line: &Line,
        (share, rings): (f32, u32),
        own: usize,
        b: &BBox,
    ) -> Option<(Line, Rect, Option<Segment>)> {
        let line = line.smaller(share);
        if let Some(place) = self.beside(&line, own, b) {
            return Some((line, place, None));
        }
        let (place, leader) = self.away(&line, rings, own, b)?;
        Some((line, place, Some(leader)))
    }

    /// At a corner of the box: where no box is covered, else where the least is.
    fn beside(&self, line: &Line, own: usize, b: &BBox) -> Option<Rect> {
        let (width, height) = line.plate_size();
        // A plate has whole pixels: beside a part of one it would cover the rest.
        let b = BBox { x1: b.x1.floor(), y1: b.y1.floor(), x2: b.x2.ceil(), y2: b.y2.ceil() };
        let (right, above) = (b.x2 - width as f32, b.y1 - height as f32);
        let corners =
            [(b.x1, above), (right, above), (b.x1, b.y2), (right, b.y2), (b.x1, b.y1), (right, b.y2 - height as f32)];
        let places = corners.map(|corner| line.within(corner, self.panel));
        least(places.into_iter().filter_map(|place| Some((self.cost(place, own)?, place))))
    }

    /// On the nearest ring around the box that has a free place.
    fn away(&self, line: &Line, rings: u32, own: usize, b: &BBox) -> Option<(Rect, Segment)> {
        let (width, height) = line.plate_size();
        let (width, height) = (width as f32, height as f32);
        let (x, y) = (f32::midpoint(b.x1, b.x2), f32::midpoint(b.y1, b.y2));
        (1..=rings).find_map(|ring| {
            let distance = ring as f32 * height;
            let (reach_x, reach_y) = ((b.x2 - b.x1 + width) / 2.0 + distance, (b.y2 - b.y1 + height) / 2.0 + distance);
            let places = (0..DIRECTIONS).filter_map(|direction| {
                // The first is upwards.
                let angle = std::f32::consts::TAU * direction as f32 / DIRECTIONS as f32;
                let corner = (x + angle.sin() * reach_x - width / 2.0, y - angle.cos() * reach_y - height / 2.0);
                let place = line.within(corner, self.panel);
                let cost = self.cost(place, own)?;
                let leader = Segment::between(b, &place);
                if self.placed.iter().any(|placed| leader.crosses(&bounds(&placed.plate.place))) {
                    return None;
                }
                let crossed = self
                    .boxes
                    .iter()
                    .enumerate()
                    .filter(|&(index, other)| index != own && other.is_some_and(|other| leader.crosses(&other)));
                Some((cost + CROSSING * crossed.count() as f32, (place, leader)))
            });
            least(places)
        })
    }

    /// The shares of boxes that a label covers, together; `None` if it may not stand there.
    fn cost(&self, place: Rect, own: usize) -> Option<f32> {
        let plate = bounds(&place);
        let is_free = self.placed.iter().all(|Placed { plate: other, leader }| {
            other.place.intersect(place).is_none() && leader.as_ref().is_none_or(|leader| !leader.crosses(&plate))
        });
        if !is_free {
            return None;
        }
        let mut cost = 0.0;
        for (index, b) in self.boxes.iter().enumerate() {
            let Some(b) = b else { continue };
            let common = plate.shared_area(b);
            let share = if common > 0.0 { common / b.area() } else { 0.0 };
            if share > if index == own { OWN_SHARE } else { OTHER_SHARE } {
                return None;
            }
            cost += share;
        }
        Some(cost)
    }
}

/// What costs least, of equals the first.
fn least<T>(found: impl Iterator<Item = (f32, T)>) -> Option<T> {
    found.reduce(|best, next| if next.0 < best.0 { next } else { best }).map(|(_, place)| place)
}

fn bounds(place: &Rect) -> BBox {
    let (left, top) = (place.left() as f32, place.top() as f32);
    BBox { x1: left, y1: top, x2: left + place.width() as f32, y2: top + place.height() as f32 }
}

/// A straight line.
#[derive(Debug, Clone, Copy)]
struct Segment {
    from: (f32, f32),
    to: (f32, f32),
}

impl Segment {
    /// From the edge of a box to that of a plate, the shortest way.
    fn between(b: &BBox, place: &Rect) -> Self {
        let plate = bounds(place);
        let nearest = |(from, to): (f32, f32), (other_from, other_to): (f32, f32)| {
            let at = f32::midpoint(from.max(other_from).min(to), other_to.min(to).max(from));
            (at, at.clamp(other_from, other_to))
        };
        let (x, plate_x) = nearest((b.x1, b.x2), (plate.x1, plate.x2));
        let (y, plate_y) = nearest((b.y1, b.y2), (plate.y1, plate.y2));
        Self { from: (x, y), to: (plate_x, plate_y) }
    }

    /// Whether it goes through a box (Liang and Barsky, 1984).
    fn crosses(&self, b: &BBox) -> bool {
        let ((x1, y1), (x2, y2)) = (self.from, self.to);
        // Most boxes are far from it.
        if x1.max(x2) < b.x1 || x1.min(x2) > b.x2 || y1.max(y2) < b.y1 || y1.min(y2) > b.y2 {
            return false;
        }
        let (dx, dy) = (x2 - x1, y2 - y1);
        let sides =
            [(-dx, self.from.0 - b.x1), (dx, b.x2 - self.from.0), (-dy, self.from.1 - b.y1), (dy, b.y2 - self.from.1)];
        let (mut enter, mut leave) = (0.0f32, 1.0f32);
        for (step, room) in sides {
            if step == 0.0 {
                if room < 0.0 {
                    return false;
                }
            } else if step < 0.0 {
                enter = enter.max(room / step);
            } else {
                leave = leave.min(room / step);
            }
        }
        enter < leave
    }

    fn draw(&self, panel: &mut RgbImage, color: Rgb<u8>, thickness: i32) {
        let offsets = -(thickness - 1) / 2..=thickness / 2;
        for (dx, dy) in offsets.clone().flat_map(|dx| offsets.clone().map(move |dy| (dx as f32, dy as f32))) {
            let moved = |(x, y): (f32, f32)| (x + dx, y + dy);
            draw_line_segment_mut(panel, moved(self.from), moved(self.to), color);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLATE: Rgb<u8> = Rgb([200, 100, 0]);
    const PANEL: Size = Size { width: 640, height: 480 };

    fn corners(x1: f32, y1: f32, x2: f32, y2: f32) -> BBox {
        BBox { x1, y1, x2, y2 }
    }

    fn placed(panel: Size, boxes: &[BBox]) -> Placement {
        let label = |(number, b): (usize, &BBox)| BoxLabel {
            b: Some(*b),
            text: format!("kite 0.{:02}", 99 - number % 90),
            number,
            plate: PLATE,
        };
        let visible = corners(0.0, 0.0, panel.width as f32, panel.height as f32);
        place(panel, &visible, boxes.iter().enumerate().map(label).collect())
    }

    fn rows(place: Rect) -> (i32, i32) {
        (place.top(), place.bottom())
    }

    #[test]
    fn a_label_stands_above_its_box_or_below_or_inside() {
        let only = |b: BBox| rows(placed(PANEL, &[b]).placed[0].plate.place);
        assert_eq!(only(corners(50.0, 60.0, 250.0, 190.0)).1, 59, "above");
        for part in [0.2, 0.5, 0.8] {
            let bottom = only(corners(50.0 + part, 60.0 + part, 250.0 + part, 190.0 + part)).1;
            assert_eq!(bottom, 59, "above too where the box begins within a pixel");
        }
        assert_eq!(only(corners(50.0, 3.0, 250.0, 190.0)).0, 190, "below where it would cover a part of the box");
        assert_eq!(only(corners(0.0, 0.0, 640.0, 480.0)).0, 0, "inside where there is nothing else");
    }

    #[test]
    fn a_label_stays_inside_the_picture() {
        let size = Size { width: 64, height: 48 };
        let Placement { placed, .. } = placed(size, &[corners(60.0, 30.0, 64.0, 40.0)]);
        let place = placed[0].plate.place;
        assert!(place.left() >= 0 && place.right() < 64 && place.top() >= 0 && place.bottom() < 48, "{place:?}");
    }

    #[test]
    fn classes_of_the_whole_picture_stand_below_each_other() {
        let label = |number| BoxLabel { b: None, text: format!("class{number} 0.50"), number, plate: PLATE };
        let Placement { placed, legend } = place(PANEL, &corners(10.0, 20.0, 600.0, 400.0), vec![label(0), label(1)]);
        let [first, second] = [0, 1].map(|index: usize| placed[index].plate.place);
        assert_eq!((first.left(), first.top(), second.top()), (10, 20, first.bottom() + 1));
        assert!(legend.is_empty());
    }

    /// Eighteen boxes of ten pixels, near each other.
    fn kites() -> Vec<BBox> {
        let kite = |index: u32| {
            let (x, y) = (200.0 + (index % 6) as f32 * 36.0, 150.0 + (index / 6) as f32 * 27.0);
            corners(x, y, x + 10.0, y + 10.0)
        };
        (0..18).map(kite).collect()
    }

    #[test]
    fn labels_in_a_crowd_are_led_to_or_shrink_or_become_numbers() {
        let crowd = placed(PANEL, &kites());
        assert_eq!(crowd.placed.len(), 18, "all have a label or a number");
        assert!(crowd.placed.iter().any(|placed| placed.leader.is_some()));
        let narrow = placed(
            Size { width: 200, height: 90 },
            &(0..24)
                .map(|index| {
                    let x = 4.0 + (index % 8) as f32 * 24.0;
                    let y = 10.0 + (index / 8) as f32 * 28.0;
                    corners(x, y, x + 10.0, y + 10.0)
                })
                .collect::<Vec<_>>(),
        );
        assert!(!narrow.legend.is_empty());
        assert!(narrow.legend[0].contains(": kite 0.") && !narrow.legend[0].contains(NO_ROOM), "{:?}", narrow.legend);
    }

    #[test]
    fn no_label_hides_a_box_or_a_label_or_a_line() {
        let crowds = prop::collection::vec((0.0f32..620.0, 0.0f32..460.0, 4.0f32..300.0, 4.0f32..300.0), 1..60);
        let config = ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() };
        let run = proptest::test_runner::TestRunner::new(config).run(&crowds, |boxes| {
            let boxes: Vec<BBox> = boxes
                .into_iter()
                .map(|(x, y, width, height)| corners(x, y, (x + width).min(640.0), (y + height).min(480.0)))
                .collect();
            let Placement { placed, legend } = placed(PANEL, &boxes);
            let unseen =
                legend.iter().position(|entry| entry.starts_with(NO_ROOM)).map_or(0, |first| legend.len() - first);
            prop_assert_eq!(placed.len() + unseen, boxes.len(), "none is left out without a word");
            for (index, Placed { plate, .. }) in placed.iter().enumerate() {
                let own = bounds(&plate.place);
                for other in &placed[..index] {
                    prop_assert!(other.plate.place.intersect(plate.place).is_none());
                    prop_assert!(other.leader.is_none_or(|leader| !leader.crosses(&own)));
                }
                for b in &boxes {
                    let common = own.iou(b) * (own.area() + b.area()) / (1.0 + own.iou(b));
                    prop_assert!(common <= (OWN_SHARE + 0.01) * b.area(), "{own:?} over {b:?}");
                }
            }
            Ok(())
        });
        run.expect("in every crowd");
    }

    #[test]
    fn a_line_leads_from_the_edge_of_the_box_to_the_plate() {
        let mut panel = RgbImage::new(100, 100);
        let leader = Segment::between(&corners(10.0, 10.0, 20.0, 20.0), &Rect::at(50, 60).of_size(30, 10));
        assert_eq!((leader.from, leader.to), ((20.0, 20.0), (50.0, 60.0)));
        leader.draw(&mut panel, PLATE, 1);
        assert_eq!(panel.get_pixel(35, 40), &PLATE);
        let straight = Segment::between(&corners(10.0, 10.0, 20.0, 20.0), &Rect::at(0, 60).of_size(100, 10));
        assert_eq!((straight.from, straight.to), ((15.0, 20.0), (15.0, 60.0)));
    }
}
