//! `make bench`: how soon the page of `explore` answers, as ratios to the forward pass of the same picture, and whether it stands a crowd.
//! Nothing here fails a build, but a wrong answer.
//!
//! `cargo bench --bench explore -- pointing` measures only what is named: `pointing`, `opening`, `crowd`.

#[path = "../tests/common/mod.rs"]
mod common;

use std::{
    fs,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use common::{devtools::Browser, explorer::Explorer, page::Page};
use serde_json::json;
use tch::{Device, Tensor};
use yolo_cam::{
    ExplainOptions, Model,
    detect::Letterbox,
    explain::{MapSize, explain},
    picture,
    report::{RawFormat, raw_bytes},
};

const PICTURE: &str = "images/dog.jpg";
/// How many people ask at once, and for how long.
const CLIENTS: usize = 50;
const CROWD_TIME: Duration = Duration::from_secs(60);

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wants = |section: &str| arguments.is_empty() || arguments.iter().any(|argument| argument == section);
    let model = common::yolov5s();
    let forward = forward(&model);
    println!("picture {PICTURE}, {} threads, forward {:.1} ms", tch::get_num_threads(), milliseconds(forward));
    if wants("pointing") {
        pointing(forward);
    }
    if wants("opening") {
        opening(forward);
    }
    if wants("crowd") {
        crowd(&model);
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The value below which this share of all lies.
fn quantile(times: &mut [f64], share: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    times[((times.len() as f64 * share) as usize).min(times.len() - 1)]
}

fn input(model: &Model) -> Tensor {
    let picture = picture::read(PICTURE).expect("the bundled picture");
    let letterbox = Letterbox::of(&picture, model, None).expect("it has pixels");
    letterbox.tensor(Device::Cpu).expect("there is memory")
}

/// The median of bare forward passes.
fn forward(model: &Model) -> Duration {
    let input = input(model);
    let run = || {
        let start = Instant::now();
        model.forward(&input, &[]).expect("it runs");
        start.elapsed().as_secs_f64()
    };
    for _ in 0..3 {
        run();
    }
    let mut times: Vec<f64> = (0..25).map(|_| run()).collect();
    Duration::from_secs_f64(quantile(&mut times, 0.5))
}

/// From pointing at a box to its heat on the screen, in a browser, for boxes that nobody pointed at before.
fn pointing(forward: Duration) {
    let Some(browser) = Browser::start() else { return };
    let explorer = Explorer::bundled(&[]);
    // So many boxes that there are enough to point at.
    let address = format!("{}#picture=images%2Fdog.jpg&conf=0.005&iou=0.8", explorer.url);
    let page = browser.open(&address, (1400, 900), false);
    page.until("all('svg.boxes rect.detection').length > 10 && !byId('stage').querySelector('img').hidden");
    let place = page.eval("(({ x, y, width, height }) => [x, y, width, height])(document.querySelector('.scene').getBoundingClientRect())");
    let side = |index: usize| place[index].as_f64().expect("a number");
    page.requests();
    let mut times = Vec::new();
    for step in 0..30 * 40 {
        let (column, row) = (f64::from(step % 40), f64::from(step / 40));
        page.move_to((side(0) + side(2) * (column + 0.5) / 40.0, side(1) + side(3) * (row + 0.5) / 30.0));
        if !page.requests().iter().any(|request| request.what.ends_with("/map")) {
            continue;
        }
        times.extend(heat_time(&page));
    }
    let count = times.len();
    let [median, late] = [0.5, 0.95].map(|share| quantile(&mut times, share));
    println!(
        "pointing at a box to heat on the screen, {count} boxes: median {median:.1} ms (limit 60), 95 % within {late:.1} ms (limit 120); \
         ÷ forward {:.2} (limit 1)",
        median / milliseconds(forward)
    );
}

/// From the last pointing to its heat.
fn heat_time(page: &Page) -> Option<f64> {
    let last = "((name) => performance.getEntriesByName(name).at(-1)?.startTime ?? 0)";
    page.until(&format!("{last}('heat-shown') > {last}('pointed')"));
    page.eval(&format!("{last}('heat-shown') - {last}('pointed')")).as_f64()
}

/// From opening a picture that nobody looked at before to the first heat: its boxes, and the map of the first.
fn opening(forward: Duration) {
    let folder = common::temp();
    for copy in 0..20 {
        fs::copy(PICTURE, folder.path().join(format!("dog-{copy}.jpg"))).expect("it is copied");
    }
    let path = folder.path().to_str().expect("it is text");
    let explorer = Explorer::start(&["--model-path", common::YOLOV5S, "--img-path", path]);
    let open = |picture: usize| {
        let start = Instant::now();
        explorer.ask(picture, "boxes", &json!({})).fine();
        explorer.ask(picture, "map", &json!({"subject": {"box": 0}})).fine();
        milliseconds(start.elapsed())
    };
    open(0);
    let mut times: Vec<f64> = (1..20).map(open).collect();
    let median = quantile(&mut times, 0.5);
    println!(
        "first heat of a new picture: median {median:.1} ms; ÷ forward {:.2} (limit 1.6)",
        median / milliseconds(forward)
    );
}

/// Many people ask at once.
fn crowd(model: &Model) {
    let pictures = ["dog.jpg", "cat-dog.jpg", "eagle.jpg", "horses.jpg", "person.jpg"];
    // What the library says, which the command line writes.
    let expected: Vec<Vec<Vec<u8>>> = pictures
        .iter()
        .map(|name| {
            let picture = picture::read(format!("images/{name}")).expect("the bundled picture");
            let explanation = explain(model, &picture, &ExplainOptions::default()).expect("it is explained");
            let map = |index| explanation.map(index, MapSize::Feature).expect("there is memory");
            let bytes = |index| raw_bytes(&map(index), RawFormat::Npy).expect("there is memory");
            (0..explanation.boxes.len()).map(bytes).collect()
        })
        .collect();
    let explorer = Explorer::bundled(&[]);
    let ids = pictures.map(|name| explorer.picture(name));
    let answered = AtomicUsize::new(0);
    let round = |client: usize, turn: usize| {
        let which = (client + turn) % pictures.len();
        let ask = |what: &str, more: serde_json::Value| {
            let mut question = json!({"client": format!("client {client}")});
            more.as_object().into_iter().flatten().for_each(|(name, value)| question[name] = value.clone());
            let answer = explorer.ask(ids[which], what, &question);
            answered.fetch_add(1, Ordering::Relaxed);
            answer
        };
        let found = ask("boxes", json!({})).json()["detections"].as_array().map_or(0, Vec::len);
        assert_eq!(found, expected[which].len(), "{}", pictures[which]);
        let index = turn % found;
        let answer = ask("map", json!({"subject": {"box": index}}));
        assert!(answer.parts().1 == expected[which][index], "{}, box {index}: another map", pictures[which]);
        let query = json!({"query": {"point": [100 + turn % 50, 100]}});
        assert!(ask("query", query).json()["candidates"].is_array());
    };
    (0..10).for_each(|turn| round(0, turn));
    let (before, start) = (memory(explorer.id()), Instant::now());
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let round = &round;
            scope
                .spawn(move || (0..).take_while(|_| start.elapsed() < CROWD_TIME).for_each(|turn| round(client, turn)));
        }
    });
    let after = memory(explorer.id());
    println!(
        "{CLIENTS} clients for {:.0} s: {} answers, all right; memory {before} MiB before, {after} MiB behind",
        start.elapsed().as_secs_f64(),
        answered.load(Ordering::Relaxed)
    );
}

/// What a process holds, in MiB; 0 where the system does not tell.
fn memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    resident.and_then(|text| text.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or_default() / 1024
}
