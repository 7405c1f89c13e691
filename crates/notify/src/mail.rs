//! Messages as mail.

use crate::{error::SendError, host, sendmail};
use lettre::{
    Message, SmtpTransport, Transport as _,
    message::{
        Mailbox,
        header::{ContentType, Header, HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::Credentials,
        client::{Tls as Security, TlsParameters},
        extension::ClientId,
    },
};
use mastmaint_config::targets::{Mail, Smtp, Tls, Via};
use mastmaint_runner::protocol::Notice;
use std::{fs, io::Read as _, time::Duration};

/// Of each word with the mail server.
const PATIENCE: Duration = Duration::from_secs(20);
/// A password is a line; a file of any size is not read.
const MOST_PASSWORD: u64 = 4096;

pub(crate) fn send(mail: &Mail, notice: &Notice) -> Result<String, SendError> {
    let message = message(mail, notice, &host::mail_name())?;
    match &mail.via {
        Via::Smtp(smtp) => deliver(smtp, &message),
        Via::Sendmail { program } => sendmail::deliver(program, &message),
    }
}

/// The mail. A user of this host gets its mail name behind the @, for servers that want one there.
fn message(mail: &Mail, notice: &Notice, mail_name: &str) -> Result<Message, SendError> {
    let wrong = |why: String| SendError::Mail { why };
    let whole = |address: &str| {
        if address.contains('@') { address.to_owned() } else { format!("{address}@{mail_name}") }
    };
    let mailbox = |name: Option<&str>, address: &str| {
        let address =
            whole(address).parse().map_err(|e: lettre::address::AddressError| wrong(e.to_string()))?;
        Ok::<_, SendError>(Mailbox::new(name.map(str::to_owned), address))
    };
    Message::builder()
        .from(mailbox(Some("mastmaintd"), mail.from.as_deref().unwrap_or("mastmaintd"))?)
        .to(mailbox(None, &mail.to)?)
        .subject(&notice.subject)
        .header(AutoSubmitted)
        .header(ContentType::TEXT_PLAIN)
        .body(notice.text.clone())
        .map_err(|error| wrong(error.to_string()))
}

/// No out-of-office answer is wanted (RFC 3834).
#[derive(Debug, Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

fn deliver(smtp: &Smtp, message: &Message) -> Result<String, SendError> {
    let failed = |error: &lettre::transport::smtp::Error| SendError::Smtp {
        host: smtp.host.clone(),
        port: smtp.port,
        // It names its cause itself.
        why: error.to_string(),
    };
    let parameters = || TlsParameters::new_rustls(smtp.host.clone()).map_err(|e| failed(&e));
    let security = match smtp.tls {
        Tls::None => Security::None,
        Tls::Starttls => Security::Required(parameters()?),
        Tls::Always => Security::Wrapper(parameters()?),
    };
    // A host without a resolver still has its own mail server.
    let host = if smtp.host == "localhost" { "127.0.0.1" } else { &smtp.host };
    let mut transport = SmtpTransport::builder_dangerous(host)
        .port(smtp.port)
        .timeout(Some(PATIENCE))
        .hello_name(ClientId::Domain(host::mail_name()))
        .tls(security);
    if let Some(login) = &smtp.login {
        let mut password = String::new();
        fs::File::open(&login.password_file)
            .and_then(|file| file.take(MOST_PASSWORD).read_to_string(&mut password))
            .map_err(|error| SendError::Password { path: login.password_file.clone(), error })?;
        let password = password.trim_end_matches(['\r', '\n']).to_owned();
        transport = transport.credentials(Credentials::new(login.user.clone(), password));
    }
    let answer = transport.build().send(message).map_err(|error| failed(&error))?;
    let words: Vec<&str> = answer.message().collect();
    Ok(format!("{} {}", answer.code(), words.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use mastmaint_words::Occasion;

    #[test]
    fn a_mail_says_who_what_and_that_no_answer_is_wanted() {
        let smtp = Smtp { host: "localhost".to_owned(), port: 25, tls: Tls::None, login: None };
        let mail = Mail { to: "root".to_owned(), from: None, via: Via::Smtp(smtp) };
        let notice = Notice {
            occasion: Occasion::Failed,
            at: Timestamp::UNIX_EPOCH,
            job: None,
            run: None,
            outcome: None,
            code: None,
            subject: "[social.example] clean-media failed: nö".to_owned(),
            text: ".\r\nwhat happened\n".to_owned(),
        };
        let text = message(&mail, &notice, "social.example").unwrap().formatted();
        let text = String::from_utf8(text).unwrap();
        for line in [
            "From: mastmaintd <mastmaintd@social.example>",
            "To: root@social.example",
            "Auto-Submitted: auto-generated",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert!(text.contains("Subject: [social.example] clean-media failed: =?utf-8?"), "{text}");
    }
}
