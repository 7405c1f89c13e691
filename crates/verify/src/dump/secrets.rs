//! Whether the keys of `.env.production` decrypt what the database holds: the encryption of Rails' Active Record,
//! done natively. Neither Ruby nor Mastodon is needed for it.

use super::Sealed;
use crate::{
    check::Env,
    finding::{Code, Finding},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{aead, pbkdf2};
use serde::Deserialize;
use std::num::NonZeroU32;

const ROUNDS: NonZeroU32 = NonZeroU32::new(65_536).expect("not zero");
const KEY_BYTES: usize = 32;

/// What came of trying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// This many values were decrypted.
    Fits(usize),
    /// No value could be decrypted.
    DoesNotFit,
    /// There is no value to try.
    NothingToTry,
    /// The keys are not in the file.
    NoKeys,
}

#[derive(Deserialize)]
struct Message {
    p: String,
    h: Headers,
}

#[derive(Deserialize)]
struct Headers {
    iv: String,
    at: String,
}

/// Tries the keys on each value.
pub fn fit(env: &Env, sealed: &[Sealed]) -> Fit {
    let keys = env
        .get("ACTIVE_RECORD_ENCRYPTION_PRIMARY_KEY")
        .zip(env.get("ACTIVE_RECORD_ENCRYPTION_KEY_DERIVATION_SALT"));
    let Some((password, salt)) = keys else { return Fit::NoKeys };
    if sealed.is_empty() {
        return Fit::NothingToTry;
    }
    // Values from before Rails 7.1 were made with SHA-1.
    let algorithms = [pbkdf2::PBKDF2_HMAC_SHA256, pbkdf2::PBKDF2_HMAC_SHA1];
    let keys: Vec<_> = algorithms.into_iter().filter_map(|a| key(a, password, salt)).collect();
    let opened = sealed.iter().filter(|s| keys.iter().any(|k| open(k, &s.json).is_some())).count();
    if opened > 0 { Fit::Fits(opened) } else { Fit::DoesNotFit }
}

fn key(algorithm: pbkdf2::Algorithm, password: &str, salt: &str) -> Option<aead::LessSafeKey> {
    let mut bytes = [0; KEY_BYTES];
    pbkdf2::derive(algorithm, ROUNDS, salt.as_bytes(), password.as_bytes(), &mut bytes);
    aead::UnboundKey::new(&aead::AES_256_GCM, &bytes).ok().map(aead::LessSafeKey::new)
}

/// Decrypts one value; what it says is of no interest, only that it can be read.
fn open(key: &aead::LessSafeKey, json: &str) -> Option<Vec<u8>> {
    let message: Message = serde_json::from_str(json).ok()?;
    let mut text = STANDARD.decode(message.p).ok()?;
    text.extend(STANDARD.decode(message.h.at).ok()?);
    let nonce = aead::Nonce::try_assume_unique_for_key(&STANDARD.decode(message.h.iv).ok()?).ok()?;
    key.open_in_place(nonce, aead::Aad::empty(), &mut text).ok().map(|t| t.to_vec())
}

impl Fit {
    /// What there is to say about it.
    pub fn finding(self, dump: &str) -> Option<Finding> {
        match self {
            Self::Fits(_) => None,
            Self::DoesNotFit => Some(Finding::fail(
                Code::SecretsDoNotFit,
                format!("the keys of .env.production in the file backup do not decrypt {dump}"),
                "Two-factor secrets and signing keys would be lost after a restore. Find the .env.production that this database was written with; was it changed without a backup?",
            )),
            Self::NothingToTry => Some(Finding::info(
                Code::NothingEncrypted,
                format!("{dump} holds no encrypted value on which the keys could be tried"),
                "Nothing to do. It is not known whether the keys fit.",
            )),
            Self::NoKeys => Some(Finding::warn(
                Code::NotChecked,
                format!("there are no encryption keys in the file backup to try on {dump}"),
                "Let the file backup copy .env.production, and name its place with `live:`.",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(primary: &str) -> Env {
        Env::parse(&format!(
            "ACTIVE_RECORD_ENCRYPTION_PRIMARY_KEY={primary}\nACTIVE_RECORD_ENCRYPTION_KEY_DERIVATION_SALT=salt\n"
        ))
    }

    fn sealed(algorithm: pbkdf2::Algorithm) -> Sealed {
        let key = key(algorithm, "right", "salt").unwrap();
        let mut text = b"PNVIHUB7".to_vec();
        let nonce = aead::Nonce::assume_unique_for_key([7; 12]);
        let tag = key.seal_in_place_separate_tag(nonce, aead::Aad::empty(), &mut text).unwrap();
        let (p, iv, at) = (STANDARD.encode(text), STANDARD.encode([7; 12]), STANDARD.encode(tag.as_ref()));
        Sealed {
            column: "users.otp_secret",
            json: format!(r#"{{"p":"{p}","h":{{"iv":"{iv}","at":"{at}"}}}}"#),
        }
    }

    #[test]
    fn only_the_right_key_fits() {
        for algorithm in [pbkdf2::PBKDF2_HMAC_SHA256, pbkdf2::PBKDF2_HMAC_SHA1] {
            assert_eq!(fit(&env("right"), &[sealed(algorithm)]), Fit::Fits(1));
            assert_eq!(fit(&env("wrong"), &[sealed(algorithm)]), Fit::DoesNotFit);
        }
        let rubbish = Sealed { column: "users.otp_secret", json: "not json".to_owned() };
        assert_eq!(fit(&env("right"), &[rubbish]), Fit::DoesNotFit);
        assert_eq!(fit(&env("right"), &[]), Fit::NothingToTry);
        assert_eq!(fit(&Env::default(), &[]), Fit::NoKeys);
    }

    #[test]
    fn nothing_to_try_is_said_and_not_called_ok() {
        assert_eq!(Fit::NothingToTry.finding("x").unwrap().code, Code::NothingEncrypted);
        assert_eq!(Fit::Fits(1).finding("x"), None);
    }
}
