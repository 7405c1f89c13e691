//! Where the bytes of a dump come from: a file, or a file in another backup, encrypted or not. They are got again and
//! again, and never put down anywhere.

use crate::{
    decrypt::Unseal,
    look::{Inside, Tree},
    stamp::Nanos,
    stream::{self, Input, Packing},
};
use std::{
    io,
    path::{Path, PathBuf},
    rc::Rc,
};

/// A dump, wherever it lies.
pub(crate) struct Content<'a> {
    /// What people call it.
    pub(crate) name: String,
    /// Last change, by the file system.
    pub(crate) changed: Nanos,
    pub(crate) size: u64,
    origin: Origin<'a>,
    unseal: Option<Rc<Unseal>>,
}

enum Origin<'a> {
    File(PathBuf),
    Inside(&'a dyn Tree, String),
}

impl<'a> Content<'a> {
    /// A file, or a directory that is a dump.
    pub(crate) fn of_file(path: &Path, changed: Nanos, size: u64, unseal: Option<Rc<Unseal>>) -> Self {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Self { name, changed, size, origin: Origin::File(path.to_owned()), unseal }
    }

    /// A file in another backup.
    pub(crate) fn inside(tree: &'a dyn Tree, file: Inside, unseal: Option<Rc<Unseal>>) -> Self {
        let name = file.path.rsplit('/').next().unwrap_or_default().to_owned();
        let Inside { path, changed, size } = file;
        Self { name, changed, size, origin: Origin::Inside(tree, path), unseal }
    }

    /// Where it lies as it is, if a program could open it there.
    pub(crate) fn path(&self) -> Option<&Path> {
        match &self.origin {
            Origin::File(path) if self.unseal.is_none() => Some(path),
            _ => None,
        }
    }

    /// Whether it is packed as a whole: then no program of PostgreSQL reads it as it is.
    pub(crate) fn is_packed(&self) -> bool {
        self.head(6).is_ok_and(|head| Packing::of(&head) != Packing::Plain)
    }

    fn raw(&self) -> io::Result<Input> {
        match &self.origin {
            Origin::File(path) => stream::raw(path),
            Origin::Inside(tree, path) => tree.open(path),
        }
    }

    /// Opens it from its beginning, decrypted.
    pub(crate) fn open(&self) -> io::Result<Input> {
        let raw = self.raw()?;
        match &self.unseal {
            Some(unseal) => unseal.open(raw),
            None => Ok(raw),
        }
    }

    /// Whether what is read of it was decrypted.
    pub(crate) const fn is_decrypted(&self) -> bool {
        self.unseal.is_some()
    }

    /// Whether it should be encrypted and is not.
    pub(crate) fn is_open(&self) -> io::Result<bool> {
        Ok(self.unseal.is_some() && Unseal::is_open(self.raw()?)?)
    }

    /// Its first bytes as they lie there.
    pub(crate) fn head(&self, bytes: usize) -> io::Result<Vec<u8>> {
        Ok(stream::peek(self.raw()?, bytes)?.0)
    }
}
