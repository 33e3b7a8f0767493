//! Threads that have the models, and the questions that wait for them.
//!
//! One worker is for what takes a forward pass or less: it is never busy for long. Another is for what takes many. What is asked for the
//! picture in view comes first, and a newer question of the same kind takes the place of an older one.

use std::{
    ops::ControlFlow,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use anyhow::Result;
use serde::Deserialize;
use tokio::sync::oneshot;
use yolo_cam::{Model, explain::Watch};

use super::{Explorer, catalogue::Entry, refusal::Refusal, studio::Studio, view::View};
use crate::guard::guarded;

/// More questions than this do not wait: there are far more people than one machine can answer.
const MOST_WAITING: usize = 512;

/// How urgent an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    /// Somebody is looking at the picture.
    View,
    /// Somebody will probably look at it soon.
    Next,
    /// Somebody goes over all pictures.
    Scan,
}

/// Who asks, and for what: an older question of the same tag is not wanted any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// A tab of a browser, by a name that it gave itself.
    pub client: String,
    /// Of its panes.
    pub pane: usize,
    /// What is asked.
    pub kind: &'static str,
    /// Scans and what is in view do not get in each other's way.
    pub when: When,
}

/// A question of a client: of those with the same tag the one of the highest turn is wanted. They come on several connections, so that an
/// older one may come last.
#[derive(Debug, Clone)]
pub struct Turn {
    pub tag: Tag,
    pub number: u64,
}

/// Whether an answer is still wanted.
#[derive(Debug, Clone, Default)]
struct Stop(Arc<AtomicBool>);

impl Stop {
    fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Who waits for an answer. When it is dropped, nobody does any more.
struct Asker(Stop);

impl Drop for Asker {
    fn drop(&mut self) {
        self.0.set();
    }
}

type Work = Box<dyn for<'m> FnOnce(&mut Studio<'m>) + Send>;

struct Job {
    turn: Turn,
    stop: Stop,
    work: Work,
}

/// What waits for a worker, in the order in which it came.
#[derive(Default)]
struct Queue {
    waiting: Vec<Job>,
    running: Option<(Turn, Stop)>,
}

impl Queue {
    /// Whether there is a later question of the same tag.
    fn has_later(&self, turn: &Turn) -> bool {
        let running = self.running.as_ref().map(|(running, _)| running);
        let all = self.waiting.iter().map(|job| &job.turn).chain(running);
        all.into_iter().any(|other| other.tag == turn.tag && other.number > turn.number)
    }

    /// Drops what has this tag, or nobody waits for.
    fn forget(&mut self, tag: &Tag) {
        self.waiting.retain(|job| job.turn.tag != *tag && !job.stop.is_set());
        if let Some((_, stop)) = self.running.as_ref().filter(|(running, _)| running.tag == *tag) {
            stop.set();
        }
    }

    /// The most urgent; of several the first.
    fn next(&mut self) -> Option<Job> {
        let (first, _) = self.waiting.iter().enumerate().min_by_key(|(_, job)| job.turn.tag.when)?;
        let job = self.waiting.remove(first);
        self.running = Some((job.turn.clone(), job.stop.clone()));
        Some(job)
    }
}

/// A worker's desk.
#[derive(Default)]
struct Desk {
    queue: Mutex<Queue>,
    arrived: Condvar,
}

impl Desk {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, job: Job) -> Result<(), Refusal> {
        let mut queue = self.queue();
        if queue.waiting.len() >= MOST_WAITING {
            return Err(Refusal::busy());
        }
        queue.waiting.push(job);
        self.arrived.notify_one();
        Ok(())
    }

    /// Waits for the next job.
    fn take(&self) -> Job {
        let mut queue = self.queue();
        loop {
            if let Some(job) = queue.next() {
                return job;
            }
            queue = self.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The workers.
pub struct Engine {
    quick: Arc<Desk>,
    slow: Arc<Desk>,
}

impl Engine {
    /// Starts the workers. They end with the program. `threads`: of libtorch, for each.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub fn start(models: &[Model], threads: usize, explorer: &Arc<Explorer>) -> Result<Self> {
        let start = |name: &str| -> Result<Arc<Desk>> {
            let desk = Arc::new(Desk::default());
            let models = models.iter().map(Model::share).collect::<yolo_cam::Result<Vec<_>>>()?;
            let (own, explorer) = (Arc::clone(&desk), Arc::clone(explorer));
            thread::Builder::new().name(name.to_owned()).spawn(move || {
                tch::set_num_threads(threads as i32);
                let mut studio = Studio::new(&models, threads, &explorer);
                loop {
                    let job = own.take();
                    if !job.stop.is_set() {
                        (job.work)(&mut studio);
                    }
                    own.queue().running = None;
                }
            })?;
            Ok(desk)
        };
        Ok(Self { quick: start("quick")?, slow: start("slow")? })
    }

    /// Has a worker look at the picture that the page begins with: whoever asks first need not wait for what libtorch does only once.
    pub fn prepare(&self, picture: Entry, view: View) {
        let tag = Tag { client: String::new(), pane: 0, kind: "prepare", when: When::Next };
        let turn = Turn { tag, number: 0 };
        let work: Work = Box::new(move |studio| {
            // Who asks is told what is wrong.
            let ready = guarded(|| studio.prepare(&picture, &view));
            if !matches!(ready, Ok(Ok(()))) {
                studio.forget();
            }
        });
        self.quick.put(Job { turn, stop: Stop::default(), work }).ok();
    }

    /// Has a worker answer. `is_slow`: it takes more than a few forward passes, or can wait. If nobody waits for the answer any more, it is
    /// given up.
    ///
    /// # Errors
    /// What `work` says; that a newer question took its place; that too many wait.
    pub async fn ask<T: Send + 'static>(
        &self,
        turn: Turn,
        is_slow: bool,
        work: impl for<'m> FnOnce(&mut Studio<'m>, &mut Watch) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let (sender, receiver) = oneshot::channel();
        let stop = Stop::default();
        let asker = Asker(stop.clone());
        for desk in [&self.quick, &self.slow] {
            let mut queue = desk.queue();
            if queue.has_later(&turn) {
                return Err(Refusal::superseded());
            }
            queue.forget(&turn.tag);
        }
        let watched = stop.clone();
        let work: Work = Box::new(move |studio| {
            let mut watch = |_done: usize, _total: usize| match watched.is_set() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            };
            let answer = guarded(|| work(studio, &mut watch)).unwrap_or_else(|fault| {
                // What was under way may be half done.
                studio.forget();
                Err(Refusal::fault(&fault))
            });
            // If nobody waits any more, so be it.
            sender.send(answer).ok();
        });
        let desk = if is_slow || turn.tag.when == When::Scan { &self.slow } else { &self.quick };
        desk.put(Job { turn, stop, work })?;
        let answer = receiver.await;
        drop(asker);
        answer.unwrap_or_else(|_| Err(Refusal::superseded()))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use clap::Parser;

    use super::*;
    use crate::{
        cli::{Cli, Command},
        commands::explore::catalogue::Catalogue,
        guard,
    };

    fn job(client: &str, kind: &'static str, when: When) -> Job {
        let tag = Tag { client: client.to_owned(), pane: 0, kind, when };
        Job { turn: Turn { tag, number: 5 }, stop: Stop::default(), work: Box::new(|_| {}) }
    }

    #[test]
    fn what_is_in_view_comes_first_and_else_who_came_first() {
        let mut queue = Queue::default();
        for (client, when) in [("a", When::Scan), ("b", When::Next), ("c", When::View), ("d", When::View)] {
            queue.waiting.push(job(client, "map", when));
        }
        let order: Vec<String> = std::iter::from_fn(|| queue.next()).map(|job| job.turn.tag.client).collect();
        assert_eq!(order, ["c", "d", "b", "a"]);
    }

    #[test]
    fn a_newer_question_takes_the_place_of_the_older_of_the_same_kind() {
        let mut queue = Queue::default();
        let running = job("a", "map", When::View);
        queue.running = Some((running.turn.clone(), running.stop.clone()));
        let gone = job("c", "map", When::View);
        gone.stop.set();
        for job in [job("a", "map", When::View), job("a", "boxes", When::View), job("b", "map", When::View), gone] {
            queue.waiting.push(job);
        }
        queue.forget(&running.turn.tag);
        assert!(running.stop.is_set());
        let left = queue.waiting.iter().map(|job| (job.turn.tag.client.as_str(), job.turn.tag.kind));
        let left: Vec<(&str, &str)> = left.collect();
        assert_eq!(left, [("a", "boxes"), ("b", "map")]);
    }

    #[test]
    fn an_older_question_that_comes_late_is_none() {
        let mut queue = Queue::default();
        let later = job("a", "map", When::View);
        let turn = |number| Turn { tag: later.turn.tag.clone(), number };
        let [older, same, newer] = [4, 5, 6].map(turn);
        queue.waiting.push(later);
        assert!(queue.has_later(&older) && !queue.has_later(&same) && !queue.has_later(&newer));
        queue.next().expect("it waits");
        assert!(queue.has_later(&older), "it runs");
    }

    /// Workers without models.
    fn engine() -> Engine {
        let command = Cli::parse_from(["yolo-cam", "explore"]).into_command().unwrap();
        let Command::Explore(command) = command else { unreachable!("no other command is named") };
        let catalogue = Catalogue::new(Vec::new());
        let explorer = Arc::new(Explorer { command: *command, kept: Vec::new(), catalogue, labels: None });
        Engine::start(&[], 1, &explorer).unwrap()
    }

    fn turn(kind: &'static str) -> Turn {
        Turn { tag: Tag { client: "a".to_owned(), pane: 0, kind, when: When::View }, number: 0 }
    }

    #[tokio::test]
    async fn a_panic_ends_one_question_and_the_next_is_answered() {
        guard::install();
        let engine = engine();
        for is_slow in [false, true] {
            let fault =
                engine.ask(turn("map"), is_slow, |_, _| -> Result<(), _> { panic!("a toy") }).await.unwrap_err();
            assert_eq!(fault.status, StatusCode::INTERNAL_SERVER_ERROR);
            assert!(fault.line.contains("please report it") && fault.line.contains("a toy"), "{}", fault.line);
            assert_eq!(engine.ask(turn("map"), is_slow, |_, _| Ok(5)).await.unwrap(), 5);
        }
    }

    /// Works until it is told to stop.
    fn endless(watch: &mut Watch) -> Result<(), Refusal> {
        while watch(0, 1).is_continue() {
            thread::yield_now();
        }
        Err(yolo_cam::Error::Interrupted.into())
    }

    #[tokio::test]
    async fn a_newer_question_ends_the_older_and_no_other_does() {
        let engine = engine();
        let (started, is_started) = oneshot::channel();
        let older = engine.ask(turn("map"), true, move |_, watch| {
            started.send(()).ok();
            endless(watch)
        });
        let newer = async {
            is_started.await.unwrap();
            // The quick worker is free meanwhile, and this is another question.
            assert_eq!(engine.ask(turn("boxes"), false, |_, _| Ok(1)).await.unwrap(), 1);
            engine.ask(turn("map"), false, |_, _| Ok(2)).await.unwrap()
        };
        let (older, newer) = tokio::join!(older, newer);
        assert_eq!((older.unwrap_err().status, newer), (StatusCode::CONFLICT, 2));
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_given_up() {
        let engine = engine();
        let (started, is_started) = oneshot::channel();
        let asked = engine.ask(turn("map"), true, move |_, watch| {
            started.send(()).ok();
            endless(watch)
        });
        // The client goes away once its question is being worked on.
        tokio::select! {
            _ = asked => unreachable!("it has no end"),
            _ = is_started => {}
        }
        assert_eq!(engine.ask(turn("verify"), true, |_, _| Ok(3)).await.unwrap(), 3);
    }

    #[test]
    fn so_many_questions_wait_and_no_more() {
        let desk = Desk::default();
        for _ in 0..MOST_WAITING {
            desk.put(job("a", "map", When::View)).unwrap();
        }
        assert_eq!(desk.put(job("a", "map", When::View)).unwrap_err().status, StatusCode::SERVICE_UNAVAILABLE);
    }
}
