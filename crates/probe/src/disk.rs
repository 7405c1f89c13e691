//! Whether there is room on file systems.

use crate::{fine, unknown, wrong};
use mastmaint_config::requires::FreeSpace;
use mastmaint_runner::probe::{Said, free_at};
use mastmaint_words::Bytes;

pub(crate) fn ask(wanted: &[FreeSpace]) -> Said {
    judge(wanted.iter().map(|wanted| (wanted, free_at(&wanted.path))).collect())
}

fn judge(looked: Vec<(&FreeSpace, Result<Bytes, String>)>) -> Said {
    let (mut short, mut blind, mut enough) = (Vec::new(), Vec::new(), Vec::new());
    for (wanted, free) in looked {
        let path = wanted.path.display();
        match free {
            Ok(free) if free < wanted.at_least => {
                short.push(format!("{free} free at {path}, less than {}", wanted.at_least));
            }
            Ok(free) => enough.push(format!("{free} free at {path}")),
            Err(why) => blind.push(format!("the room at {path} cannot be looked at: {why}")),
        }
    }
    match (short.is_empty(), blind.is_empty()) {
        (false, _) => wrong(short.join("; ")),
        (true, false) => unknown(blind.join("; ")),
        (true, true) => fine(enough.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_room_anywhere_is_wrong() {
        let wanted = FreeSpace { path: "/srv".into(), at_least: Bytes::new(1 << 30) };
        let said = |free| judge(vec![(&wanted, free)]);
        assert!(matches!(said(Ok(Bytes::new(1 << 30))), Said::Answers { .. }));
        assert!(matches!(said(Ok(Bytes::new(1 << 29))), Said::Silent { why } if why.contains("/srv")));
        assert!(matches!(said(Err("it is hidden".into())), Said::NotAsked { .. }));
        let both = judge(vec![(&wanted, Err("x".into())), (&wanted, Ok(Bytes::new(1)))]);
        assert!(matches!(both, Said::Silent { .. }));
    }
}
