//! A made-up instance: the files that tootctl, `mastmaintctl init` and the rooms look at, with the numbers of the
//! recorded one, so that what the recordings say is true of it.

use crate::{
    recordings::Held,
    rows::{self, Kind, Row, Table},
};
use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

/// An instance in a directory of its own.
#[derive(Debug, Clone)]
pub struct Instance {
    live: PathBuf,
}

/// Values of `.env.production` that must never be seen anywhere else.
pub const SECRETS: [(&str, &str); 7] = [
    ("SECRET_KEY_BASE", "1f8c3de5a1b94e27b0d6a9c7724f51e3c6d2a85b90f14e7d8a3b6c5d4e2f1a09"),
    ("OTP_SECRET", "9b7e6d5c4a3f2e1d0c9b8a7f6e5d4c3b2a1f0e9d8c7b6a5f4e3d2c1b0a9f8e7d"),
    ("DB_PASS", "correct-horse-battery-staple"),
    ("REDIS_PASSWORD", "r3d1s-und3r-th3-b3d"),
    ("SMTP_PASSWORD", "smtp pass: with spaces & signs"),
    ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYSTANDINKEY"),
    ("ACTIVE_RECORD_ENCRYPTION_PRIMARY_KEY", "Yq3kT8vLw2Zr5NxBm7Pc9Hd4Jf6Gs1Ka"),
];

const MEDIA_BYTES: u64 = 77_369;
const IMAGE_BYTES: u64 = 77_048;
const AVATAR_BYTES: u64 = 477_529;

/// Ids and file names of the cached media, as the recordings of 4.6.5 name them.
pub(crate) const MEDIA: [(u64, &str); 15] = [
    (117_663_464_916_054_119, "b16a337d76ce03a4"),
    (117_663_464_928_079_187, "ceee9fb707c6e967"),
    (117_663_464_937_781_165, "1bcda0e74ff83ec8"),
    (117_663_464_946_691_931, "a59f164e684ec9d9"),
    (117_663_464_956_156_461, "91bbe0175e187b34"),
    (117_663_464_966_225_536, "5c5748b2c4d8166b"),
    (117_663_464_975_605_170, "5429573985dfa4fb"),
    (117_663_464_982_742_141, "05eea9ab80af8c6e"),
    (117_663_464_990_180_822, "4829291ba0a13137"),
    (117_663_464_997_725_119, "a621710e70576fc0"),
    (117_663_465_004_818_721, "199948f3b81914e0"),
    (117_663_465_013_337_487, "9025afe1ba406b05"),
    (117_663_465_022_196_579, "cf9c71d4b34e3885"),
    (117_663_465_030_982_114, "d3b21ac8f3c3f57a"),
    (117_663_465_039_870_122, "1f514a86079333af"),
];

/// The cached media that the recordings of 4.3.23 name.
const MEDIA_4_3: [(u64, &str); 4] = [
    (117_663_469_705_316_348, "e37512af3652cd22"),
    (117_663_469_714_250_567, "dddea84d5ee02e07"),
    (117_663_469_721_629_174, "bac1a8d910fce9d9"),
    (117_663_469_729_308_017, "4012b24d566bd686"),
];

impl Instance {
    /// Makes an instance in `dir/live`; `standin` becomes its `bin/tootctl`.
    pub fn create(dir: &Path, version: &str, standin: &Path) -> io::Result<Self> {
        let live = dir.join("live");
        for part in ["bin", "config", "lib/mastodon", "log", "tmp", "public/system"] {
            fs::create_dir_all(live.join(part))?;
        }
        fs::write(live.join("lib/mastodon/version.rb"), version_rb(version))?;
        fs::write(live.join("config/environment.rb"), "require_relative 'application'\n")?;
        fs::write(live.join("config/themes.yml"), "default: styles/application.scss\n")?;
        fs::write(live.join(".env.production"), env_production())?;
        fs::set_permissions(live.join(".env.production"), fs::Permissions::from_mode(0o600))?;
        let instance = Self { live };
        for program in ["bin/tootctl", "bin/rails"] {
            instance.link(standin, program)?;
        }
        instance.fill(version)?;
        Ok(instance)
    }

    /// The instance whose Rails root is `live`.
    pub fn at(live: impl Into<PathBuf>) -> Self {
        Self { live: live.into() }
    }

    /// Its Rails root.
    pub fn live(&self) -> &Path {
        &self.live
    }

    // A copy that is written while another thread forks would be "text file busy" for a moment; a link never is.
    fn link(&self, standin: &Path, program: &str) -> io::Result<()> {
        let target = self.live.join(program);
        fs::hard_link(standin, &target).or_else(|_| fs::copy(standin, &target).map(drop))
    }

    fn fill(&self, version: &str) -> io::Result<()> {
        let mut rows = Vec::new();
        let own = if version.starts_with("4.3") { &MEDIA_4_3[..] } else { &[] };
        let rest = &MEDIA[..MEDIA.len() - own.len()];
        for (id, name) in rest.iter().chain(own) {
            rows.push(self.row(Kind::Media, *id, &media_files("cache/", *id, name), MEDIA_BYTES)?);
        }
        let local = 117_663_460_000_000_001;
        rows.push(self.row(
            Kind::LocalMedia,
            local,
            &media_files("", local, "0123456789abcdef"),
            MEDIA_BYTES,
        )?);
        for id in 1..=15 {
            let image = format!("cache/preview_cards/images/{}/original/card{id}.png", groups(id));
            rows.push(self.row(Kind::Card, id, &[image], IMAGE_BYTES)?);
        }
        for n in 0..64 {
            rows.push(self.row(Kind::Status, 117_663_464_000_000_000 + n, &[], 0)?);
        }
        for n in 0..17 {
            rows.push(self.account(n)?);
        }
        let mut table = Table::open(&self.live)?;
        table.rows = rows;
        table.save()
    }

    /// Eleven of the seventeen accounts have pictures: those of other servers that had some to fetch.
    fn account(&self, n: u64) -> io::Result<Row> {
        let id = 117_663_463_000_000_000 + n;
        if n >= 11 {
            return self.row(Kind::Account, id, &[], 0);
        }
        let picture = |what: &str| format!("cache/accounts/{what}/{}/original/picture{n}.png", groups(id));
        let mut row = self.row(Kind::Account, id, &[picture("headers")], IMAGE_BYTES)?;
        let avatar_bytes = AVATAR_BYTES + if n == 0 { 5 } else { 0 };
        row.files.extend(self.row(Kind::Account, id, &[picture("avatars")], avatar_bytes)?.files);
        Ok(row)
    }

    fn row(&self, kind: Kind, id: u64, files: &[String], bytes: u64) -> io::Result<Row> {
        for file in files {
            self.put(file, bytes)?;
        }
        Ok(Row { kind, id, files: files.to_vec() })
    }

    /// Puts a file of that size below `public/system`, without a row.
    pub fn put(&self, file: &str, bytes: u64) -> io::Result<()> {
        let path = rows::system(&self.live).join(file);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::File::create(path)?.set_len(bytes)
    }

    /// Puts the five orphans there that the recordings `orphans-*` find: 100,010 bytes.
    pub fn add_orphans(&self) -> io::Result<()> {
        (0..5).try_for_each(|n| {
            let id = 117_663_999_999_999_990 + n;
            let file = format!("cache/media_attachments/files/{}/original/abcdef{n}.png", groups(id));
            self.put(&file, 20_000 + n)
        })
    }

    /// What it holds now.
    pub fn held(&self) -> io::Result<Held> {
        let rows = Table::open(&self.live)?.counts();
        let (mut files, mut bytes) = (0, 0);
        rows::walk(&rows::system(&self.live), &mut |_, size| {
            files += 1;
            bytes += size;
        })?;
        Ok(Held { rows: Some(rows), files, bytes })
    }

    /// Writes `standin.yaml`: what its commands meet from now on.
    pub fn weather(&self, yaml: &str) -> io::Result<()> {
        fs::write(self.live.join("standin.yaml"), yaml)
    }

    /// Sets a variable of `.env.production`, as the last of its name.
    pub fn set_env(&self, name: &str, value: &str) -> io::Result<()> {
        let path = self.live.join(".env.production");
        let text = fs::read_to_string(&path)?;
        let own = format!("{name}=");
        let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with(&own)).collect();
        fs::write(path, format!("{}\n{name}={value}\n", kept.join("\n")))
    }

    /// Every file below `public/system`, as its key.
    pub fn keys(&self) -> io::Result<Vec<String>> {
        let root = rows::system(&self.live);
        let mut keys = Vec::new();
        rows::walk(&root, &mut |path, _| {
            keys.extend(path.strip_prefix(&root).ok().map(|key| key.to_string_lossy().into_owned()));
        })?;
        Ok(keys)
    }

    /// Replaces `bin/tootctl` by a file of its own with this text and mode.
    pub fn replace_tootctl(&self, text: &str, mode: u32) -> io::Result<()> {
        let path = self.live.join("bin/tootctl");
        fs::remove_file(&path)?;
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))
    }
}

fn media_files(root: &str, id: u64, name: &str) -> Vec<String> {
    let file = |style: &str| format!("{root}media_attachments/files/{}/{style}/{name}.png", groups(id));
    vec![file("original"), file("small")]
}

/// The id as Paperclip splits it: nine digits, eighteen from 10^9 on, in groups of three.
fn groups(id: u64) -> String {
    let digits = if id < 1_000_000_000 { format!("{id:09}") } else { format!("{id:018}") };
    let groups: Vec<_> = digits.as_bytes().chunks(3).map(String::from_utf8_lossy).collect();
    groups.join("/")
}

fn version_rb(version: &str) -> String {
    let mut parts = version.split('.');
    let mut part = |name: &str| format!("    def {name}\n      {}\n    end\n\n", parts.next().unwrap_or("0"));
    format!(
        "# frozen_string_literal: true\n\nmodule Mastodon\n  module Version\n    module_function\n\n{}{}{}    def \
         default_prerelease\n      ''\n    end\n  end\nend\n",
        part("major"),
        part("minor"),
        part("patch")
    )
}

fn env_production() -> String {
    let plain = "# A made-up instance for tests; none of these secrets opens anything.\nLOCAL_DOMAIN=social.example\n\
                 DB_HOST=/var/run/postgresql\nDB_USER=mastodon\nDB_NAME=mastodon_production\nREDIS_HOST=localhost";
    let secrets = SECRETS.map(|(name, value)| format!("{name}=\"{value}\"\n"));
    format!("{plain}\n{}", secrets.concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recordings::Rows;

    #[test]
    fn a_new_instance_is_the_size_of_the_recorded_one() {
        for version in ["4.6.5", "4.3.23"] {
            let dir = tempfile::tempdir().unwrap();
            let instance = Instance::create(dir.path(), version, Path::new("/bin/true")).unwrap();
            let rows = Some(Rows { media: 15, cards: 15, statuses: 64, accounts: 17 });
            assert_eq!(instance.held().unwrap(), Held { rows, files: 69, bytes: 9_731_880 }, "{version}");
            instance.add_orphans().unwrap();
            assert_eq!(instance.held().unwrap(), Held { rows, files: 74, bytes: 9_831_890 });
        }
    }

    #[test]
    fn ids_are_split_as_paperclip_does() {
        assert_eq!(groups(7), "000/000/007");
        assert_eq!(groups(117_663_464_916_054_119), "117/663/464/916/054/119");
    }
}
