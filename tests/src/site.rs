//! A stand-in for the web side of a Mastodon: its pages answer as the table of the facts says, its files are served from
//! the instance's `public` as a web server in front of it would, and its assets are a small build of Vite's.

use crate::vite;
use std::{
    collections::BTreeMap,
    fs,
    io::{self, BufRead as _, BufReader, Read, Write},
    net::{SocketAddr, TcpListener},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

/// The stylesheet of the default theme, below `public/packs`.
pub const STYLESHEET: &str = "assets/application-a1.css";
/// The script of every page, below `public/packs`.
pub const SCRIPT: &str = "application-b2.js";

/// While this is there, below `public`, pages answer with the error page: a change that only a visitor sees to be wrong.
pub const BREAKS: &str = "packs/breaks-pages";

/// The pages that the table of the facts asks.
const PAGES: [&str; 3] = ["/", "/about", "/auth/sign_in"];
/// What Mastodon lets others do with a page for visitors, but for its 15 s: a test need not wait for them.
const KEPT: &str = "max-age=1, public, stale-while-revalidate=30, stale-if-error=86400";
/// What Mastodon lets others do with what it tells of itself.
const KEPT_FOR_LONG: &str = "max-age=300, public, stale-while-revalidate=30, stale-if-error=86400";
/// The stylesheet that an admin writes into the settings: every page before 4.4 names it, and where nobody wrote any it is
/// empty.
const CUSTOM_CSS: &str = "/custom.css";
/// What tells of the instance.
const INSTANCE: &str = "/api/v2/instance";
/// What visitors see when something is wrong.
pub(crate) const ERROR_PAGE: &str =
    "<!DOCTYPE html><html><body class='error'><div class='dialog'>500</div></body></html>";

/// A web server before a made-up instance.
#[derive(Debug)]
pub struct Site {
    address: SocketAddr,
    answers: Arc<Mutex<BTreeMap<String, u16>>>,
}

impl Site {
    /// Builds the assets of the instance at `live`, and listens.
    pub fn start(live: &Path) -> io::Result<Self> {
        build(live)?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let site = Self { address: listener.local_addr()?, answers: Arc::default() };
        let (answers, public) = (Arc::clone(&site.answers), live.join("public"));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answers, public) = (Arc::clone(&answers), public.clone());
                thread::spawn(move || {
                    // A client that goes away in the middle has asked nothing.
                    let _gone = serve(stream, &answers, &public);
                });
            }
        });
        Ok(site)
    }

    /// Its address, as `instance.url` has it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its address without scheme.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on each of these pages answers with this status: 200 with a page, else with the error page.
    pub fn answers(&self, pages: &[&str], status: u16) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        for page in pages {
            answers.insert((*page).to_owned(), status);
        }
    }

    /// From now on all of it is well.
    pub fn is_well(&self) {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

fn serve(stream: impl Read + Write, answers: &Mutex<BTreeMap<String, u16>>, public: &Path) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let mut words = request.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    // What it does not know of a question, Mastodon passes over.
    let path = target.split('?').next().unwrap_or_default();
    let status = answers.lock().unwrap_or_else(PoisonError::into_inner).get(path).copied().unwrap_or(200);
    let (status, kind, body) = answer(path, status, public);
    let kept = match path {
        _ if status != 200 => "no-store",
        INSTANCE => KEPT_FOR_LONG,
        page if PAGES.contains(&page) => KEPT,
        _ => "no-store",
    };
    // Puma says of the head of whatever Rails makes that it is empty.
    let length = if method == "HEAD" && path == CUSTOM_CSS { 0 } else { body.len() };
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nCache-Control: {kept}\r\nConnection: close\r\n\r\n"
    );
    let stream = reader.get_mut();
    stream.write_all(head.as_bytes())?;
    if method != "HEAD" {
        stream.write_all(&body)?;
    }
    stream.flush()
}

fn answer(path: &str, status: u16, public: &Path) -> (u16, &'static str, Vec<u8>) {
    let text = |kind, text: &str| (200, kind, text.as_bytes().to_vec());
    let is_broken = PAGES.contains(&path) && public.join(BREAKS).exists();
    match path {
        _ if status == 200 && is_broken => (500, "text/html; charset=utf-8", ERROR_PAGE.as_bytes().to_vec()),
        // What one says that is closed to everybody without a login.
        INSTANCE if status == 401 => {
            let refusal = r#"{"error":"This method requires an authenticated user"}"#;
            (401, "application/json; charset=utf-8", refusal.as_bytes().to_vec())
        }
        _ if status != 200 => (status, "text/html; charset=utf-8", ERROR_PAGE.as_bytes().to_vec()),
        "/health" | "/api/v1/streaming/health" => text("text/plain", "OK"),
        CUSTOM_CSS => text("text/css", ""),
        INSTANCE => text("application/json", r#"{"domain":"social.example","version":"4.6.5"}"#),
        page if PAGES.contains(&page) => text("text/html; charset=utf-8", &html(public)),
        file => match fs::read(public.join(file.trim_start_matches('/'))) {
            Ok(content) => {
                let is_style = Path::new(file).extension().is_some_and(|ending| ending == "css");
                (200, if is_style { "text/css" } else { "text/javascript" }, content)
            }
            Err(_) => (404, "text/html", ERROR_PAGE.as_bytes().to_vec()),
        },
    }
}

/// A page as Rails makes it, with what the manifest says of the files.
fn html(public: &Path) -> String {
    let sums = fs::read_to_string(public.join("packs/sums")).unwrap_or_default();
    let (style, script) = sums.split_once('\n').unwrap_or_default();
    format!(
        "<!DOCTYPE html><html><head>\n<link rel=\"stylesheet\" href=\"/packs/{STYLESHEET}\" integrity=\"{style}\" \
         crossorigin=\"anonymous\" media=\"all\" />\n<script src=\"/packs/{SCRIPT}\" integrity=\"{script}\" \
         type=\"module\"></script>\n<link rel=\"stylesheet\" href=\"{CUSTOM_CSS}\" media=\"all\" /></head><body class='app-body'></body></html>"
    )
}

/// Writes a build of the default theme, and its source.
fn build(live: &Path) -> io::Result<()> {
    fs::create_dir_all(live.join("config"))?;
    fs::create_dir_all(live.join(vite::STYLES))?;
    fs::write(live.join("config/themes.yml"), "default: styles/application.scss\n")?;
    fs::write(live.join(vite::STYLES).join("application.scss"), "body { color: orange }\n")?;
    vite::build(live).map(drop)
}
