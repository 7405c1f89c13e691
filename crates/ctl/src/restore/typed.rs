//! What is typed of a restore, and which backups are meant by it.

use crate::{check, error::CtlError};
use mastmaint_config::Settings;
use mastmaint_words::{BackupName, RunId};

/// What is typed of a restore.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option that is typed or not")]
pub struct Typed {
    /// From which backup; one of files, one of the database, or one of each.
    #[arg(value_name = "NAME", required_unless_present_any = ["stdin", "prepared"], num_args = 1..=2)]
    pub(crate) backups: Vec<BackupName>,
    /// What `mastmaintctl send` on another host writes into this command.
    #[arg(long, conflicts_with_all = ["backups", "snapshot", "dump", "prepared"])]
    pub(crate) stdin: bool,
    /// A copy that was made before, or came from another host, by its run.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["backups", "snapshot", "dump", "with_media", "with_env", "unproved", "rehearse"])]
    pub(crate) prepared: Option<RunId>,
    /// From which of its states, like daily.1; the newest complete one if it is not said.
    #[arg(long, value_name = "STATE")]
    pub(crate) snapshot: Option<String>,
    /// Which dump of the database, by name; the newest complete one if it is not said.
    #[arg(long, value_name = "NAME")]
    pub(crate) dump: Option<String>,
    /// How PostgreSQL is reached for the restore of the database, like `DB_PORT=5432` where the instance goes through
    /// `PgBouncer`.
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = variable)]
    pub(crate) environment: Vec<(String, String)>,
    /// Uploads are those of the backup, too; else today's stay and only what is missing comes back.
    #[arg(long)]
    pub(crate) with_media: bool,
    /// .env.production is that of the backup, too; else today's stays.
    #[arg(long)]
    pub(crate) with_env: bool,
    /// Take what no verification has proved.
    #[arg(long)]
    pub(crate) unproved: bool,
    /// Take a copy whose built assets are not whole; build them right after the switch: `mastmaintctl guard --recipe
    /// precompile`.
    #[arg(long)]
    pub(crate) without_assets: bool,
    /// Make and check the copy, and nothing else.
    #[arg(long, conflicts_with = "yes")]
    pub(crate) rehearse: bool,
    /// Do not ask.
    #[arg(long)]
    pub(crate) yes: bool,
}

/// `NAME=VALUE`.
pub(crate) fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    if name.is_empty() {
        return Err("the name is missing before =".to_owned());
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// Which backups were named: at most one of files and one of the database.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted<'a> {
    pub(super) files: Option<&'a BackupName>,
    pub(super) database: Option<&'a BackupName>,
}

impl<'a> Wanted<'a> {
    /// One name of each kind at most.
    pub(super) fn among(settings: &Settings, names: &'a [BackupName]) -> Result<Self, CtlError> {
        let mut wanted = Self::default();
        for name in names {
            let holds_a_dump = check::backup(settings, name)?.place.kind() == "postgres";
            let (part, what) =
                if holds_a_dump { (&mut wanted.database, "databases") } else { (&mut wanted.files, "files") };
            if let Some(other) = part.replace(name) {
                let text = format!("{other} and {name} are both backups of {what}; name one of them");
                return Err(CtlError::Usage(text));
            }
        }
        Ok(wanted)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) const HEAD: &str = "instance: {live: /home/mastodon/live, user: mastodon, services: [mastodon-web]}\n\
        backups: {files: {kind: tree, path: /backup/files}, base: {kind: postgres, path: /backup/*.dump}}\n";

    pub(in super::super) fn names(names: &[&str]) -> Vec<BackupName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    pub(in super::super) fn settings() -> Settings {
        mastmaint_config::load_str("m.yaml", &format!("{HEAD}jobs: {{}}\n")).unwrap().settings
    }

    #[test]
    fn one_of_each_is_enough() {
        let settings = settings();
        let named = names(&["base", "files"]);
        let wanted = Wanted::among(&settings, &named).unwrap();
        assert_eq!((wanted.files, wanted.database), (Some(&named[1]), Some(&named[0])));
        assert!(Wanted::among(&settings, &names(&["files", "files"])).is_err());
        assert!(Wanted::among(&settings, &names(&["nothing"])).is_err());
        assert!(variable("DB_PORT").is_err() && variable("=x").is_err());
        assert_eq!(variable("A=b=c").unwrap(), ("A".to_owned(), "b=c".to_owned()));
    }
}
