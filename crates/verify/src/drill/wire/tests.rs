use super::*;
use crate::drill::{Files, Shape};
use std::{io::Seek as _, thread};

struct Impatient;

impl Tell for Impatient {
    fn is_cancelled(&self) -> bool {
        true
    }
}

fn order() -> Order {
    Order {
        dump: "x.dump".to_owned(),
        shape: Shape::Archive(1, 16),
        size: 5,
        domain: Some("mast.test".to_owned()),
        code: [1, 2].into(),
        before: None,
        assertions: vec!["SELECT true".to_owned()],
        reserve: 7,
        boot: None,
        stage: None,
    }
}

#[test]
fn an_order_arrives_with_its_dump() {
    let (a, b) = UnixStream::pair().unwrap();
    let mut dump = tempfile::tempfile().unwrap();
    dump.write_all(b"content").unwrap();
    dump.rewind().unwrap();
    let (files, mut stream) = io::pipe().unwrap();
    for with_files in [false, true] {
        dump.rewind().unwrap();
        let both = [dump.as_fd(), files.as_fd()];
        let files = Files { name: "daily.0".to_owned(), bytes: 9, ruby: None };
        let order = Order { boot: with_files.then_some(files), ..order() };
        send(&a, &order, if with_files { &both } else { &both[..1] }).unwrap();
        let (received, mut got) = receive(&b).unwrap();
        let mut text = String::new();
        got.dump.read_to_string(&mut text).unwrap();
        assert_eq!((&received, text.as_str()), (&order, "content"));
        assert_eq!(got.files.is_some(), with_files);
        if let Some(mut got) = got.files {
            stream.write_all(b"files").unwrap();
            let mut word = [0; 5];
            got.read_exact(&mut word).unwrap();
            assert_eq!(&word, b"files");
        }
    }
    assert!(send(&a, &order(), &[dump.as_fd(); 3]).is_err());
    let files = Files { name: "daily.0".to_owned(), bytes: 9, ruby: None };
    send(&a, &Order { boot: Some(files), ..order() }, &[dump.as_fd()]).unwrap();
    assert!(receive(&b).is_err(), "a boot without its files");
}

#[test]
fn who_hangs_up_ends_it_and_who_says_nothing_is_left() {
    let (a, b) = UnixStream::pair().unwrap();
    let dump = tempfile::tempfile().unwrap();
    let asking = thread::spawn(move || ask(a, &order(), &[dump.as_fd()], &Impatient));
    let (_, _file) = receive(&b).unwrap();
    let told_to_end = AtomicBool::new(false);
    let hangup = Hangup::new(&b, &told_to_end);
    assert!(matches!(asking.join().unwrap(), Err(VerifyError::Cancelled)));
    assert!(hangup.is_cancelled());
    let (a, b) = UnixStream::pair().unwrap();
    let told_to_end = AtomicBool::new(false);
    let hangup = Hangup::new(&b, &told_to_end);
    assert!(!hangup.is_cancelled());
    drop(a);
    assert!(hangup.is_cancelled());
    let (a, b) = UnixStream::pair().unwrap();
    let dump = tempfile::tempfile().unwrap();
    let answering = thread::spawn(move || receive(&b).map(drop));
    let died = ask(a, &order(), &[dump.as_fd()], &Impatient);
    answering.join().unwrap().unwrap();
    assert!(matches!(died, Err(VerifyError::Room(_) | VerifyError::Cancelled)), "{died:?}");
}
