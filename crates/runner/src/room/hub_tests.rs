use super::*;
use crate::codec::decode;
use crate::protocol::{Event, LineClass, Progress, Stream};
use jiff::Timestamp;

fn line(text: &str) -> EventKind {
    let at = Timestamp::UNIX_EPOCH;
    EventKind::Line { at, stream: Stream::Stdout, class: LineClass::Output, text: text.to_owned() }
}

fn events(frames: &[Frame]) -> Vec<Event> {
    frames.iter().map(|frame| decode(frame).unwrap()).collect()
}

#[test]
fn a_late_client_gets_what_it_has_not_seen_and_every_copy() {
    let hub = Hub::default();
    for text in ["a", "b", "c"] {
        hub.publish(line(text));
    }
    hub.publish(EventKind::Copy { data: String::new() });
    let id = hub.join().unwrap();
    hub.follow(id, 2);
    let seqs: Vec<_> = events(&hub.next(id).unwrap()).iter().map(|event| event.seq).collect();
    assert_eq!(seqs, [3, 0]);
}

#[test]
fn only_the_newest_progress_is_said() {
    let hub = Hub::default();
    let id = hub.join().unwrap();
    hub.follow(id, 0);
    for lines in 0..1000 {
        hub.publish(EventKind::Progress(Progress { lines, ..Progress::default() }));
    }
    let said = events(&hub.next(id).unwrap());
    assert!(matches!(&said[..], [Event { seq: 0, kind: EventKind::Progress(p), .. }] if p.lines == 999));
}

#[test]
fn the_log_is_bounded_and_says_what_it_left_out() {
    let hub = Hub::default();
    for _ in 0..4000 {
        hub.publish(line(&"x".repeat(4096)));
    }
    hub.publish(EventKind::Slow { running: mastmaint_words::Span::from_secs(1) });
    let recorded = hub.recorded();
    assert!(recorded.len() < MOST_BYTES + 8192, "{}", recorded.len());
    let text = String::from_utf8(recorded).unwrap();
    let kept = text.lines().filter(|l| l.contains("\"line\"")).count();
    assert!(text.contains(&format!("\"lines\":{}", 4000 - kept)), "{kept}");
}

#[test]
fn one_seat_too_many_is_refused() {
    let hub = Hub::default();
    let seats: Vec<_> = (0..=MOST_CLIENTS).map(|_| hub.join()).collect();
    assert_eq!(seats.iter().flatten().count(), MOST_CLIENTS);
    hub.leave(seats[0].unwrap());
    assert!(hub.join().is_some());
}

#[test]
fn lingering_ends_with_the_last_client() {
    let hub = Hub::default();
    let id = hub.join().unwrap();
    assert_eq!(hub.linger(Duration::from_millis(20)), Linger::Over);
    hub.ask_to_forget(id);
    assert_eq!(hub.linger(Duration::from_secs(5)), Linger::Forget(id));
    hub.leave(id);
    let begin = Instant::now();
    assert_eq!(hub.linger(Duration::from_mins(1)), Linger::Over);
    assert!(begin.elapsed() < Duration::from_secs(40));
}
