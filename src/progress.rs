//! Progress on stderr, where that is a terminal.

use std::{
    io::{self, IsTerminal},
    sync::atomic::{AtomicUsize, Ordering},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar for work of many steps, gone when it is dropped. On no terminal, or if told to be quiet, nothing is shown.
pub struct Bar(ProgressBar);

impl Bar {
    /// For work that is counted in bytes. `is_wanted`: whether the user wants to see any.
    pub fn of_bytes(is_wanted: bool) -> Self {
        Self::with_template(is_wanted, "{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left")
    }

    /// For the steps of one picture.
    pub fn of_steps(is_wanted: bool) -> Self {
        Self::with_template(is_wanted, "{bar:40} {pos} of {len} steps of this picture, {eta} left")
    }

    /// For the pictures of a run.
    pub fn of_pictures(is_wanted: bool) -> Self {
        Self::with_template(is_wanted, "{bar:40} {pos} of {len} pictures, {per_sec}, {eta} left")
    }

    /// For pictures of which nobody knows how many there will be.
    pub fn of_frames(is_wanted: bool) -> Self {
        Self::with_template(is_wanted, "{spinner} {pos} frames and pictures, {per_sec}")
    }

    fn with_template(is_wanted: bool, template: &str) -> Self {
        Self::on(screen(is_wanted), template)
    }

    fn on(screen: ProgressDrawTarget, template: &str) -> Self {
        let style = ProgressStyle::with_template(template).expect("the template is sound");
        Self(ProgressBar::with_draw_target(Some(0), screen).with_style(style))
    }

    /// `done` of `total` steps.
    pub fn show(&self, done: usize, total: usize) {
        self.0.set_length(total as u64);
        self.0.set_position(done as u64);
    }
}

fn screen(is_wanted: bool) -> ProgressDrawTarget {
    if is_wanted && io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() }
}

/// How far a run is whose jobs take long: whole jobs, and shares of those that workers have under way.
pub struct Meter {
    bar: Bar,
    /// How many jobs there are, if that is known.
    total: Option<usize>,
    finished: AtomicUsize,
    /// For each worker how much of its job is done, in thousandths.
    shares: Vec<AtomicUsize>,
}

impl Meter {
    pub fn new(is_wanted: bool, total: Option<usize>, workers: usize) -> Self {
        Self::on(screen(is_wanted), total, workers)
    }

    fn on(screen: ProgressDrawTarget, total: Option<usize>, workers: usize) -> Self {
        let template = match total {
            Some(_) => "{bar:40} {percent} % measured, {eta} left",
            None => "{spinner} measuring for {elapsed}",
        };
        let shares = (0..workers).map(|_| AtomicUsize::new(0)).collect();
        Self { bar: Bar::on(screen, template), total, finished: AtomicUsize::new(0), shares }
    }

    /// `share` of the job of a worker is done, 0 to 1.
    pub fn show(&self, worker: usize, share: f64) {
        self.shares[worker].store((share * 1e3) as usize, Ordering::Relaxed);
        let parts: usize = self.shares.iter().map(|share| share.load(Ordering::Relaxed)).sum();
        let finished = self.finished.load(Ordering::Relaxed);
        self.bar.show(finished * 1000 + parts, self.total.unwrap_or(finished + self.shares.len()) * 1000);
    }

    /// A worker is done with its job.
    pub fn finish(&self, worker: usize) {
        self.finished.fetch_add(1, Ordering::Relaxed);
        self.show(worker, 0.0);
    }

    /// So many jobs need not be done.
    pub fn skip(&self, jobs: usize) {
        self.finished.fetch_add(jobs, Ordering::Relaxed);
    }

    /// Writes a line to stderr, above the bar.
    pub fn say(&self, line: &str) {
        self.bar.0.suspend(|| say!("{line}"));
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        self.bar.0.finish_and_clear();
    }
}

/// What a run shows: how many of its pictures are done, or how many steps of the one that is under way.
pub struct Progress {
    pub pictures: Bar,
    pub steps: Bar,
}

impl Progress {
    /// Writes a line to stderr, above the bars.
    pub fn say(&self, line: &str) {
        self.pictures.0.suspend(|| self.steps.0.suspend(|| say!("{line}")));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::InMemoryTerm;

    fn meter(total: Option<usize>) -> (Meter, InMemoryTerm) {
        let screen = InMemoryTerm::new(5, 100);
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(screen.clone()), 1);
        (Meter::on(target, total, 2), screen)
    }

    #[test]
    fn jobs_under_way_count_and_the_time_that_is_left_is_told() {
        let (meter, screen) = meter(Some(4));
        let shown = |percent: &str| {
            meter.bar.0.force_draw();
            let line = screen.contents();
            assert!(line.contains(&format!(" {percent} % measured, ")) && line.ends_with(" left"), "{percent}: {line}");
        };
        meter.show(1, 0.4);
        shown("10");
        meter.show(0, 1.0);
        shown("35");
        meter.finish(0);
        shown("35");
        meter.skip(2);
        meter.finish(1);
        shown("100");
        meter.clear();
        assert_eq!(screen.contents(), "");
    }

    #[test]
    fn without_a_total_there_is_no_estimate() {
        let (meter, screen) = meter(None);
        meter.show(0, 0.5);
        meter.bar.0.force_draw();
        assert!(screen.contents().contains("measuring for 0s"), "{}", screen.contents());
    }
}
