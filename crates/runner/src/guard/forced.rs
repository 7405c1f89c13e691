//! A build that is made to be one, and whether it was: a program may end with 0 without it (`WEBPACKER_PRECOMPILE=false`),
//! and what was built before is whole.

use super::kept;
use mastmaint_instance::assets::{VITE, WEBPACKER};
use mastmaint_words::{Grade, Outcome, Reason, Verdict};
use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// When a file was written, as far as its file system tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Written {
    inode: u64,
    at: (i64, i64),
}

impl Written {
    fn of(path: &Path) -> Option<Self> {
        let meta = fs::metadata(path).ok()?;
        Some(Self { inode: meta.ino(), at: (meta.mtime(), meta.mtime_nsec()) })
    }
}

/// What was there before a build that is forced.
#[derive(Debug)]
pub(crate) struct Forced {
    /// The manifests of Vite and of Webpacker, which each of their builds writes anew, with the same content too.
    manifests: [(PathBuf, Option<Written>); 2],
    /// The stamp of Webpacker, if there was one: a build writes it at its end.
    stamp: Option<PathBuf>,
}

impl Forced {
    /// Removes that by which a build sees that nothing has changed since the last one: it looks at some of the files only.
    pub(crate) fn begin(live: &Path, environment: &str) -> Self {
        let stamps = kept::stamps(environment).map(|stamp| live.join(stamp));
        let [_, webpacker] = &stamps;
        let stamp = webpacker.exists().then(|| webpacker.clone());
        for stamp in stamps {
            // One that cannot be removed makes a build be skipped, which is seen.
            let _ = fs::remove_file(stamp);
        }
        let manifests = [VITE[0], WEBPACKER].map(|manifest| {
            let path = live.join(manifest);
            let written = Written::of(&path);
            (path, written)
        });
        Self { manifests, stamp }
    }

    /// The verdict on a program that has ended well and built nothing. Where no manifest is there now, whoever looks at the
    /// assets says so.
    pub(crate) fn nothing_built(&self) -> Option<Verdict> {
        let is_there = self.manifests.iter().any(|(path, _)| path.exists());
        let [vite, webpacker] = [0, 1].map(|at| {
            let (path, before) = &self.manifests[at];
            Written::of(path).is_some_and(|now| Some(now) != *before)
        });
        let is_over = self.stamp.as_ref().is_none_or(|stamp| stamp.exists());
        if !is_there || vite || webpacker && is_over {
            return None;
        }
        let what = if webpacker {
            "Webpacker's stamp, which it writes at the end of a build, is not there again".to_owned()
        } else {
            let there = self.manifests.iter().map(|(path, _)| path).filter(|path| path.exists());
            let there: Vec<String> = there.map(|path| path.display().to_string()).collect();
            format!("{} was not written anew", there.join(" or "))
        };
        let text = format!(
            "it exited with 0 and built nothing: {what}; is the build switched off (WEBPACKER_PRECOMPILE, \
             VITE_RUBY_SKIP_ASSETS_PRECOMPILE_EXTENSION)?"
        );
        Some(Verdict::because(Outcome::Failed, Grade::Proved, Reason::new("nothing-built", text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a build that wrote these, of an instance where those were there.
    fn said(before: &[&str], built: &[&str]) -> Option<String> {
        let scratch = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let path = scratch.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            // Under another name first: a clock that is coarser than this test shows no other time.
            let new = path.with_extension("new");
            fs::write(&new, text).unwrap();
            fs::rename(&new, &path).unwrap();
        };
        for file in before {
            write(file, "{}");
        }
        let forced = Forced::begin(scratch.path(), "production");
        for file in built {
            write(file, "{}");
        }
        forced.nothing_built().map(|verdict| verdict.reasons[0].text.clone())
    }

    #[test]
    fn what_was_there_before_is_no_build() {
        let [of_vite, of_webpacker] = kept::stamps("production").map(|path| path.display().to_string());
        let (vite, webpacker) = (VITE[0], WEBPACKER);
        assert_eq!(said(&[vite, &of_vite], &[vite, &of_vite]), None, "the same content is a build");
        assert!(said(&[vite, &of_vite], &[]).unwrap().contains("manifest.json was not written anew"));
        assert!(said(&[vite], &[&of_vite]).is_some());
        assert_eq!(said(&[], &[vite]), None, "the first one");
        assert_eq!(said(&[], &[]), None, "nothing is there: the look says so");
        assert_eq!(said(&[webpacker, &of_webpacker], &[webpacker, &of_webpacker]), None);
        assert_eq!(said(&[webpacker], &[webpacker]), None, "no stamp was removed");
        assert!(said(&[webpacker, &of_webpacker], &[]).is_some());
        let cut = said(&[webpacker, &of_webpacker], &[webpacker]).unwrap();
        assert!(cut.contains("Webpacker's stamp"), "{cut}");
        // An upgrade to 4.4: what Webpacker left stays, and is nothing any more.
        assert_eq!(said(&[webpacker, &of_webpacker], &[vite, &of_vite]), None);
    }
}
