//! Whether there is room on file systems.

use crate::{fine, unknown, wrong};
use mastmaint_config::requires::FreeSpace;
use mastmaint_instance::Free;
use mastmaint_runner::probe::{Said, free_at};

pub(crate) fn ask(wanted: &[FreeSpace]) -> Said {
    judge(wanted.iter().map(|wanted| (wanted, free_at(&wanted.path))).collect())
}

fn judge(looked: Vec<(&FreeSpace, Result<Free, String>)>) -> Said {
    let (mut short, mut blind, mut enough) = (Vec::new(), Vec::new(), Vec::new());
    for (wanted, free) in looked {
        let path = wanted.path.display();
        match free {
            Ok(free) if free.bytes() < wanted.at_least => {
                short.push(format!("{} free at {path}, less than {}", free.bytes(), wanted.at_least));
            }
            Ok(free) => match free.lack_of_files(&wanted.path) {
                Some(why) => short.push(why),
                None => enough.push(format!("{} free at {path}", free.bytes())),
            },
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
    use mastmaint_instance::Files;
    use mastmaint_words::Bytes;

    #[test]
    fn too_little_room_anywhere_is_wrong() {
        let wanted = FreeSpace { path: "/srv".into(), at_least: Bytes::new(1 << 30) };
        let said = |free| judge(vec![(&wanted, free)]);
        let free = |free| Free { total: 1 << 40, free, files: None };
        assert!(matches!(said(Ok(free(1 << 30))), Said::Answers { .. }));
        assert!(matches!(said(Ok(free(1 << 29))), Said::Silent { why } if why.contains("/srv")));
        let files = Some(Files { total: 6_000_000, free: 12 });
        let full = said(Ok(Free { files, ..free(1 << 30) }));
        assert!(
            matches!(full, Said::Silent { why } if why.contains("12 more files") && why.contains("/srv"))
        );
        assert!(matches!(said(Err("it is hidden".into())), Said::NotAsked { .. }));
        let both = judge(vec![(&wanted, Err("x".into())), (&wanted, Ok(free(1)))]);
        assert!(matches!(both, Said::Silent { .. }));
    }
}
