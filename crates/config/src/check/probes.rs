//! The probes: what each asks and how often.

use super::requires;
use crate::{
    mistake::Mistake,
    probes::{LocalAddress, Probe, Probes, Question},
    read::{Fields, Reader},
    requires::{FreeSpace, Service},
    settings::Instance,
    tree::{Kind, Node},
};
use mastmaint_words::{Bytes, ProbeName, Span};

/// The keys of a probe.
pub(crate) const KEYS: &[&str] = &[
    "kind",
    "every",
    "timeout",
    "down_after",
    "up_after",
    "pages",
    "address",
    "oldest_job",
    "free",
    "expires_in",
];
/// Keys that only some kinds have.
const OF_KINDS: [(&str, &[&str]); 5] = [
    ("pages", &["web"]),
    ("address", &["web", "api"]),
    ("oldest_job", &["sidekiq"]),
    ("free", &["disk"]),
    ("expires_in", &["certificate"]),
];

const DAY: u64 = 86_400;
/// In seconds, like those that follow.
const EVERY: (u64, u64) = (1, DAY);
const TIMEOUT: (u64, u64) = (1, 300);
const OLDEST_JOB: (u64, u64) = (60, 7 * DAY);
const EXPIRES_IN: (u64, u64) = (3600, 90 * DAY);
const MOST: usize = 30;
const MOST_PAGES: usize = 10;
const MOST_IN_A_ROW: u32 = 100;

/// Every probe. `instance`: `None` if there is none, `Some(None)` if it is written but wrong.
#[expect(clippy::option_option, reason = "absent, wrong and right are three things here")]
pub(super) fn probes(
    reader: &mut Reader,
    node: Option<&Node>,
    instance: Option<Option<&Instance>>,
) -> Probes {
    let mut probes = Probes::new();
    let Some(node) = node else { return probes };
    let listed = reader.pairs(node, "probes", "a map of probes, like {web: {}}").unwrap_or_default();
    if listed.len() > MOST {
        let mistake = Mistake::TooMany { what: "probes", count: listed.len(), max: MOST };
        reader.wrong(node.place, "probes", mistake);
    }
    if instance.is_none() && !listed.is_empty() {
        reader.wrong(node.place, "probes", Mistake::ProbesNeedInstance);
    }
    for (name, place, node) in listed.into_iter().take(MOST) {
        let path = crate::read::join("probes", name);
        let probe = probe(reader, node, &path, name, instance.flatten());
        match name.parse::<ProbeName>() {
            Ok(name) => probes.extend(probe.map(|probe| (name, probe))),
            Err(error) => reader.wrong(place, &path, Mistake::BadName { why: error.to_string() }),
        }
    }
    probes
}

/// What is written as the name of a probe, right or wrong: what is wrong with it has been said there.
pub(super) fn names(node: Option<&Node>) -> Vec<&str> {
    let Some(Kind::Map(pairs)) = node.map(|node| &node.kind) else { return vec![] };
    let names = pairs.iter().filter_map(|(key, _)| match &key.kind {
        Kind::Text(name) => Some(name.as_str()),
        _ => None,
    });
    names.collect()
}

/// What jobs know of the probes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    /// Their names, as written.
    pub(super) names: &'a [&'a str],
    /// Those that see what visitors get.
    pub(super) of_visitors: &'a [ProbeName],
}

/// The probes that see what visitors get: pages first, then what they are built of.
pub(super) fn of_visitors(probes: &Probes) -> Vec<ProbeName> {
    let of = |kind: &'static str| {
        probes.iter().filter(move |(_, probe)| probe.question.kind() == kind).map(|(name, _)| name.clone())
    };
    of("web").chain(of("assets")).collect()
}

fn probe(
    reader: &mut Reader,
    node: &Node,
    path: &str,
    name: &str,
    instance: Option<&Instance>,
) -> Option<Probe> {
    let f = reader.fields(node, path, "a map; `{}` takes every default", KEYS)?;
    let span = |reader: &mut Reader, key, what, bounds, range, usual| {
        reader.span_within(&f, key, what, bounds, range).map_or(usual, |at| at.value)
    };
    let usual = Span::from_secs(10);
    let timeout = span(reader, "timeout", "a timeout", TIMEOUT, "it is at least 1s and at most 5m", usual);
    let (down_after, up_after) = (in_a_row(reader, &f, "down_after"), in_a_row(reader, &f, "up_after"));
    let kind = kind(reader, &f, name);
    let usual = usual_pace(kind.unwrap_or_default());
    let every = span(reader, "every", "a pause", EVERY, "it is at least 1s and at most 1d", usual);
    let kind = kind?;
    for (key, kinds) in OF_KINDS {
        if f.get(key).is_some() && !kinds.contains(&kind) {
            let why = "a probe of this kind does not have it";
            reader.odd(f.key_place(key), &f.path_of(key), Mistake::NoEffect { why });
        }
    }
    let question = question(reader, &f, kind, instance);
    Some(Probe { question, every, timeout, down_after, up_after })
}

/// How often what is asked by itself. After the first no come two more, 15 s apart: with the shorter one an incident opens
/// within a minute. What fills up or expires has time.
fn usual_pace(kind: &str) -> Span {
    match kind {
        "disk" | "certificate" => Span::from_secs(60),
        _ => Span::from_secs(20),
    }
}

/// What is written, else what its name says.
fn kind(reader: &mut Reader, f: &Fields<'_>, name: &str) -> Option<&'static str> {
    if f.get("kind").is_some() {
        let words = Question::KINDS.map(|kind| (kind, kind));
        return reader.word(f, "kind", "kind", &words);
    }
    let of_its_name = Question::KINDS.into_iter().find(|kind| *kind == name);
    if of_its_name.is_none() {
        let help = "write what it asks, like kind: web; a probe whose name is a kind needs none";
        reader.wrong(f.place, &f.path, Mistake::MissingKey { key: "kind", help });
    }
    of_its_name
}

fn in_a_row(reader: &mut Reader, f: &Fields<'_>, key: &str) -> u16 {
    const USUAL: u16 = 3;
    const RANGE: &str = "it is a whole number from 1 to 100";
    let Some(count) = reader.count(f, key, MOST_IN_A_ROW, "a number of answers", RANGE) else { return USUAL };
    if count == 0 {
        let place = f.get(key).map_or(f.place, |node| node.place);
        let mistake =
            Mistake::OutOfRange { what: "a number of answers", given: "0".to_owned(), range: RANGE };
        reader.wrong(place, &f.path_of(key), mistake);
    }
    u16::try_from(count).unwrap_or(USUAL)
}

fn question(
    reader: &mut Reader,
    f: &Fields<'_>,
    kind: &'static str,
    instance: Option<&Instance>,
) -> Question {
    match kind {
        "web" => Question::Web { pages: pages(reader, f), address: address(reader, f) },
        "api" => Question::Api { address: address(reader, f) },
        "streaming" => {
            served(reader, f, Service::Streaming, instance);
            Question::Streaming
        }
        "sidekiq" => {
            served(reader, f, Service::Sidekiq, instance);
            let range = "it is at least 1m and at most 7d";
            let oldest = reader.span_within(f, "oldest_job", "a wait", OLDEST_JOB, range);
            Question::Sidekiq { oldest_job: oldest.map_or(Span::from_secs(3600), |at| at.value) }
        }
        "units" => Question::Units,
        "postgres" => Question::Postgres,
        "redis" => Question::Redis,
        "disk" => Question::Disk { free: free(reader, f, instance) },
        "certificate" => {
            let is_https = |url: &String| url.starts_with("https://");
            // An instance that is wrong or absent has been reported.
            if instance.is_some_and(|instance| !instance.url.as_ref().is_some_and(is_https)) {
                reader.wrong(f.place, &f.path, Mistake::NoHttps);
            }
            let range = "it is at least 1h and at most 90d";
            let left = reader.span_within(f, "expires_in", "a time", EXPIRES_IN, range);
            Question::Certificate { expires_in: left.map_or(Span::from_secs(14 * DAY), |at| at.value) }
        }
        _ => Question::Assets,
    }
}

/// A service that is to be asked must be among the instance's.
fn served(reader: &mut Reader, f: &Fields<'_>, service: Service, instance: Option<&Instance>) {
    let is_there =
        |instance: &Instance| instance.services.iter().any(|unit| Service::of(unit) == Some(service));
    if instance.is_some_and(|instance| !is_there(instance)) {
        reader.wrong(f.place, &f.path, Mistake::NoSuchService { service: service.as_str() });
    }
}

fn pages(reader: &mut Reader, f: &Fields<'_>) -> Vec<String> {
    let Some(node) = f.get("pages") else { return vec!["/about".to_owned()] };
    let path = f.path_of("pages");
    let wanted = "a list of pages, like [/about]";
    let Kind::Seq(items) = &node.kind else {
        reader.wrong(node.place, &path, Mistake::WrongType { wanted, found: node.kind_name() });
        return vec![];
    };
    if items.is_empty() {
        reader.wrong(node.place, &path, Mistake::Empty { wanted });
    }
    if items.len() > MOST_PAGES {
        let mistake = Mistake::TooMany { what: "pages", count: items.len(), max: MOST_PAGES };
        reader.wrong(node.place, &path, mistake);
    }
    let mut pages = Vec::new();
    for item in items.iter().take(MOST_PAGES) {
        match &item.kind {
            Kind::Text(page) if is_page(page) => pages.push(page.clone()),
            Kind::Text(page) => {
                let given = page.chars().take(64).collect();
                reader.wrong(item.place, &path, Mistake::BadPage { given });
            }
            _ => {
                let mistake = Mistake::WrongType { wanted: "a page, like /about", found: item.kind_name() };
                reader.wrong(item.place, &path, mistake);
            }
        }
    }
    pages
}

fn is_page(page: &str) -> bool {
    page.starts_with('/')
        && !page.starts_with("//")
        && page.len() <= 500
        && page.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\' | '#'))
}

fn address(reader: &mut Reader, f: &Fields<'_>) -> Option<LocalAddress> {
    let text = reader.text(f, "address", "an address, like \"127.0.0.1:3000\"")?;
    match text.value.parse() {
        Ok(address) => Some(address),
        Err(error) => {
            let error: crate::probes::ParseAddressError = error;
            reader.wrong(
                text.place,
                &f.path_of("address"),
                Mistake::BadAddressOfServer { why: error.to_string() },
            );
            None
        }
    }
}

/// What is written, else some room where the instance lives. The room sees of people's homes only the instance's.
fn free(reader: &mut Reader, f: &Fields<'_>, instance: Option<&Instance>) -> Vec<FreeSpace> {
    const USUAL: Bytes = Bytes::new(2 * 1024 * 1024 * 1024);
    let Some(node) = f.get("free") else {
        return instance
            .map(|instance| FreeSpace { path: instance.live.clone(), at_least: USUAL })
            .into_iter()
            .collect();
    };
    let free = requires::free(reader, f);
    for hidden in free.iter().filter(|free| {
        let is_of_instance = instance.is_none_or(|instance| free.path.starts_with(&instance.live));
        free.path.starts_with("/home") && !is_of_instance
    }) {
        let given = hidden.path.display().to_string();
        reader.wrong(node.place, &f.path_of("free"), Mistake::HiddenPath { given });
    }
    free
}
