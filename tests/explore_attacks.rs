//! The explorer among enemies: web pages that guess its address, strangers in the network, and files and requests that are not
//! what they should be. Whatever comes, it tells nothing that it should not, says what is wrong in a line, and goes on.

mod common;

use std::{
    collections::BTreeSet,
    fs,
    io::{Cursor, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    time::Duration,
};

use common::{
    explorer::{Answer, Explorer, command, question},
    skip, temp,
};
use serde_json::{Value, json};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Every answer tells the browser to trust nothing else, and to keep nothing about pictures.
fn assert_guarded(answer: &Answer, target: &str) {
    assert_eq!(answer.header("content-security-policy"), Some(POLICY), "{target}: {answer:?}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{target}: {answer:?}");
    if target.starts_with("/api") {
        // Two panes show one picture, which is loaded once.
        let is_picture = answer.status == 200 && (target.ends_with("/picture") || target.ends_with("/thumbnail"));
        let expected = if is_picture { "private, max-age=60" } else { "no-store" };
        assert_eq!(answer.header("cache-control"), Some(expected), "{target}: {answer:?}");
    }
    assert_eq!(answer.header("access-control-allow-origin"), None, "{target}: {answer:?}");
}

/// What says no to what nobody may have: a line that tells no more.
fn assert_refused(answer: &Answer, target: &str, statuses: &[u16]) -> String {
    assert!(statuses.contains(&answer.status), "{target}: {answer:?}; expected {statuses:?}");
    assert_guarded(answer, target);
    answer.problem()
}

#[test]
fn nothing_but_its_own_files_and_the_listed_pictures_can_be_had() {
    let explorer = Explorer::small(&[]);
    let absolute = format!("{}../Cargo.toml", explorer.url);
    let long = format!("/assets/{}Cargo.toml", "../".repeat(2000));
    for target in [
        "/../Cargo.toml",
        "/Cargo.toml",
        "//etc/passwd",
        "/etc/passwd",
        "/..;/Cargo.toml",
        "/assets/",
        "/assets/..",
        "/assets/../..",
        "/assets/../../Cargo.toml",
        "/assets/../../../../../../../../etc/passwd",
        "/assets/..%2f..%2fCargo.toml",
        "/assets/%2e%2e/%2e%2e/Cargo.toml",
        "/assets/.%2e/%2e./Cargo.toml",
        "/assets/%2e%2e%2f%2e%2e%2fCargo.toml",
        "/assets/%252e%252e%252fCargo.toml",
        "/assets/%c0%ae%c0%ae/Cargo.toml",
        "/assets/..\\..\\Cargo.toml",
        "/assets/..%5c..%5cCargo.toml",
        "/assets//etc/passwd",
        "/assets/%2fetc%2fpasswd",
        "/assets/%00",
        "/assets/..%2f..%2fCargo.toml%00.css",
        "/assets/%ff%fe",
        "/api/",
        "/api/pictures/",
        "/api/pictures/../../Cargo.toml",
        "/api/pictures/..%2f..%2fCargo.toml",
        "/api/pictures/..%2f..%2fCargo.toml/picture",
        "/api/pictures/%2fetc%2fpasswd/picture",
        "/api/pictures/tests%2fdata%2fshortcut%2fimages%2f000.png/picture",
        "/api/pictures/000.png/picture",
        "/api/pictures/-1/picture",
        "/api/pictures/24/picture",
        "/api/pictures/4294967296/picture",
        "/api/pictures/18446744073709551616/picture",
        "/api/pictures/99999999999999999999999999/thumbnail",
        "/api/pictures/1e0/picture",
        "/api/pictures/0x0/picture",
        "/api/pictures/0.0/picture",
        "/api/pictures/%00/picture",
        "/api/pictures/0%00/picture",
        "/api/pictures/0%2fpicture",
        "/api/pictures/0/../../../Cargo.toml",
        "/api/pictures/0/nonsense",
        "/api/pictures/0/picture/..",
        &absolute,
        &long,
    ] {
        assert_refused(&explorer.get(target), target, &[400, 404, 414]);
    }
    for picture in ["-1", "24", "1e0", "%00", "..%2f..", "18446744073709551616"] {
        for what in ["boxes", "map", "query", "paint", "verify", "command", "save"] {
            let target = format!("/api/pictures/{picture}/{what}");
            let body = question(&json!({"subject": {"box": 0}})).to_string();
            assert_refused(&explorer.post(&target, "application/json", body.as_bytes()), &target, &[400, 404]);
        }
    }
    // What is no HTTP.
    for request in [
        "\r\n\r\n",
        "GET\r\n\r\n",
        "GET /\0 HTTP/1.1\r\n\r\n",
        "\u{16}\u{3}\u{1}hello\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
    ] {
        let answer = explorer.raw(request.as_bytes());
        assert!(answer.status == 0 || (400..=505).contains(&answer.status), "{request:?}: {answer:?}");
        assert!(answer.body.is_empty() || answer.problem().len() < 500, "{request:?}: {answer:?}");
    }
    let endless = format!("GET / HTTP/1.1\r\nHost: {}\r\nX: {}\r\n\r\n", explorer.host(), "x".repeat(10_000_000));
    assert!(!(200..400).contains(&explorer.raw(endless.as_bytes()).status));
    let many = explorer.head("GET", "/", &"X-A: 1\r\n".repeat(100_000));
    assert!(!(200..400).contains(&explorer.raw(many.as_bytes()).status));
    explorer.assert_sound();
}

/// All files below a folder.
fn below(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).expect("it can be listed") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            found.extend(below(&path));
        }
        found.insert(path.display().to_string());
    }
    found
}

fn small_picture() -> Vec<u8> {
    fs::read("tests/data/shortcut/images/000.png").expect("it is there")
}

#[test]
fn a_picture_that_is_added_is_written_nowhere_and_named_by_the_end_of_its_name() {
    let outer = temp();
    let inner = outer.path().join("a/b/pictures");
    fs::create_dir_all(&inner).expect("it is made");
    fs::copy("tests/data/shortcut/images/001.png", inner.join("001.png")).expect("it is copied");
    let model = fs::canonicalize("tests/data/shortcut/planted.pt").expect("it is there");
    let model = model.to_str().expect("text");
    let explorer = Explorer::start_in(&inner, &["--model-path", model, "--img-size", "128", "--img-path", "."]);
    let before = below(outer.path());
    let long = "x".repeat(5000);
    for name in [
        "../../x.png",
        "..%2f..%2fx.png",
        "%2e%2e%2f%2e%2e%2fx.png",
        "..%5c..%5cx.png",
        "/etc/x.png",
        "/tmp/x.png",
        "a/b/../x.png",
        "001.png",
        "x%00.png",
        "x%0d%0aSet-Cookie:%20a=b.png",
        "x%1b[31m.png",
        "%e2%80%ae.png",
        "%ff.png",
        "..",
        ".",
        "/",
        "",
        "C:%5cx.png",
        "%3Cimg%20src=x%20onerror=alert(1)%3E.png",
        &long,
    ] {
        let target = format!("/api/pictures?name={name}");
        let answer = explorer.post(&target, "application/octet-stream", &small_picture());
        assert_guarded(&answer, &target);
        assert_eq!(answer.header("set-cookie"), None, "{name}");
        if answer.status != 200 {
            answer.problem();
            continue;
        }
        let shown = answer.json()["name"].as_str().expect("text").to_owned();
        assert!(!shown.contains('/') && !shown.contains(char::is_control), "{name} is shown as {shown:?}");
        assert!(!shown.is_empty() && ![".", ".."].contains(&shown.as_str()), "{name} is shown as {shown:?}");
        assert!(shown.chars().count() <= 255, "{name} is shown as {shown:?}");
        if name.ends_with("x.png") && !name.contains("%5c") {
            // A number tells it from others of its name.
            assert!(shown.starts_with('x') && shown.ends_with(".png"), "{name} is shown as {shown:?}");
        }
    }
    assert_eq!(below(outer.path()), before);
    // The picture on the disk is not the one that took its name.
    let listed = explorer.get("/api/pictures").json();
    let own: Vec<&Value> =
        listed["pictures"].as_array().expect("a list").iter().filter(|one| one["is_added"] == false).collect();
    assert_eq!(own.len(), 1, "{listed}");
    explorer.assert_sound();
}

#[cfg(unix)]
#[test]
fn a_picture_that_became_another_file_is_not_read_as_one() {
    let folder = temp();
    let picture = folder.path().join("000.png");
    fs::write(&picture, small_picture()).expect("it is written");
    let model = "tests/data/shortcut/planted.pt";
    let pictures = folder.path().to_str().expect("text");
    let explorer = Explorer::start(&["--model-path", model, "--img-size", "128", "--img-path", pictures]);
    fs::remove_file(&picture).expect("it is there");
    std::os::unix::fs::symlink("/etc/passwd", &picture).expect("it is made");
    for what in ["picture", "thumbnail"] {
        let answer = explorer.get(&format!("/api/pictures/0/{what}"));
        assert!(answer.status >= 400, "{answer:?}");
        assert!(!answer.text().contains("root:"), "{answer:?}");
    }
    let answer = explorer.ask(0, "save", &json!({"subject": null, "look": look()}));
    assert!(answer.status >= 400 && !answer.text().contains("root:"), "{answer:?}");
}

fn look() -> Value {
    json!({"colormap": "jet", "alpha": 0.7, "threshold": 0.0})
}

/// A request without the headers that are added otherwise.
fn bare(explorer: &Explorer, method: &str, target: &str, headers: &str) -> Answer {
    let body = question(&json!({})).to_string();
    let body = if method == "POST" { body.as_str() } else { "" };
    let more = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    explorer.raw(format!("{method} {target} HTTP/1.1\r\n{headers}Connection: close\r\n{more}\r\n{body}").as_bytes())
}

/// What a page of somebody else would want to have.
const WANTED: [(&str, &str); 6] = [
    ("GET", "/"),
    ("GET", "/api/pictures"),
    ("GET", "/api/pictures/0/picture"),
    ("GET", "/api/pictures/0/thumbnail"),
    ("POST", "/api/pictures/0/boxes"),
    ("POST", "/api/pictures?name=x.png"),
];

#[test]
fn requests_to_another_host_are_refused() {
    let explorer = Explorer::small(&[]);
    let port = explorer.port;
    let foreign = [
        "evil.example".to_owned(),
        format!("evil.example:{port}"),
        format!("127.0.0.1.evil.example:{port}"),
        format!("localhost.evil.example:{port}"),
        format!("evil.example@127.0.0.1:{port}"),
        format!("192.168.1.1:{port}"),
        format!("10.0.0.1:{port}"),
        "127.0.0.1".to_owned(),
        "127.0.0.1:1".to_owned(),
        "localhost:1".to_owned(),
    ];
    for (method, target) in WANTED {
        for host in &foreign {
            let answer = bare(&explorer, method, target, &format!("Host: {host}\r\n"));
            let line = assert_refused(&answer, target, &[400, 403, 421]);
            assert!(line.contains(host.as_str()) || answer.status == 400, "{line}");
        }
        assert_refused(&bare(&explorer, method, target, ""), target, &[400, 403, 421]);
        assert_refused(&bare(&explorer, method, target, "Host: \r\n"), target, &[400, 403, 421]);
        let twice = format!("Host: evil.example\r\nHost: 127.0.0.1:{port}\r\n");
        assert_refused(&bare(&explorer, method, target, &twice), target, &[400, 403, 421]);
        // Where the whole address is asked for, it is what counts.
        let absolute = format!("http://evil.example:{port}{target}");
        let answer = bare(&explorer, method, &absolute, &format!("Host: 127.0.0.1:{port}\r\n"));
        assert_refused(&answer, target, &[400, 403, 421]);
        for host in [format!("127.0.0.1:{port}"), format!("localhost:{port}")] {
            let status = bare(&explorer, method, target, &format!("Host: {host}\r\n")).status;
            // JSON is no picture.
            assert!(status == 200 || target.contains("name=") && [400, 415, 422].contains(&status), "{host}: {status}");
        }
    }
    let old = explorer.raw(b"GET / HTTP/1.0\r\n\r\n");
    assert!((400..500).contains(&old.status), "{old:?}");
    explorer.assert_sound();
}

#[test]
fn pages_of_others_are_refused() {
    let explorer = Explorer::small(&[]);
    let (host, port) = (explorer.host(), explorer.port);
    for (method, target) in WANTED {
        let with = |headers: &str| bare(&explorer, method, target, &format!("Host: {host}\r\n{headers}"));
        for headers in [
            "Origin: http://evil.example\r\n".to_owned(),
            format!("Origin: http://evil.example:{port}\r\n"),
            format!("Origin: http://127.0.0.1.evil.example:{port}\r\n"),
            "Origin: null\r\n".to_owned(),
            "Origin: \r\n".to_owned(),
            "Origin: http://127.0.0.1:1\r\n".to_owned(),
            "Origin: http://127.0.0.1\r\n".to_owned(),
            format!("Origin: https://127.0.0.1:{port}\r\n"),
            "Origin: file://\r\n".to_owned(),
            "Sec-Fetch-Site: cross-site\r\n".to_owned(),
            "Sec-Fetch-Site: same-site\r\n".to_owned(),
            format!("Origin: http://{host}\r\nSec-Fetch-Site: cross-site\r\n"),
        ] {
            let answer = with(&headers);
            // A link from elsewhere may lead to the page, of which nobody else can read anything.
            if target == "/" && headers.contains("Sec-Fetch-Site") {
                assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"));
                continue;
            }
            assert!([400, 403].contains(&answer.status), "{target} with {headers:?}: {answer:?}");
            assert_refused(&answer, target, &[400, 403]);
        }
        for headers in [
            "Sec-Fetch-Site: none\r\n".to_owned(),
            "Sec-Fetch-Site: same-origin\r\n".to_owned(),
            format!("Origin: http://{host}\r\n"),
            format!("Origin: http://{host}\r\nSec-Fetch-Site: same-origin\r\n"),
        ] {
            let status = with(&headers).status;
            assert!(
                status == 200 || target.contains("name=") && [400, 415, 422].contains(&status),
                "{headers}: {status}"
            );
        }
    }
    // A browser that asks first whether it may is told nothing.
    let asks = "Origin: http://evil.example\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type\r\n";
    let answer = explorer.raw(explorer.head("OPTIONS", "/api/pictures/0/boxes", asks).as_bytes());
    assert_refused(&answer, "/api", &[403, 405]);
    explorer.assert_sound();
}

#[test]
fn from_the_network_it_can_be_had_with_its_token_alone() {
    assert!(!Explorer::small(&["--host", "127.0.0.1"]).url.contains('?'), "nobody else is there");
    let explorer = Explorer::small(&["--host", "0.0.0.0"]);
    let token = explorer.url.split_once("/?token=").expect("the address has it").1.to_owned();
    assert!(
        token.len() >= 22 && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)),
        "{token}"
    );
    let other = Explorer::small(&["--host", "0.0.0.0"]);
    assert!(!other.url.ends_with(&token), "each has its own");
    let host = format!("Host: {}\r\n", explorer.host());
    let wrong = token.chars().rev().collect::<String>();
    for (method, target) in WANTED {
        let joint = if target.contains('?') { '&' } else { '?' };
        for tried in ["", "x", &token[..token.len() - 1], &wrong, &token.to_uppercase(), &format!("{token}x")] {
            let with_token = format!("{target}{joint}token={tried}");
            let line = assert_refused(&bare(&explorer, method, &with_token, &host), target, &[401]);
            assert!(!line.contains(&token), "{line}");
            let cookie = format!("{host}Cookie: token={tried}; yolo-cam={tried}\r\n");
            assert_refused(&bare(&explorer, method, target, &cookie), target, &[401]);
        }
        assert_refused(&bare(&explorer, method, target, &host), target, &[401]);
    }
    let assets = explorer.get("/assets/page.js");
    assert!([401, 404].contains(&assets.status), "{assets:?}");
    let answer = explorer.get(&format!("/?token={token}"));
    assert!([302, 303, 307].contains(&answer.status), "{answer:?}");
    assert_eq!(answer.header("location"), Some("/"));
    assert_guarded(&answer, "/");
    let cookie = answer.header("set-cookie").expect("it is set").to_owned();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let cookie = format!("{host}Cookie: other=1; {}\r\n", cookie.split(';').next().expect("it has a value"));
    let bearer = format!("{host}Authorization: Bearer {token}\r\n");
    assert_eq!(bare(&explorer, "GET", "/api/pictures", &bearer).status, 200, "scripts may bring it too");
    for (method, target) in &WANTED[..5] {
        let answer = bare(&explorer, method, target, &cookie);
        assert_eq!(answer.status, 200, "{target}: {answer:?}");
        assert!(!answer.text().contains(&token), "{target}");
        // Pages of others are sent no cookie, and refused anyway.
        assert_refused(&bare(&explorer, method, target, &format!("{cookie}Origin: null\r\n")), target, &[403]);
    }
}

#[test]
fn what_is_too_large_is_refused_before_it_is_read() {
    let explorer = Explorer::small(&[]);
    // Told by its length, of which nothing is sent.
    for (target, length) in [
        ("/api/pictures?name=a.png", "10000000000"),
        ("/api/pictures?name=a.png", "67108865"),
        ("/api/pictures/0/boxes", "10000000"),
        ("/api/pictures/0/paint", "100000000"),
    ] {
        let more = format!("Content-Type: application/json\r\nContent-Length: {length}\r\n");
        let answer = explorer.raw(explorer.head("POST", target, &more).as_bytes());
        assert!(answer.status == 413, "{target} of {length} bytes: {answer:?}");
        assert_refused(&answer, target, &[413]);
    }
    for length in ["-1", "x", "18446744073709551615", "99999999999999999999999"] {
        let answer =
            explorer.raw(explorer.head("POST", "/api/pictures", &format!("Content-Length: {length}\r\n")).as_bytes());
        assert!((400..500).contains(&answer.status), "{length}: {answer:?}");
    }
    // Or found out.
    for (target, bytes) in [("/api/pictures?name=a.png", 70_000_000), ("/api/pictures/0/map", 10_000_000)] {
        let more = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n";
        let mut stream = explorer.connect();
        stream.write_all(explorer.head("POST", target, more).as_bytes()).expect("it listens");
        let chunk = [b"100000\r\n".as_slice(), &[b' '; 0x10_0000], b"\r\n"].concat();
        // It may end the connection before.
        let is_sent = (0..bytes / 0x10_0000 + 1).all(|_| stream.write_all(&chunk).is_ok());
        let _ = is_sent.then(|| stream.write_all(b"0\r\n\r\n"));
        assert_refused(&Answer::read(&mut stream), target, &[413]);
    }
    let body = question(&json!({"client": "x".repeat(10_000_000)})).to_string();
    let answer = explorer.post("/api/pictures/0/boxes", "application/json", body.as_bytes());
    assert_refused(&answer, "/api", &[413]);
    let stroke = json!({"radius": 1, "points": [[1, 1]]});
    let strokes = json!({"subject": {"box": 0}, "fill": "black", "strokes": vec![stroke; 1_000_000]});
    assert_refused(&explorer.ask(0, "paint", &strokes), "/api", &[413]);
    explorer.assert_sound();
}

#[test]
fn what_is_no_picture_is_not_taken() {
    let explorer = Explorer::small(&[]);
    let listed = |explorer: &Explorer| explorer.get("/api/pictures").json()["pictures"].as_array().map(Vec::len);
    let before = listed(&explorer);
    let png = small_picture();
    let mut broken = png.clone();
    broken.truncate(png.len() / 2);
    for bytes in [
        b"".as_slice(),
        b"no picture",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"GIF89a",
        b"\x89PNG\r\n\x1a\nrest",
        b"PK\x03\x04",
        b"/etc/passwd",
        &broken,
        &claims(60_000),
        &claims(u32::MAX),
        &claims(0),
    ] {
        let answer = explorer.post("/api/pictures?name=../x.png", "image/png", bytes);
        let line = assert_refused(&answer, "/api", &[400, 413, 415, 422]);
        assert!(!line.contains("../"), "{line}");
    }
    assert_eq!(listed(&explorer), before);
    explorer.assert_sound();
}

/// A small PNG that claims so many pixels in either direction.
fn claims(side: u32) -> Vec<u8> {
    let mut png = Vec::new();
    image::RgbImage::new(1, 1).write_to(&mut Cursor::new(&mut png), image::ImageFormat::Png).expect("in memory");
    // The header: four bytes of length, its name, width and height, five further bytes, and the checksum of all but the length.
    png[16..20].copy_from_slice(&side.to_be_bytes());
    png[20..24].copy_from_slice(&side.to_be_bytes());
    let sum = checksum(&png[12..29]).to_be_bytes();
    png[29..33].copy_from_slice(&sum);
    png
}

/// CRC-32 as PNG has it.
fn checksum(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = sum >> 1 ^ if sum & 1 == 1 { 0xEDB8_8320 } else { 0 };
        }
    }
    !sum
}

#[test]
fn a_bomb_among_the_pictures_fails_alone() {
    let folder = temp();
    fs::write(folder.path().join("a.png"), small_picture()).expect("it is written");
    fs::write(folder.path().join("bomb.png"), claims(60_000)).expect("it is written");
    let model = fs::canonicalize("tests/data/shortcut/planted.pt").expect("it is there");
    let model = model.to_str().expect("text");
    let explorer = Explorer::start_in(folder.path(), &["--model-path", model, "--img-size", "128", "--img-path", "."]);
    let bomb = explorer.picture("bomb.png");
    for what in ["thumbnail", "picture"] {
        assert_refused(&explorer.get(&format!("/api/pictures/{bomb}/{what}")), "/api", &[400, 404, 413, 415, 422]);
    }
    let line = assert_refused(&explorer.ask(bomb, "boxes", &json!({})), "/api", &[400, 404, 413, 415, 422]);
    assert!(line.contains("60000"), "{line}");
    explorer.assert_sound();
}

#[test]
fn requests_that_make_no_sense_are_told_so_in_a_line() {
    let explorer = Explorer::small(&[]);
    for body in [
        "",
        "{",
        "null",
        "[]",
        "\"\"",
        "{}",
        "\u{0}",
        r#"{"pane": 0, "when": "view", "view": {}}"#,
        r#"{"client": "a", "pane": 0, "when": "view", "view": {"conf": NaN}}"#,
        r#"{"client": "a", "pane": 0, "when": "view", "view": {"conf": Infinity}}"#,
        r#"{"client": "a", "pane": 0, "when": "view", "view": {"conf": 1e999}}"#,
        r#"{"client": "a", "pane": 0, "when": "view", "view": null}"#,
    ] {
        for what in ["boxes", "map", "query", "paint", "verify", "command", "save"] {
            let target = format!("/api/pictures/0/{what}");
            assert_refused(&explorer.post(&target, "application/json", body.as_bytes()), &target, &[400, 422]);
        }
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_refused(
        &explorer.post("/api/pictures/0/boxes", "application/json", deep.as_bytes()),
        "/api",
        &[400, 413, 422],
    );
    let not_text = [b"{\"client\": \"".as_slice(), &[0xFF, 0xFE], b"\"}"].concat();
    assert_refused(&explorer.post("/api/pictures/0/boxes", "application/json", &not_text), "/api", &[400, 422]);
    for (what, wrong) in nonsense() {
        let answer = explorer.ask(0, what, &wrong);
        assert!(matches!(answer.status, 400 | 404 | 413 | 422), "{what} {:.300}: {answer:?}", wrong.to_string());
        assert_refused(&answer, "/api", &[400, 404, 413, 422]);
    }
    explorer.assert_sound();
}

/// Parts of views that make no sense.
fn views() -> Vec<Value> {
    vec![
        json!({"model": 1}),
        json!({"model": -1}),
        json!({"model": "planted.pt"}),
        json!({"conf": -0.1}),
        json!({"conf": 1.5}),
        json!({"conf": "0.4"}),
        json!({"iou": 7}),
        json!({"iou": -1e300}),
        json!({"method": "nonsense"}),
        json!({"method": "../x"}),
        json!({"method": null}),
        json!({"target": "nonsense"}),
        json!({"target": "mask"}),
        json!({"layers": "model.99"}),
        json!({"layers": ""}),
        json!({"layers": ["model.9"]}),
        json!({"layers": "model.9,".repeat(10_000)}),
        json!({"fuse": "nonsense"}),
        json!({"contrast": "nonsense"}),
        json!({"contrast": "\u{1b}[31m\nline"}),
    ]
}

fn subjects() -> Vec<Value> {
    vec![
        json!(null),
        json!({}),
        json!({"box": 99}),
        json!({"box": -1}),
        json!({"box": 0.5}),
        json!({"box": "0"}),
        json!({"box": u64::MAX}),
        json!({"query": {}}),
        json!({"query": {"box": [10, 10, 50]}}),
        json!({"query": {"box": [10, 10, 50, 50, 60]}}),
        json!({"query": {"box": [50, 50, 10, 10]}}),
        json!({"query": {"box": [10, 10, 10, 10]}}),
        json!({"query": {"box": [1000, 1000, 2000, 2000]}}),
        json!({"query": {"box": [-100, -100, -10, -10]}}),
        json!({"query": {"box": [0, 0, 1e308, 1e308]}}),
        json!({"query": {"point": [1000, 10]}}),
        json!({"query": {"point": [-1, 10]}}),
        json!({"query": {"point": [10]}}),
        json!({"query": {"point": [10, 10], "box": [1, 1, 9, 9]}}),
        json!({"query": {"point": [10, 10], "class": "nonsense"}}),
        json!({"query": {"point": [10, 10], "class": 99}}),
    ]
}

fn paints() -> Vec<Value> {
    let stroke = |radius: f64, points: Value| json!({"radius": radius, "points": points});
    vec![
        json!({"fill": "nonsense"}),
        json!({"fill": null}),
        json!({"strokes": vec![stroke(1.0, json!([[1, 1]])); 201]}),
        json!({"strokes": [stroke(1.0, json!(vec![[1, 1]; 5001]))]}),
        json!({"strokes": [stroke(-1.0, json!([[1, 1]]))]}),
        json!({"strokes": [stroke(1.0, json!([[1]]))]}),
        json!({"strokes": [stroke(1.0, json!([["a", "b"]]))]}),
        json!({"strokes": "all"}),
    ]
}

fn looks() -> Vec<Value> {
    vec![
        json!({"colormap": "nonsense", "alpha": 0.5, "threshold": 0}),
        json!({"colormap": "jet", "alpha": 7, "threshold": 0}),
        json!({"colormap": "jet", "alpha": 0.5, "threshold": -1}),
        json!({"colormap": "../jet", "alpha": 0.5, "threshold": 0}),
        json!("jet"),
    ]
}

/// What is asked, and what replaces parts of a request that makes sense.
fn nonsense() -> Vec<(&'static str, Value)> {
    let mut wrong = Vec::new();
    for view in views() {
        wrong.push(("map", json!({"view": view, "subject": {"box": 0}})));
        wrong.push(("command", json!({"view": view, "subject": {"box": 0}, "look": look()})));
    }
    for subject in subjects() {
        wrong.push(("map", json!({"subject": subject})));
        wrong.push(("verify", json!({"subject": subject})));
        if let Some(query) = subject["query"].as_object() {
            wrong.push(("query", json!({"query": query})));
        }
    }
    for mut paint in paints() {
        let whole = json!({"subject": {"box": 0}, "fill": "black", "strokes": [{"radius": 5, "points": [[9, 9]]}]});
        for (name, value) in whole.as_object().expect("an object") {
            paint.as_object_mut().expect("an object").entry(name.as_str()).or_insert_with(|| value.clone());
        }
        wrong.push(("paint", paint));
    }
    for look in looks() {
        wrong.push(("command", json!({"subject": {"box": 0}, "look": look})));
        wrong.push(("save", json!({"subject": {"box": 0}, "look": look})));
    }
    for other in [json!({"pane": -1}), json!({"when": "now"}), json!({"client": 1}), json!({"client": null})] {
        wrong.push(("boxes", other));
    }
    wrong
}

#[test]
fn other_methods_are_not_allowed() {
    let explorer = Explorer::small(&[]);
    let length = "Content-Length: 0\r\n";
    for (method, target) in [
        ("POST", "/"),
        ("PUT", "/api/pictures?name=a.png"),
        ("DELETE", "/api/pictures"),
        ("DELETE", "/api/pictures/0"),
        ("PATCH", "/api/pictures/0/boxes"),
        ("GET", "/api/pictures/0/boxes"),
        ("GET", "/api/pictures/0/map"),
        ("GET", "/api/pictures/0/save"),
        ("POST", "/api/pictures/0/picture"),
        ("POST", "/api/pictures/0/thumbnail"),
        ("TRACE", "/"),
        ("CONNECT", "/"),
        ("NONSENSE", "/api/pictures"),
    ] {
        let answer = explorer.raw(explorer.head(method, target, length).as_bytes());
        let allowed = if target == "/api/pictures/0" { [404, 405] } else { [400, 405] };
        assert!(allowed.contains(&answer.status), "{method} {target}: {answer:?}");
        assert_refused(&answer, target, &allowed);
    }
    explorer.assert_sound();
}

#[test]
fn all_answers_are_guarded() {
    let explorer = Explorer::small(&[]);
    let page = explorer.get("/");
    let text = page.text();
    assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")), "{page:?}");
    // What the page loads.
    let assets = text.split(['"', '\'']).filter(|part| part.starts_with("/assets/") || part.starts_with("assets/"));
    let assets: Vec<String> = assets.map(|asset| format!("/{}", asset.trim_start_matches('/'))).collect();
    assert!(assets.len() >= 2, "{assets:?}");
    for target in assets.iter().map(String::as_str).chain([
        "/",
        "/api/pictures",
        "/api/pictures/0/picture",
        "/api/pictures/0/thumbnail",
    ]) {
        let answer = explorer.get(target);
        assert_eq!(answer.status, 200, "{target}");
        assert_guarded(&answer, target);
        let kind = answer.header("content-type").expect("it has one");
        let expected = match target.rsplit(['.', '/']).next() {
            Some("js") => "text/javascript",
            Some("css") => "text/css",
            Some("pictures") => "application/json",
            Some("picture" | "thumbnail") => "image/jpeg",
            _ => "",
        };
        assert!(kind.starts_with(expected), "{target}: {kind}");
    }
    for (what, more) in [
        ("boxes", json!({})),
        ("map", json!({"subject": {"box": 0}})),
        ("query", json!({"query": {"point": [90, 50], "class": null}})),
        ("paint", json!({"subject": {"box": 0}, "fill": "black", "strokes": [{"radius": 5, "points": [[9, 9]]}]})),
        ("command", json!({"subject": {"box": 0}, "look": look()})),
        ("save", json!({"subject": {"box": 0}, "look": look()})),
        ("verify", json!({"subject": {"box": 0}})),
    ] {
        let answer = explorer.ask(0, what, &more);
        answer.fine();
        assert_guarded(&answer, "/api");
    }
    // The same page to those who ask for its head alone.
    let head = explorer.raw(explorer.head("HEAD", "/", "").as_bytes());
    assert_eq!((head.status, head.body.len()), (200, 0));
    // Nothing of it runs from elsewhere or from within the page.
    assert!(!text.contains("http://") && !text.contains("https://") && !text.contains(" onclick"), "{text:.2000}");
}

/// Data in the page end where they end, whatever the names in them say.
#[cfg(unix)]
#[test]
fn hostile_names_end_no_data() {
    let folder = temp();
    let hostile = "<!--<script>&amp;\u{2028}'\"$(id)`.png";
    fs::write(folder.path().join(hostile), small_picture()).expect("it is written");
    let pictures = folder.path().to_str().expect("text");
    let names = "</script><script>alert(1)</script>,square";
    let explorer = Explorer::start(&[
        "--model-path",
        "tests/data/shortcut/planted.pt",
        "--img-size",
        "128",
        "--names",
        names,
        "--img-path",
        pictures,
    ]);
    let text = explorer.get("/").text();
    let (_, data) = text.split_once(r#"id="data">"#).expect("it has data");
    let (data, rest) = data.split_once("</script>").expect("they end");
    let data: Value = serde_json::from_str(data).expect("it is JSON");
    assert_eq!(data["models"][0]["classes"][0], "</script><script>alert(1)</script>");
    assert!(!rest.contains("alert(1)"), "{rest}");
    let list = explorer.get("/api/pictures").json();
    assert!(list["pictures"][0]["name"].as_str().is_some_and(|name| name.ends_with(hostile)), "{list}");
    let answer = explorer.ask(0, "save", &json!({"subject": {"box": 0}, "look": look()}));
    let disposition = answer.header("content-disposition").expect("it has one").to_owned();
    assert!(disposition.is_ascii() && disposition.matches('"').count() <= 2, "{disposition}");
}

#[test]
fn half_a_request_holds_nobody_else() {
    let explorer = Explorer::small(&[]);
    let body = question(&json!({"subject": {"box": 0}})).to_string();
    let more = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len() + 1);
    let whole = explorer.head("POST", "/api/pictures/0/map", &more) + &body;
    let upload = explorer.head("POST", "/api/pictures?name=a.png", "Content-Length: 1000000\r\n") + "abc";
    let halves: Vec<TcpStream> = (0..60)
        .map(|index| {
            let mut stream = explorer.connect();
            let half = [&whole[..whole.len() / 9], &whole, &upload, ""][index % 4];
            stream.write_all(half.as_bytes()).expect("it listens");
            stream
        })
        .collect();
    explorer.ask(0, "map", &json!({"client": "other", "subject": {"box": 0}})).fine();
    explorer.assert_sound();
    drop(halves);
    explorer.assert_sound();
}

#[cfg(unix)]
#[test]
fn a_thousand_idle_connections_hold_nobody_else() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = 4096;
    if limit.maximum.is_some_and(|maximum| maximum < wanted) {
        return skip("a thousand connections, which the limit of open files forbids");
    }
    if limit.current.is_some_and(|current| current < wanted) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit }).expect("it is below the maximum");
    }
    // The program inherits the limit.
    let explorer = Explorer::small(&[]);
    let idle: Vec<TcpStream> = (0..1000).map(|_| explorer.connect()).collect();
    explorer.ask(0, "map", &json!({"subject": {"box": 0}})).fine();
    explorer.assert_sound();
    drop(idle);
    explorer.assert_sound();
}

#[cfg(unix)]
#[test]
fn it_outlives_more_connections_than_it_can_have() {
    use std::process::Command;
    let mut program = command(Path::new(env!("CARGO_MANIFEST_DIR")), &[]);
    program.args(common::explorer::PLANTED).args(["--img-path", "tests/data/shortcut/images"]);
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 64; exec \"$0\" \"$@\""]).arg(program.get_program()).args(program.get_args());
    limited.current_dir(env!("CARGO_MANIFEST_DIR"));
    let explorer = Explorer::started(limited);
    let many: Vec<TcpStream> = (0..200).filter_map(|_| TcpStream::connect(explorer.host()).ok()).collect();
    assert!(many.len() > 100, "{}", many.len());
    drop(many);
    explorer.assert_sound();
}

#[test]
fn who_never_reads_holds_nobody_else() {
    let explorer = Explorer::small(&[]);
    let keep = format!("GET /api/pictures/0/picture HTTP/1.1\r\nHost: {}\r\n\r\n", explorer.host());
    let many = keep.repeat(2000);
    let greedy: Vec<TcpStream> = (0..30)
        .map(|_| {
            let mut stream = explorer.connect();
            // Until it takes no more, as its answers are not taken.
            stream.set_nonblocking(true).expect("it can be");
            let _ = stream.write(many.as_bytes());
            stream
        })
        .collect();
    // Nor who asks for maps and reads none.
    let asked: Vec<TcpStream> = (0..30)
        .map(|client| {
            explorer.begin(client % 24, "map", &json!({"client": format!("greedy {client}"), "subject": {"box": 0}}))
        })
        .collect();
    explorer.ask(0, "map", &json!({"client": "other", "subject": {"box": 0}})).fine();
    explorer.assert_sound();
    drop((greedy, asked));
    explorer.assert_sound();
}

#[test]
fn who_leaves_is_not_worked_for() {
    // Each of these would take minutes.
    let explorer = Explorer::small(&["--masks", "100000"]);
    for client in 0..20 {
        let view = json!({"method": "d-rise"});
        drop(explorer.begin(0, "map", &json!({"client": client.to_string(), "view": view, "subject": {"box": 0}})));
    }
    explorer.ask(0, "map", &json!({"client": "other", "subject": {"box": 0}})).fine();
    explorer.assert_sound();
}

/// A request that takes minutes, and has not been answered yet.
fn long_job(explorer: &Explorer) -> TcpStream {
    let more = json!({"client": "long", "view": {"method": "d-rise"}, "subject": {"box": 0}});
    let mut stream = explorer.begin(0, "map", &more);
    stream.set_read_timeout(Some(Duration::from_millis(300))).expect("it is no zero");
    let answered = stream.read(&mut [0; 1]);
    assert!(answered.is_err(), "it should take longer: {answered:?}");
    stream
}

#[cfg(unix)]
#[test]
fn it_ends_at_once_when_it_is_told_to() {
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let mut idle = Explorer::small(&[]);
        let waiting = idle.connect();
        idle.signal(signal);
        assert_eq!(idle.ends().code(), Some(code), "{signal}: {}", idle.said());
        drop(waiting);
        let mut busy = Explorer::small(&["--masks", "100000"]);
        let job = long_job(&busy);
        busy.signal(signal);
        assert_eq!(busy.ends().code(), Some(code), "{signal}: {}", busy.said());
        assert!(!busy.said().contains("panicked"), "{}", busy.said());
        drop(job);
    }
}

/// The one line that it says instead of starting.
fn refused(flags: &[&str]) -> String {
    let mut program = command(Path::new(env!("CARGO_MANIFEST_DIR")), flags);
    let output = program.args(common::explorer::PLANTED).output().expect("it runs");
    let said = String::from_utf8(output.stderr).expect("it is text");
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(output.stdout.is_empty(), "{said}");
    let mut problems = said.lines().skip_while(|line| line.starts_with("model: "));
    let (Some(problem), None) = (problems.next(), problems.next()) else { panic!("{said}") };
    problem.to_owned()
}

#[test]
fn where_it_can_not_listen_it_says_so() {
    let taken = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port is free");
    let port = taken.local_addr().expect("it has one").port().to_string();
    let said = refused(&["--port", &port]);
    assert!(said.contains("--port") && said.contains(&port), "{said}");
    // A name that nobody has, and an address of somebody else.
    for host in ["nowhere.invalid", "192.0.2.1"] {
        let said = refused(&["--host", host]);
        assert!(said.contains("--host") && said.contains(host), "{said}");
    }
}
